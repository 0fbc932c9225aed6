//! Formatting, lints and documentation, as strict as CI.

use anyhow::Result;

use crate::{shell, toolchain, workspace::Workspace};

/// Check formatting, lints and documentation.
#[derive(clap::Args)]
pub(crate) struct Options {}

/// Runs all checks, and stops at the first failure.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let Options {} = options;
    format(workspace)?;
    lint_host(workspace)?;
    lint_bpf(workspace)?;
    document(workspace)
}

/// Half of the keys in `rustfmt.toml` are known to nightly alone. Stable ignores them, and is
/// content with what nightly has written.
fn format(workspace: &Workspace) -> Result<()> {
    let nightly = || toolchain::nightly(workspace, "cargo");
    let has_nightly = shell::succeeds(nightly().args(["fmt", "--version"]));
    if !has_nightly {
        println!(
            "no nightly rustfmt: the order of imports and the width of comments are not checked"
        );
    }
    let mut cargo = if has_nightly {
        nightly()
    } else {
        workspace.command("cargo")
    };
    shell::run(cargo.args(["fmt", "--all", "--check"]))
}

fn lint_host(workspace: &Workspace) -> Result<()> {
    let mut clippy = workspace.cargo(["clippy", "--workspace", "--exclude=memguard-ebpf"]);
    shell::run(clippy.args(["--all-targets", "--", "-Dwarnings"]))
}

/// The BPF crate is linted as a program of the host, for which every toolchain has a `core`. Its
/// own directory keeps the two sets of flags from undoing each other's work.
fn lint_bpf(workspace: &Workspace) -> Result<()> {
    let mut clippy = workspace.cargo(["clippy", "--package=memguard-ebpf"]);
    clippy
        .arg("--target-dir")
        .arg(workspace.target.join("clippy-ebpf"));
    clippy.args(["--", "-Dwarnings"]);
    // Intrinsics are closed to stable compilers; unwinding would ask for parts that `core` lacks.
    clippy
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_PROFILE_DEV_PANIC", "abort");
    shell::run(&mut clippy)
}

fn document(workspace: &Workspace) -> Result<()> {
    let mut doc = workspace.cargo(["doc", "--no-deps", "--workspace", "--exclude=memguard-ebpf"]);
    shell::run(doc.env("RUSTDOCFLAGS", "-Dwarnings"))
}
