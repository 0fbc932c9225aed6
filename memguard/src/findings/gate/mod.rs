//! Which findings make a command fail: one place for `watch`, `run` and `report`.
//!
//! Pure. A [`Gate`] is what `--fail-on` names; a [`GateTally`] is told every finding that counts,
//! and says in the end whether the gate was reached, and by what.

mod tally;

use std::{fmt, str::FromStr};

pub use self::tally::GateTally;
use crate::model::finding::{Finding, Limit, Verdict};

/// What makes a command fail; nothing unless something is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// In the order in which they were named.
    conditions: Vec<Condition>,
}

/// One word of `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// A suspicion, or a leak.
    Suspect,
    /// A leak.
    Leak,
    /// At least half of a limit is in use, and the rest will be soon.
    Exhaustion,
    /// A leak, or a process that keeps growing.
    Growth,
    /// At least so many descriptors that were open when their processes ended.
    Left(u64),
}

/// What may be named, for messages.
const EXPECTED: &str = "expected never, or suspect, leak, exhaustion, growth, left or left:N, \
                        separated by commas";

impl Gate {
    /// Whether a finding of this verdict makes the command fail.
    pub fn wants(&self, verdict: Verdict) -> bool {
        self.conditions.iter().any(|it| it.wants(verdict))
    }

    /// From how many descriptors on that were left at exit the command fails; `None` where it does
    /// not, however many there are.
    pub fn left(&self) -> Option<u64> {
        let limits = self.conditions.iter().filter_map(|it| match it {
            Condition::Left(limit) => Some(*limit),
            _ => None,
        });
        limits.min()
    }

    /// Whether a finding, as it stands, makes the command fail by its verdict.
    fn is_reached_by(&self, finding: &Finding) -> bool {
        let exhausted = || finding.limit.as_ref().is_some_and(Limit::is_half_used);
        self.wants(finding.verdict) && (finding.verdict != Verdict::Exhaustion || exhausted())
    }
}

impl Condition {
    fn wants(self, verdict: Verdict) -> bool {
        match self {
            Self::Suspect => matches!(verdict, Verdict::Suspect | Verdict::Leak),
            Self::Leak => verdict == Verdict::Leak,
            Self::Exhaustion => verdict == Verdict::Exhaustion,
            Self::Growth => matches!(verdict, Verdict::Growth | Verdict::Leak),
            Self::Left(_) => false,
        }
    }
}

impl FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::default());
        }
        let mut gate = Self::default();
        for word in text.split(',') {
            let condition = word.parse()?;
            if !gate.conditions.contains(&condition) {
                gate.conditions.push(condition);
            }
        }
        Ok(gate)
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Ok(match word {
            "suspect" => Self::Suspect,
            "leak" => Self::Leak,
            "exhaustion" => Self::Exhaustion,
            "growth" => Self::Growth,
            "left" => Self::Left(1),
            _ => Self::Left(limit(word)?),
        })
    }
}

/// Of `left:N`.
fn limit(word: &str) -> Result<u64, String> {
    let number = word.strip_prefix("left:").and_then(|it| it.parse().ok());
    match number {
        Some(0) => Err("left:0 would always be reached; expected left:1 or more".to_owned()),
        Some(number) => Ok(number),
        None if word == "never" => Err(format!("never stands alone; {EXPECTED}")),
        None => Err(EXPECTED.to_owned()),
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.conditions.iter().map(Condition::to_string);
        let words = words.collect::<Vec<_>>();
        formatter.write_str(&if words.is_empty() {
            "never".to_owned()
        } else {
            words.join(",")
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspect => formatter.write_str("suspect"),
            Self::Leak => formatter.write_str("leak"),
            Self::Exhaustion => formatter.write_str("exhaustion"),
            Self::Growth => formatter.write_str("growth"),
            Self::Left(1) => formatter.write_str("left"),
            Self::Left(limit) => write!(formatter, "left:{limit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> (Vec<Verdict>, Option<u64>) {
        let gate: Gate = text.parse().expect(text);
        let verdicts = Verdict::ALL.into_iter().filter(|it| gate.wants(*it));
        (verdicts.collect(), gate.left())
    }

    #[test]
    fn gates_are_read() {
        use Verdict::{Exhaustion, Growth, Leak, Suspect};
        for (text, verdicts, left) in [
            ("never", vec![], None),
            ("suspect", vec![Leak, Suspect], None),
            ("leak", vec![Leak], None),
            ("exhaustion", vec![Exhaustion], None),
            ("growth", vec![Leak, Growth], None),
            ("left", vec![], Some(1)),
            ("left:16", vec![], Some(16)),
            ("leak,exhaustion", vec![Leak, Exhaustion], None),
            ("exhaustion,left:7", vec![Exhaustion], Some(7)),
            ("left:7,left:3", vec![], Some(3)),
        ] {
            assert_eq!(wanted(text), (verdicts, left), "{text}");
        }
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (text, expected) in [
            ("", "expected never, or suspect, leak,"),
            ("left:", "expected never, or suspect"),
            ("left:-1", "expected never, or suspect"),
            ("left:0", "left:0 would always be reached; expected left:1"),
            ("right", "expected never, or suspect"),
            ("leak,", "expected never, or suspect"),
            ("leak,never", "never stands alone; expected never, or"),
            ("leak,left:0", "left:0 would always be reached"),
        ] {
            let error = text.parse::<Gate>().expect_err(text);
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_gate_is_shown_as_it_is_typed() {
        for text in [
            "never",
            "leak",
            "growth,left:7",
            "suspect,exhaustion",
            "left",
        ] {
            let gate: Gate = text.parse().expect(text);
            assert_eq!(gate.to_string(), text);
        }
        let twice: Gate = "leak,left:1,leak".parse().expect("it is good");
        assert_eq!(twice.to_string(), "leak,left");
    }
}
