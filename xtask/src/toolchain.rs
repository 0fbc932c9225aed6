//! The compilers that can build for the BPF target, a target for which rustup ships no `core`.
//!
//! There are two. Debian packages a `core` already built, together with a stable compiler of its
//! own. A rustup nightly builds `core` itself, from its `rust-src` component. Debian's comes first:
//! it changes only with the distribution, so objects stay comparable.

use std::{fmt, path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    linker::{self, LLVM_PREFIX},
    shell,
    workspace::Workspace,
};

/// The target of the BPF object.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// Debian's compiler; rustup's comes before it in PATH, hence the full path.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// A compiler for BPF.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Toolchain {
    /// `rustc-web` with `libstd-rust-web-dev-bpf`.
    Debian,
    /// A rustup nightly with `rust-src`.
    Nightly,
}

impl Toolchain {
    /// The first of the two that is complete on this host.
    pub(crate) fn find(workspace: &Workspace) -> Option<Self> {
        let complete = |toolchain: &Self| toolchain.has_core(workspace).unwrap_or(false);
        [Self::Debian, Self::Nightly].into_iter().find(complete)
    }

    /// A cargo that uses this compiler.
    pub(crate) fn cargo(self, workspace: &Workspace) -> Command {
        let mut cargo = self.program(workspace, "cargo");
        if matches!(self, Self::Debian) {
            // The linker's flags and `core`'s intrinsics are closed to stable compilers otherwise.
            cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
        }
        cargo
    }

    /// What cargo needs to know besides.
    pub(crate) const fn cargo_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Debian => &[],
            Self::Nightly => &["-Zbuild-std=core"],
        }
    }

    /// Where the compiler is installed.
    pub(crate) fn sysroot(self, workspace: &Workspace) -> Result<String> {
        self.print(workspace, "sysroot")
    }

    /// Everything that has a say in what an object looks like. Cargo is in it because its hashes
    /// end up in the names of functions.
    pub(crate) fn version(self, workspace: &Workspace) -> Result<String> {
        let ask = |mut program: Command| shell::read(program.arg("--version"));
        let compiler = ask(self.rustc(workspace))?;
        let cargo = ask(self.program(workspace, "cargo"))?;
        let linker = linker::version(workspace).context("run `cargo xtask setup`")?;
        let version = format!("{compiler}, {cargo}, {linker}");
        match self {
            Self::Debian => {
                // Here the linker shares its LLVM with the rest of the host.
                let llvm = ask(workspace.command(format!("{LLVM_PREFIX}/bin/llvm-config")))?;
                Ok(format!("{version}, LLVM {llvm}"))
            }
            Self::Nightly => Ok(version),
        }
    }

    fn has_core(self, workspace: &Workspace) -> Result<bool> {
        match self {
            Self::Debian => {
                let directory = self.print(workspace, "target-libdir")?;
                Ok(Path::new(&directory).is_dir())
            }
            Self::Nightly => {
                let sources = "lib/rustlib/src/rust/library/core";
                Ok(Path::new(&self.sysroot(workspace)?).join(sources).is_dir())
            }
        }
    }

    fn print(self, workspace: &Workspace, what: &str) -> Result<String> {
        shell::read(
            self.rustc(workspace)
                .args(["--target", TARGET, "--print", what]),
        )
    }

    fn rustc(self, workspace: &Workspace) -> Command {
        match self {
            Self::Debian => workspace.command(DEBIAN_RUSTC),
            Self::Nightly => self.program(workspace, "rustc"),
        }
    }

    fn program(self, workspace: &Workspace, name: &str) -> Command {
        match self {
            Self::Debian => workspace.command(name),
            Self::Nightly => nightly(workspace, name),
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Debian => "Debian's rustc-web with a prebuilt core",
            Self::Nightly => "rustup's nightly with rust-src",
        })
    }
}

/// A program of the rustup nightly. Unlike `cargo +nightly`, this works when the cargo first in
/// PATH is not rustup's; and it must not inherit the stable cargo that started us.
pub(crate) fn nightly(workspace: &Workspace, program: &str) -> Command {
    let mut command = workspace.command("rustup");
    command
        .args(["run", "nightly", program])
        .env_remove("CARGO");
    command
}
