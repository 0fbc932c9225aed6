//! What memguard costs, measured: the tables of `docs/overhead.md`.

use anyhow::Result;

use crate::{
    setup, shell,
    test::{release_build, test_as_root},
    workspace::Workspace,
};

/// Measure what copying a stack costs, and how many are unwound in a second.
#[derive(clap::Args)]
pub(crate) struct Options {}

/// As root, on a machine that does nothing else.
pub(crate) fn run(_: &Options, workspace: &Workspace) -> Result<()> {
    setup::run(&setup::Options { tests: true }, workspace)?;
    release_build(workspace)?;
    println!("== windows: nanoseconds of the BPF programs");
    let mut windows = test_as_root(["--package=memguard-tests", "--test=overhead"], workspace)?;
    windows.args(["--", "--ignored", "--nocapture", "--test-threads=1"]);
    windows.env("MEMGUARD_BIN", workspace.agent());
    shell::run(&mut windows)?;
    println!("== unwinding: windows a second on one core");
    let mut unwinding = workspace.cargo(["test", "--release", "--package=memguard", "--lib"]);
    unwinding.args([
        "--",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
        "origin::",
    ]);
    shell::run(&mut unwinding)
}
