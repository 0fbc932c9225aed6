//! Are the verdicts right? Writes `docs/accuracy.md`.

use anyhow::Result;

use crate::{
    setup, shell,
    test::{release_build, test_as_root},
    workspace::Workspace,
};

/// Watch workloads that leak and workloads that do not for five minutes, and write the table.
#[derive(clap::Args)]
pub(crate) struct Options {}

/// As root. The table is written whatever the verdicts are; a wrong one is an error.
pub(crate) fn run(_: &Options, workspace: &Workspace) -> Result<()> {
    setup::run(&setup::Options { tests: true }, workspace)?;
    release_build(workspace)?;
    let mut look = test_as_root(["--package=memguard-tests", "--test=accuracy"], workspace)?;
    look.args(["--", "--ignored", "--nocapture", "--exact"]);
    look.arg("a_long_look_is_written_down");
    look.env("MEMGUARD_BIN", workspace.agent());
    shell::run(&mut look)
}
