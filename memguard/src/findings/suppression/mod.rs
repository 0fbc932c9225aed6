//! Which findings are shown, and which reach a gate.
//!
//! Pure. A suppressed finding is neither; one that the baseline has too is shown, but reaches no
//! gate. Both are decided anew whenever a finding changes, and stay decided when it is resolved.

pub mod defaults;
mod rules;

use std::collections::{HashMap, HashSet};

pub use self::rules::Rules;
use crate::model::{
    finding::{Finding, State, Verdict},
    report::Summary,
};

/// Suppressions, baseline, and what they did so far.
#[derive(Debug, Default)]
pub struct Suppressor {
    rules: Rules,
    /// Suppressed findings are kept for a list.
    keep: bool,
    baseline: Option<HashSet<u64>>,
    /// Findings that may change yet; only those that something was decided about.
    living: HashMap<u64, Seen>,
    suppressed: Excluded,
    known: Excluded,
}

/// What was decided about a finding.
#[derive(Clone, Copy, Debug)]
struct Seen {
    verdict: Verdict,
    left: u64,
    /// That suppresses it; without one it is of the baseline.
    rule: Option<usize>,
    /// It was shown once.
    shown: bool,
}

/// What becomes of a finding. Its end is told where its beginning was, and counts as that did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is shown, and reaches gates.
    Counts,
    /// It is shown, but the baseline has it too: it reaches no gate.
    Known,
    /// Neither.
    Suppressed,
}

impl Decision {
    /// Whether sinks are told.
    pub fn is_shown(self) -> bool {
        self != Self::Suppressed
    }

    /// Whether it may reach a gate.
    pub fn counts(self) -> bool {
        self == Self::Counts
    }
}

/// Findings that do not count.
#[derive(Debug, Default)]
struct Excluded {
    findings: HashMap<Verdict, u64>,
    left: u64,
}

impl Suppressor {
    /// Nothing is suppressed or known; `keep` says that suppressed findings are to be listed.
    pub fn new(rules: Rules, keep: bool) -> Self {
        Self {
            rules,
            keep,
            ..Self::default()
        }
    }

    /// Findings with these fingerprints reach no gate.
    #[must_use]
    pub fn with_baseline(mut self, fingerprints: Option<HashSet<u64>>) -> Self {
        self.baseline = fingerprints;
        self
    }

    /// Takes a finding as it is told.
    pub fn take(&mut self, finding: &Finding) -> Decision {
        let before = self.living.remove(&finding.id);
        if finding.state == State::Resolved {
            let shown = before.is_none_or(|seen| seen.shown);
            return if shown {
                Decision::Counts
            } else {
                Decision::Suppressed
            };
        }
        if let Some(seen) = before {
            self.revoke(seen, finding.id);
        }
        let rule = self.rules.matching(finding);
        if rule.is_none() && !self.is_known(finding) {
            return Decision::Counts;
        }
        // What nothing was decided about before was shown.
        let updated = finding.state == State::Updated;
        let shown = before.map_or(updated, |seen| seen.shown);
        let seen = Seen {
            verdict: finding.verdict,
            left: finding.left_descriptors(),
            rule,
            shown: shown || rule.is_none(),
        };
        self.decide(seen, finding);
        rule.map_or(Decision::Known, |_| Decision::Suppressed)
    }

    /// Takes what was suppressed out of a summary, and says so there.
    pub fn apply(&self, summary: &mut Summary) {
        for (verdict, count) in &mut summary.findings {
            let suppressed = self.suppressed.count(*verdict);
            *count = count.saturating_sub(suppressed);
        }
        summary.left = summary.left.saturating_sub(self.suppressed.left);
        summary.suppressions = self.rules.told().cloned().collect();
        let known = || self.known.findings.values().sum();
        summary.known = self.baseline.as_ref().map(|_| known());
    }

    fn is_known(&self, finding: &Finding) -> bool {
        let baseline = self.baseline.as_ref();
        baseline.is_some_and(|known| known.contains(&finding.fingerprint))
    }

    fn decide(&mut self, seen: Seen, finding: &Finding) {
        if let Some(rule) = seen.rule {
            self.rules.count(rule, finding, self.keep);
        }
        self.excluded(seen).add(seen);
        if !finding.is_final() {
            self.living.insert(finding.id, seen);
        }
    }

    fn revoke(&mut self, seen: Seen, id: u64) {
        if let Some(rule) = seen.rule {
            self.rules.uncount(rule, id);
        }
        self.excluded(seen).remove(seen);
    }

    fn excluded(&mut self, seen: Seen) -> &mut Excluded {
        if seen.rule.is_some() {
            &mut self.suppressed
        } else {
            &mut self.known
        }
    }
}

impl Excluded {
    fn count(&self, verdict: Verdict) -> u64 {
        self.findings.get(&verdict).copied().unwrap_or_default()
    }

    fn add(&mut self, seen: Seen) {
        *self.findings.entry(seen.verdict).or_default() += 1;
        self.left = self.left.saturating_add(seen.left);
    }

