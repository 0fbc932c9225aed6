//! Measures how often the verdicts are right and how soon they come, and writes `docs/accuracy.md`.

use anyhow::Result;

use crate::{
    setup, shell,
    test::{release_build, test_as_root},
    workspace::Workspace,
};

/// Watch workloads that leak and workloads that do not, for five minutes with a minimum age and for
/// five at default options, and write the tables: twelve minutes in all.
#[derive(clap::Args)]
pub(crate) struct Options {}

/// Runs as root. The table is written in any case; a wrong verdict is an error afterwards.
pub(crate) fn run(_: &Options, workspace: &Workspace) -> Result<()> {
    let programs = setup::Options {
        tests: true,
        bench: false,
    };
    setup::run(&programs, workspace)?;
    release_build(workspace)?;
    let mut look = test_as_root(["--package=memguard-tests", "--test=accuracy"], workspace)?;
    look.args(["--", "--ignored", "--nocapture", "--exact"]);
    look.arg("a_long_look_is_written_down");
    look.env("MEMGUARD_BIN", workspace.agent());
    shell::run(&mut look)
}
