//! What `report` and `diff` were told to do.

use std::path::PathBuf;

use super::{
    SuppressConfig,
    output::{ColourWhen, OutputFormat},
};
use crate::findings::gate::Gate;

/// What `report` was told to do.
#[derive(Clone, Debug)]
pub struct ReportConfig {
    /// JSON lines that another run wrote; `-` for standard input.
    pub file: PathBuf,
    /// How to show them.
    pub format: ReportFormat,
    /// What decides the exit code.
    pub fail_on: Gate,
    /// Which findings are not shown.
    pub suppress: SuppressConfig,
    /// When to use colours.
    pub colour: ColourWhen,
}

/// What `diff` was told to do.
#[derive(Clone, Debug)]
pub struct DiffConfig {
    /// JSON lines of the older run; `-` for standard input.
    pub old: PathBuf,
    /// JSON lines of the newer run; `-` for standard input.
    pub new: PathBuf,
    /// How to show the differences.
    pub format: OutputFormat,
    /// What decides the exit code.
    pub fail_on: DiffGate,
    /// When to use colours.
    pub colour: ColourWhen,
}

/// How to show a file of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// Stacks with the number of handles, a line each, for flame graphs.
    Folded,
    /// Stacks with the bytes in use, likewise.
    FoldedBytes,
}

/// What makes `diff` end with 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffGate {
    /// Nothing.
    Never,
    /// Something is new.
    New,
    /// Something is new, or there is more of it.
    Grew,
}
