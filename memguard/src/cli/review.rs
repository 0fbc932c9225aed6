//! Options of the commands that read what another run wrote.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Colour, DiffGate, Format};
use crate::findings::gate::Gate;

/// Options of `report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// JSON lines written by `watch` or `run`; - for standard input
    pub file: PathBuf,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ReportFormat,
    /// Exit with 1 if there is a finding like this: never, suspect (or a leak), leak, exhaustion
    /// (of a limit that is half used), growth (or a leak), left (any descriptor open at exit),
    /// left:N (N or more of them); several with commas
    #[arg(long, value_name = "GATE", default_value = "never")]
    pub fail_on: Gate,
    /// Suppressions
    #[command(flatten)]
    pub suppress: SuppressArgs,
    /// When to use colors
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
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Exit with 1 if there is a difference like this
    #[arg(long, value_name = "GATE", default_value = "new")]
    pub fail_on: DiffGate,
    /// When to use colors
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
}

/// Suppressions.
#[derive(Args, Debug, Default)]
pub struct SuppressArgs {
    /// Hide findings that match a rule in this file, and do not count them; see `memguard report
    /// --help` for the format
    #[arg(long, value_name = "FILE")]
    pub suppressions: Option<PathBuf>,
    /// List suppressed findings at the end, with the rule that matched
    #[arg(long)]
    pub show_suppressed: bool,
    /// Do not apply the built-in suppressions: what shells and runtimes keep open to their end
    #[arg(long)]
    pub no_default_suppressions: bool,
}

/// How to show a file of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Text for people
    Text,
    /// Folded stacks with the number of handles, for flame graphs
    Folded,
    /// Folded stacks with the bytes in use
    FoldedBytes,
}
