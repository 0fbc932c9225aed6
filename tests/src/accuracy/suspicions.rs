//! Suspicions of the healthy. Until it has given back something that had stayed, nobody can tell a
//! collector from a leak, and `suspect` is what there is to say; after that it is wrong.

use super::{Milestones, alarms::by_id};
use crate::finding::Finding;

/// Seconds for which a suspicion may outlive what refutes it: memguard looks every few seconds.
const GRACE: f64 = 10.0;

/// How many findings were suspicions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Suspicions {
    /// Over by the time when something was given back; or nothing ever is, and there is an end to
    /// it.
    pub before: usize,
    /// Those that stood afterwards, or of a workload that never says when.
    pub after: usize,
}

impl Suspicions {
    /// Of a workload that does not leak. What it gave back before memguard was there, memguard
    /// could not see.
    pub fn of(findings: &[Finding<'_>], milestones: &Milestones, attached: f64) -> Self {
        let from = match milestones.first_release(attached) {
            Some(time) => time + GRACE,
            None if milestones.keeps => f64::INFINITY,
            None => f64::NEG_INFINITY,
        };
        let ends: Vec<_> = by_id(findings).into_values().filter_map(end).collect();
        let after = ends.iter().filter(|end| **end > from).count();
        Self {
            before: ends.len() - after,
            after,
        }
    }
}

/// When a finding was a suspicion for the last time; `None` where it never was. One that is not
/// taken back stands for ever.
fn end(lines: Vec<Finding<'_>>) -> Option<f64> {
    let suspects = |finding: &Finding<'_>| finding.verdict() == "suspect" && !finding.is_resolved();
    let last = lines.iter().rposition(suspects)?;
    let next = lines.get(last + 1);
    Some(next.map_or(f64::MAX, |finding| finding.written_at()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Suspicions;
    use crate::{accuracy::Milestones, finding::Finding};

    fn line(id: &str, verdict: &str, state: &str, second: u64) -> Value {
        let finding = json!({"id": id, "verdict": verdict, "state": state});
        json!({"timestamp": format!("1970-01-01T00:00:{second:02}Z"),
            "memguard": {"finding": finding}})
    }

    fn counted(lines: &[Value], said: &str) -> (usize, usize) {
        let findings: Vec<_> = lines.iter().map(Finding).collect();
        let Suspicions { before, after } = Suspicions::of(&findings, &Milestones::of(said), 2.0);
        (before, after)
    }

    /// What is taken back soon after the first release was before it; what stands, or comes again,
    /// was not. Who never says when is right from the beginning.
    #[test]
    fn the_first_release_divides() {
        let short = [
            line("a", "suspect", "opened", 5),
            line("a", "suspect", "resolved", 25),
        ];
        assert_eq!(counted(&short, "gave_back 20\n"), (1, 0));
        assert_eq!(counted(&short, "gave_back 10\n"), (0, 1));
        assert_eq!(counted(&short, ""), (0, 1));
        assert_eq!(counted(&short, "gave_back 1\n"), (0, 1));
        assert_eq!(counted(&short, "gave_back 1\ngave_back 20\n"), (1, 0));
        assert_eq!(counted(&short[..1], "gave_back 20\n"), (0, 1));
        let leak = [
            line("b", "suspect", "opened", 5),
            line("b", "leak", "updated", 25),
        ];
        assert_eq!(counted(&leak, "gave_back 20\n"), (1, 0));
        let again = [
            short[0].clone(),
            short[1].clone(),
            line("b", "suspect", "opened", 40),
            line("b", "suspect", "resolved", 50),
            line("c", "aged", "opened", 50),
        ];
        assert_eq!(counted(&again, "gave_back 20\n"), (1, 1));
    }

    /// One that keeps what it has is never refuted.
    #[test]
    fn who_keeps_all_is_in_a_column_of_its_own() {
        assert_eq!(
            counted(&[line("a", "suspect", "opened", 5)], "keeps\n"),
            (1, 0)
        );
    }
}