    fn remove(&mut self, seen: Seen) {
        let count = self.findings.entry(seen.verdict).or_default();
        *count = count.saturating_sub(1);
        self.left = self.left.saturating_sub(seen.left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;

    /// Identity, state, verdict and count; then what becomes of it.
    type Step = (u64, State, Verdict, u64, Decision);

    fn suppressed(mut suppressor: Suppressor, steps: &[Step]) -> Suppressor {
        for (id, state, verdict, open_count, decision) in steps.iter().copied() {
            let finding = Finding {
                id,
                fingerprint: id,
                state,
                ..testing::finding(verdict, open_count)
            };
            assert_eq!(
                suppressor.take(&finding),
                decision,
                "{id} {state:?} {verdict:?}"
            );
        }
        suppressor
    }

    fn rules(text: &str) -> Rules {
        Rules::parse("test", text).expect("good rules")
    }

    /// Leaks and descriptors left that are not suppressed, of 10 and 100.
    fn remaining(suppressor: &Suppressor) -> (u64, u64) {
        let mut summary = summary();
        suppressor.apply(&mut summary);
        (summary.found(Verdict::Leak), summary.left)
    }

    #[test]
    fn without_rules_everything_counts() {
        use Decision::Counts;
        use State::{Opened, Resolved, Updated};
        use Verdict::{Aged, Leak, Left};
        let steps = [
            (1, Opened, Aged, 2, Counts),
            (1, Updated, Leak, 4, Counts),
            (1, Resolved, Leak, 0, Counts),
            (2, Opened, Left, 5, Counts),
        ];
        let suppressor = suppressed(Suppressor::default(), &steps);
        assert_eq!(remaining(&suppressor), (10, 100));
        assert!(suppressor.living.is_empty());
    }

    #[test]
    fn suppressed_findings_are_not_shown_and_reach_no_gate() {
        use Decision::{Counts, Suppressed};
        use State::{Opened, Resolved, Updated};
        use Verdict::{Aged, Leak, Left};
        let steps = [
            // Shown as aged, suppressed as a leak: its end is told, for its beginning was.
            (1, Opened, Aged, 2, Counts),
            (1, Updated, Leak, 4, Suppressed),
            (1, Updated, Leak, 6, Suppressed),
            (1, Resolved, Leak, 0, Counts),
            (2, Opened, Leak, 4, Suppressed),
            (2, Resolved, Leak, 0, Suppressed),
            (3, Opened, Left, 5, Suppressed),
            (4, Opened, Left, 7, Suppressed),
        ];
        let suppressor = suppressed(Suppressor::new(rules("leak\nleft"), true), &steps);
        assert_eq!(remaining(&suppressor), (8, 88));
        let counts: Vec<_> = suppressor.rules.told().map(|it| it.count).collect();
        assert_eq!(counts, [2, 2]);
        assert!(suppressor.living.is_empty());
    }

    #[test]
    fn a_finding_that_is_no_longer_suppressed_is_shown() {
        use Decision::{Counts, Suppressed};
        use State::{Opened, Resolved, Updated};
        use Verdict::{Aged, Leak};
        let steps = [
            (1, Opened, Aged, 2, Suppressed),
            (1, Updated, Leak, 4, Counts),
            (1, Resolved, Leak, 0, Counts),
        ];
        let suppressor = suppressed(Suppressor::new(rules("aged"), true), &steps);
        assert_eq!(remaining(&suppressor), (10, 100));
        let counts: Vec<_> = suppressor.rules.told().map(|it| it.count).collect();
        assert_eq!(counts, [0]);
    }

    #[test]
    fn known_findings_are_shown_and_reach_no_gate() {
        use Decision::{Counts, Known};
        use State::{Opened, Updated};
        use Verdict::{Aged, Leak, Left};
        let steps = [
            (1, Opened, Aged, 2, Known),
            (1, Updated, Leak, 4, Known),
            (2, Opened, Leak, 4, Counts),
            (3, Opened, Left, 5, Known),
        ];
        let suppressor = Suppressor::default().with_baseline(Some(HashSet::from([1, 3])));
        let suppressor = suppressed(suppressor, &steps);
        let mut summary = summary();
        suppressor.apply(&mut summary);
        assert_eq!((summary.known, summary.left), (Some(2), 100));
    }

    fn summary() -> Summary {
        Summary {
            findings: vec![(Verdict::Leak, 10), (Verdict::Left, 2)],
            left: 100,
            ..Summary::default()
        }
    }

    #[test]
    fn a_summary_is_without_what_was_suppressed() {
        let steps = [(3, State::Opened, Verdict::Left, 5, Decision::Suppressed)];
        let suppressor = suppressed(Suppressor::new(rules("left"), false), &steps);
        let mut summary = summary();
        suppressor.apply(&mut summary);
        assert_eq!(summary.findings, [(Verdict::Leak, 10), (Verdict::Left, 1)]);
        assert_eq!(
            (summary.left, summary.suppressed(), summary.known),
            (95, 1, None)
        );
    }
}
