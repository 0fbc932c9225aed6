//! Options of the commands that read what another run wrote.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Colour, Format};

pub(super) const REPORT_EXAMPLES: &str = "\
Examples:
  memguard report leaks.jsonl                  what was found, for people
  memguard report --fail-on leak leaks.jsonl   exit code 1 if anything leaked
  memguard report --format folded leaks.jsonl | flamegraph.pl > leaks.svg
  memguard report --suppressions known.supp --show-suppressed leaks.jsonl
  ssh HOST memguard watch -p 4242 -d 5m --format jsonl | memguard report -

A file of suppressions has a rule a line; all conditions of a rule must hold,
* and ? match:
  # what nobody will mend
  leak  function=connect_upstream kind=tcp
  aged  command=bash path=/tmp/*
  any   module=liboldcrypto.so.*

Exit codes: 0 ok, 1 findings at the gate, 2 usage, or a file that cannot be read";

pub(super) const DIFF_EXAMPLES: &str = "\
Examples:
  memguard diff before.jsonl after.jsonl        new, gone, grew, shrank; exit
                                                code 1 if anything is new
  memguard diff --fail-on grew old.jsonl new.jsonl
  memguard diff --format jsonl old.jsonl new.jsonl | jq .memguard.difference

Exit codes: 0 ok, 1 differences at the gate, 2 usage, or a file that cannot be
read";

/// Options of `report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// JSON lines that `watch` or `run` wrote; - for standard input
    pub file: PathBuf,
    /// How to show them
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ReportFormat,
    /// End with exit code 1 on these findings
    #[arg(long, value_name = "GATE", default_value = "never")]
    pub fail_on: ReportGate,
    /// What is not to be seen
    #[command(flatten)]
    pub suppress: SuppressArgs,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
}

/// Options of `diff`.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// JSON lines of the older run; - for standard input
    pub old: PathBuf,
    /// JSON lines of the newer run; - for standard input
    pub new: PathBuf,
    /// How to show the differences
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// End with exit code 1 on these differences
    #[arg(long, value_name = "GATE", default_value = "new")]
    pub fail_on: DiffGate,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
}

/// What is not to be seen.
#[derive(Args, Debug, Default)]
pub struct SuppressArgs {
    /// Neither show nor count findings that a rule of this file fits, see `memguard report --help`
    #[arg(long, value_name = "FILE")]
    pub suppressions: Option<PathBuf>,
    /// List what was suppressed at the end, with the rule
    #[arg(long, requires = "suppressions")]
    pub show_suppressed: bool,
}

/// How to show a file of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// Stacks with the number of handles, a line each, for flame graphs.
    Folded,
    /// Stacks with the bytes in use, likewise.
    FoldedBytes,
}

/// What makes `report` end with 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportGate {
    /// Nothing.
    Never,
    /// A leak.
    Leak,
    /// A leak, or a process that keeps growing.
    Growth,
    /// Any descriptor that was open at an exit.
    Left,
}

/// What makes `diff` end with 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffGate {
    /// Nothing.
    Never,
    /// Something is new.
    New,
    /// Something is new, or there is more of it.
    Grew,
}
