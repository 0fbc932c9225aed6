//! Debian packages: asked about without root, installed with it.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    shell,
    workspace::{self, Workspace},
};

/// Whether this host installs its packages with apt.
pub(crate) fn is_here(workspace: &Workspace) -> bool {
    workspace.which("apt-get").is_some()
}

/// Those of `packages` that are not installed.
pub(crate) fn missing<'a>(workspace: &Workspace, packages: &[&'a str]) -> Vec<&'a str> {
    let is_missing = |package: &&str| {
        let query = ["--show", "--showformat=${db:Status-Status}", package];
        let status = shell::read(workspace.command("dpkg-query").args(query));
        !status.is_ok_and(|status| status == "installed")
    };
    packages.iter().copied().filter(is_missing).collect()
}

/// Whether apt could install all of `packages`.
pub(crate) fn offers(workspace: &Workspace, packages: &[&str]) -> bool {
    packages.iter().all(|package| {
        shell::succeeds(
            workspace
                .command("apt-cache")
                .args(["show", "--no-all-versions", package]),
        )
    })
}

/// Fetches the lists of packages, which a fresh container does not have. Does nothing without root.
pub(crate) fn refresh(workspace: &Workspace) -> Result<()> {
    if !workspace::is_root()? {
        return Ok(());
    }
    shell::run(apt_get(workspace).arg("update"))
}

/// Installs `packages`; without root it fails with the command to type.
pub(crate) fn install(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    if !workspace::is_root()? {
        let packages = packages.join(" ");
        bail!("not root: please run `sudo apt-get install --no-install-recommends {packages}`");
    }
    let mut command = apt_get(workspace);
    command.args(["install", "--yes", "--no-install-recommends"]);
    // `rustc-web` replaces Debian's `rustc`: whoever has that must agree to lose it.
    shell::run(command.arg("--no-remove").args(packages))
}

fn apt_get(workspace: &Workspace) -> Command {
    let mut command = workspace.command("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
