//! Which findings are shown, and which reach a gate.
//!
//! Pure. A suppressed finding is neither; one that the baseline has too is shown, but reaches no
//! gate. Both are decided anew whenever a finding changes, and stay decided when it is resolved.

use std::collections::{HashMap, HashSet};

use crate::{
    model::{
        finding::{Finding, State, Verdict},
        report::Summary,
    },
    suppress::Rules,
};

/// Suppressions, baseline, and what they did so far.
#[derive(Debug, Default)]
pub struct Screen {
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

/// Findings that do not count.
#[derive(Debug, Default)]
struct Excluded {
    findings: HashMap<Verdict, u64>,
    left: u64,
}

impl Screen {
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

    /// Takes a finding as it is told; says whether it is to be shown.
    pub fn take(&mut self, finding: &Finding) -> bool {
        let before = self.living.remove(&finding.id);
        if finding.state == State::Resolved {
            return before.is_none_or(|seen| seen.shown);
        }
        if let Some(seen) = before {
            self.revoke(seen, finding.id);
        }
        let rule = self.rules.matching(finding);
        if rule.is_none() && !self.is_known(finding) {
            return true;
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
        rule.is_none()
    }

    /// How many of so many findings of a verdict reach a gate.
    pub fn reaching(&self, verdict: Verdict, all: u64) -> u64 {
        let Self {
            suppressed, known, ..
        } = self;
        all.saturating_sub(suppressed.count(verdict) + known.count(verdict))
    }

    /// How many of so many descriptors left at exit reach a gate.
    pub fn left_reaching(&self, all: u64) -> u64 {
        all.saturating_sub(self.suppressed.left.saturating_add(self.known.left))
    }

    /// Takes what was suppressed out of a summary, and says so there.
    pub fn apply(&self, summary: &mut Summary) {
        for (name, count) in &mut summary.findings {
            let verdict = Verdict::named(name);
            let suppressed = verdict.map_or(0, |verdict| self.suppressed.count(verdict));
            *count = count.saturating_sub(suppressed);
        }
        summary.left = summary.left.saturating_sub(self.suppressed.left);
        summary.suppressions = self.rules.uses().to_vec();
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

    /// Identity, state, verdict and count; then whether it is shown.
    type Step = (u64, State, Verdict, u64, bool);

    fn screened(mut screen: Screen, steps: &[Step]) -> Screen {
        for (id, state, verdict, open_count, shown) in steps.iter().copied() {
            let finding = Finding {
                id,
                fingerprint: id,
                state,
                ..testing::finding(verdict, open_count)
            };
            assert_eq!(screen.take(&finding), shown, "{id} {state:?} {verdict:?}");
        }
        screen
    }

    fn rules(text: &str) -> Rules {
        Rules::parse("test", text).expect("good rules")
    }

    /// Leaks and descriptors left that reach the gate, of 10 and 100.
    fn reaching(screen: &Screen) -> (u64, u64) {
        (
            screen.reaching(Verdict::Leak, 10),
            screen.left_reaching(100),
        )
    }

    #[test]
    fn without_rules_everything_counts() {
        use State::{Opened, Resolved, Updated};
        use Verdict::{Aged, Leak, Left};
        let steps = [
            (1, Opened, Aged, 2, true),
            (1, Updated, Leak, 4, true),
            (1, Resolved, Leak, 0, true),
            (2, Opened, Left, 5, true),
        ];
        let screen = screened(Screen::default(), &steps);
        assert_eq!(reaching(&screen), (10, 100));
        assert!(screen.living.is_empty());
    }

    #[test]
    fn suppressed_findings_are_not_shown_and_reach_no_gate() {
        use State::{Opened, Resolved, Updated};
        use Verdict::{Aged, Leak, Left};
        let steps = [
            // Shown as aged, suppressed as a leak: its end is told, for its beginning was.
            (1, Opened, Aged, 2, true),
            (1, Updated, Leak, 4, false),
            (1, Updated, Leak, 6, false),
            (1, Resolved, Leak, 0, true),
            (2, Opened, Leak, 4, false),
            (2, Resolved, Leak, 0, false),
            (3, Opened, Left, 5, false),
            (4, Opened, Left, 7, false),
        ];
        let screen = screened(Screen::new(rules("leak\nleft"), true), &steps);
        assert_eq!(reaching(&screen), (8, 88));
        let uses = screen.rules.uses();
        assert_eq!((uses[0].count, uses[1].count), (2, 2));
        assert!(screen.living.is_empty());
    }

    #[test]
    fn a_finding_that_is_no_longer_suppressed_is_shown() {
        use State::{Opened, Resolved, Updated};
        use Verdict::{Aged, Leak};
        let steps = [
            (1, Opened, Aged, 2, false),
            (1, Updated, Leak, 4, true),
            (1, Resolved, Leak, 0, true),
        ];
        let screen = screened(Screen::new(rules("aged"), true), &steps);
        assert_eq!(reaching(&screen), (10, 100));
        assert_eq!(screen.rules.uses()[0].count, 0);
    }

    #[test]
    fn known_findings_are_shown_and_reach_no_gate() {
        use State::{Opened, Updated};
        use Verdict::{Aged, Leak, Left};
        let steps = [
            (1, Opened, Aged, 2, true),
            (1, Updated, Leak, 4, true),
            (2, Opened, Leak, 4, true),
            (3, Opened, Left, 5, true),
        ];
        let screen = Screen::default().with_baseline(Some(HashSet::from([1, 3])));
        let screen = screened(screen, &steps);
        assert_eq!(reaching(&screen), (9, 95));
        let mut summary = summary();
        screen.apply(&mut summary);
        assert_eq!((summary.known, summary.left), (Some(2), 100));
    }

    fn summary() -> Summary {
        Summary {
            findings: vec![("leak", 10), ("left", 2)],
            left: 100,
            ..Summary::default()
        }
    }

    #[test]
    fn a_summary_is_without_what_was_suppressed() {
        let steps = [(3, State::Opened, Verdict::Left, 5, false)];
        let screen = screened(Screen::new(rules("left"), false), &steps);
        let mut summary = summary();
        screen.apply(&mut summary);
        assert_eq!(summary.findings, [("leak", 10), ("left", 1)]);
        assert_eq!(
            (summary.left, summary.suppressed(), summary.known),
            (95, 1, None)
        );
    }
}
