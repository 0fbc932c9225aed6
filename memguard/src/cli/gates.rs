//! Which findings, or differences, make a command fail, by an exit code of its own.

use clap::ValueEnum;

use crate::findings::gate::Gate;

/// The gate of `watch`: what processes hold when they end is no matter of it.
pub(super) fn watch_gate(text: &str) -> Result<Gate, String> {
    let gate: Gate = text.parse()?;
    match gate.left() {
        None => Ok(gate),
        Some(_) => Err(format!(
            "{text} is no gate of watch, which sees processes end all the time; use run, or \
             watch --left -o FILE and report"
        )),
    }
}

/// What makes `diff` end with 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffGate {
    /// Never fail
    Never,
    /// A finding that only the newer file has
    New,
    /// The same, or one that has become larger or worse
    Grew,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watch_has_no_gate_for_what_is_left() {
        assert!(watch_gate("suspect,exhaustion").is_ok());
        for text in ["left", "leak,left:3"] {
            let error = watch_gate(text).expect_err(text);
            assert!(error.starts_with(text), "{error}");
        }
    }
}
