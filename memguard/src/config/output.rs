//! Where reports go, and how they look.

use std::path::PathBuf;

/// Where reports go, and how they look.
#[derive(Clone, Debug)]
pub struct OutputConfig {
    /// A file; `None` for a standard stream.
    pub path: Option<PathBuf>,
    /// Where reports go without a file.
    pub stream: Stream,
    /// `None` for what suits the place: JSON lines in a file, text elsewhere.
    pub format: Option<OutputFormat>,
    /// When to use colours.
    pub colour: ColourWhen,
    /// Whether secrets in command lines are hidden.
    pub redact: bool,
    /// As text, findings and errors only.
    pub quiet: bool,
    /// As text, findings are shown as they come and not only at the end.
    pub live: bool,
    /// A line on the terminal says how far it has come, where that disturbs nobody.
    pub progress: bool,
}

impl OutputConfig {
    /// The format that was asked for, or suits the place.
    pub fn format(&self) -> OutputFormat {
        let suits = match self.path {
            Some(_) => OutputFormat::Jsonl,
            None => OutputFormat::Text,
        };
        self.format.unwrap_or(suits)
    }
}

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Of `watch`.
    Stdout,
    /// Of `run`, whose standard output is the command's.
    Stderr,
}

/// For whom reports are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Jsonl,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
