//! Builds memguard with the committed BPF object and lets it trace a program that leaks.

use anyhow::Result;

use crate::{shell, workspace::Workspace};

/// Build memguard and run its demo as root.
#[derive(clap::Args)]
pub(crate) struct Options {}

/// Builds as the user, runs as root.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let Options {} = options;
    // Unoptimised, which compiles in half the time.
    shell::run(&mut workspace.cargo(["build", "--package=memguard"]))?;
    let agent = workspace.target.join("debug/memguard");
    shell::run(workspace.command_as_root(agent)?.arg("demo"))
}
