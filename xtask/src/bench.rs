//! What memguard costs, measured: the tables of `docs/overhead.md`.
//!
//! The measuring itself is `tests/src/bench`, which runs as root; this builds, and says where its
//! results go.

use anyhow::Result;

use crate::{
    setup, shell,
    test::{as_root, release_build},
    workspace::Workspace,
};

/// Measure what memguard costs, on a machine that does nothing else.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the sections whose name contains this
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
    /// Short rounds, and few: to see that it works; the figures do not count
    #[arg(long)]
    quick: bool,
    /// Put the table into docs/overhead.md
    #[arg(long)]
    write: bool,
}

/// Builds as the user, measures as root; the figures are in `target/bench.json` afterwards.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let Options { only, quick, write } = options;
    setup::run(&setup::Options { tests: true }, workspace)?;
    release_build(workspace)?;
    let mut cargo = as_root(
        workspace.cargo([
            "bench",
            "--quiet",
            "--package=memguard-tests",
            "--bench=system",
        ]),
        workspace,
    )?;
    cargo.env("MEMGUARD_BIN", workspace.agent());
    cargo
        .arg("--")
        .arg("--json")
        .arg(workspace.target.join("bench.json"));
    if let Some(only) = only {
        cargo.args(["--only", only]);
    }
    if *quick {
        cargo.arg("--quick");
    }
    if *write {
        cargo
            .arg("--write")
            .arg(workspace.root.join("docs/overhead.md"));
    }
    shell::run(&mut cargo)
}
