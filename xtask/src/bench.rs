//! What memguard costs, measured: the tables of `docs/overhead.md`.
//!
//! The benchmarks are in `memguard/benches` and, as root, in `tests/src/bench`; this builds them
//! and says where results go.

use std::fs;

use anyhow::{Context as _, Result};

use crate::{
    setup, shell,
    test::{as_root, release_build},
    workspace::Workspace,
};

/// Measure what memguard costs; the machine should be idle.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the sections whose name contains one of these, separated by commas
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
    /// Few and short rounds, to check that it works; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Write the whole table to docs/overhead.md
    #[arg(long, conflicts_with = "only")]
    write: bool,
}

/// The section that criterion measures.
const PURE: &str = "pure";

/// Builds as the user, measures as root; the figures are in `target/bench.json` afterwards.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let Options { only, quick, write } = options;
    let everything = setup::Options {
        tests: true,
        bench: true,
    };
    setup::run(&everything, workspace)?;
    release_build(workspace)?;
    let wants_pure = |patterns: &str| patterns.split(',').any(|it| PURE.contains(it));
    if only.as_deref().is_none_or(wants_pure) {
        pure(*quick, workspace)?;
    }
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

/// Needs no root. Samples of an earlier run are removed, or they would be taken for new ones.
fn pure(quick: bool, workspace: &Workspace) -> Result<()> {
    let samples = workspace.target.join("criterion");
    if samples.exists() {
        fs::remove_dir_all(&samples).context("cannot remove target/criterion")?;
    }
    let mut cargo = workspace.cargo(["bench", "--quiet", "--package=memguard", "--bench=pure"]);
    cargo.args(["--", "--quiet", "--noplot"]);
    if quick {
        cargo.args(["--warm-up-time=0.2", "--measurement-time=0.5"]);
    }
    shell::run(&mut cargo)
}
