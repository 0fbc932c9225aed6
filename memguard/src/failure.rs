//! Why memguard cannot do what it was asked to, and the exit code that says so.

use std::fmt;

/// A reason to end, in a sentence: what broke, why, and the one command that fixes it.
#[derive(Debug)]
pub struct Failure {
    /// Exit code of `watch`, `doctor` and `demo`; `run` ends with 125 before its command has
    /// begun.
    pub code: u8,
    message: String,
    fix: Option<String>,
}

/// The arguments make no sense.
pub const USAGE: u8 = 2;
/// This host, or this user, cannot.
pub const PREFLIGHT: u8 = 3;

impl Failure {
    /// The arguments make no sense together, or name what does not exist.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            code: USAGE,
            message: message.into(),
            fix: None,
        }
    }

    /// This host, or this user, cannot.
    pub fn preflight(message: impl Into<String>) -> Self {
        Self {
            code: PREFLIGHT,
            message: message.into(),
            fix: None,
        }
    }

    /// From an error with its causes, shortened: the verifier's words are for `doctor`.
    pub fn caused(message: &str, error: impl Into<anyhow::Error>) -> Self {
        let causes = format!("{:#}", error.into());
        let first = causes.lines().next().unwrap_or_default();
        let short: String = first.chars().take(300).collect();
        Self::preflight(format!("{message}: {short}"))
    }

    /// With another exit code.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// With the command that fixes it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            message,
            fix,
            code: _,
        } = self;
        formatter.write_str(message)?;
        fix.as_ref()
            .map_or(Ok(()), |fix| write!(formatter, "\n  fix: {fix}"))
    }
}

impl std::error::Error for Failure {}
