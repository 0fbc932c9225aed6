//! `bpf-linker`, which turns LLVM bitcode into the BPF object: is it here, and if not, how it gets
//! here.

use anyhow::{Context as _, Result};

use crate::{apt, shell, toolchain::Toolchain, workspace::Workspace};

/// Pinned, so that two machines build the same object.
const CRATE: &str = "bpf-linker@0.13.0";

/// The LLVM that Debian's compiler was built with; bitcode of a newer one could not be read.
pub(crate) const LLVM_PREFIX: &str = "/usr/lib/llvm-22";

/// Its development files, from which bpf-linker is built.
pub(crate) const LLVM_PACKAGES: [&str; 2] = ["llvm-22-dev", "libpolly-22-dev"];

/// The version of the linker, if it is there and starts.
pub(crate) fn version(workspace: &Workspace) -> Result<String> {
    shell::read(workspace.command("bpf-linker").arg("--version"))
}

/// Installs the linker unless it is there.
pub(crate) fn ensure(toolchain: Toolchain, workspace: &Workspace) -> Result<()> {
    if let Ok(version) = version(workspace) {
        println!("linker: {version} is already installed");
        return Ok(());
    }
    println!("linker: installing {CRATE}");
    match toolchain {
        Toolchain::Debian => from_debian_llvm(workspace),
        Toolchain::Nightly => from_releases(workspace),
    }
}

fn from_debian_llvm(workspace: &Workspace) -> Result<()> {
    let missing = apt::missing(workspace, &LLVM_PACKAGES);
    if !missing.is_empty() {
        apt::refresh(workspace)?;
        apt::install(workspace, &missing)?;
    }
    let mut cargo = workspace.cargo(["install", CRATE, "--locked", "--no-default-features"]);
    shell::run(
        cargo
            .args(["--features", "llvm-22"])
            .env("LLVM_PREFIX", LLVM_PREFIX),
    )
}

/// The project's own binaries hold an LLVM; a build from source asks for a matching one on the
/// host.
fn from_releases(workspace: &Workspace) -> Result<()> {
    if workspace.which("cargo-binstall").is_some() {
        return shell::run(&mut workspace.cargo(["binstall", "--no-confirm", CRATE]));
    }
    shell::run(&mut workspace.cargo(["install", CRATE, "--locked"])).context(
        "building bpf-linker needs LLVM's development files of the version it asks for; \
         `cargo install cargo-binstall` and a second `cargo xtask setup` do without",
    )
}
