//! What a file of findings comes to: each finding as it was last, and how each run ended.
//!
//! Pure: reports come in, in the order of the file. Numbers of findings are unique in one run, so
//! a run begins where an agent says that it started; lines of several hosts may be mixed.

use std::collections::HashMap;

use crate::model::{
    finding::{Evidence, Finding, State, Verdict},
    report::{Report, Summary},
};

/// Everything in a file, or in several that were joined.
#[derive(Debug, Default)]
pub struct Review {
    runs: Vec<Run>,
    /// The last run of each host.
    current: HashMap<String, usize>,
    findings: Vec<Reviewed>,
    /// Where in the list a finding of a run is.
    places: HashMap<(usize, u64), usize>,
}

/// One run of memguard.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Host.
    pub host: String,
    /// Version of memguard.
    pub version: String,
    /// When it began, as far as the file tells.
    pub time: String,
    /// What was watched; `None` where the file does not have its beginning.
    pub scope: Option<String>,
    /// How it ended; `None` where the file does not have that.
    pub summary: Option<Summary>,
}

/// A finding as it was last.
#[derive(Clone, Debug)]
pub struct Reviewed {
    /// With a number that is unique in the review. What was resolved is as it was before: what
    /// leaked stays a fact after the handles are gone.
    pub finding: Finding,
    /// It was resolved.
    pub resolved: bool,
    run: usize,
}

impl Reviewed {
    /// Whether it is worth telling: what merely was held long and then released is not.
    pub fn counts(&self) -> bool {
        match self.finding.verdict {
            Verdict::Aged | Verdict::Cleared => !self.resolved,
            _ => true,
        }
    }
}

impl Review {
    /// Takes the next report; `origin` says where it is from.
    pub fn take(&mut self, origin: Run, report: Option<Report>) {
        let begins = matches!(report, Some(Report::Started(_)));
        let at = self.run_of(origin, begins);
        match report {
            Some(Report::Finding(finding)) => self.finding(*finding, at),
            Some(Report::Started(started)) => {
                self.change(at, |run| run.scope = Some(started.scope));
            }
            Some(Report::RunSummary(summary) | Report::Stopped(summary)) => {
                self.change(at, |run| run.summary = Some(*summary));
            }
            _ => {}
        }
    }

    /// The runs, in the order of the file.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The findings, in the order in which they were opened.
    pub fn findings(&self) -> &[Reviewed] {
        &self.findings
    }

    /// Only findings that `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(&Finding) -> bool) {
        self.findings.retain(|it| keep(&it.finding));
    }

    /// How it all ended, runs together. Where the file has lost lines, a run's own summary knows
    /// of more findings than there are.
    pub fn summary(&self) -> Summary {
        let mut sum = Summary::default();
        for (number, run) in self.runs.iter().enumerate() {
            let counted = self.counted(number);
            add(&mut sum, run.summary.as_ref(), &counted);
        }
        sum
    }

    /// The run that a line is of: the last one of its host.
    fn run_of(&mut self, origin: Run, begins: bool) -> usize {
        let known = self.current.get(&origin.host).filter(|_| !begins);
        if let Some(known) = known {
            return *known;
        }
        let at = self.runs.len();
        self.current.insert(origin.host.clone(), at);
        self.runs.push(origin);
        at
    }

    fn change(&mut self, run: usize, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.runs.get_mut(run) {
            change(run);
        }
    }

    fn finding(&mut self, mut finding: Finding, run: usize) {
        let key = (run, finding.id);
        let resolved = finding.state == State::Resolved;
        let Some(known) = self
            .places
            .get(&key)
            .and_then(|at| self.findings.get_mut(*at))
        else {
            let at = self.findings.len();
            self.places.insert(key, at);
            finding.id = at as u64;
            finding.state = State::Opened;
            return self.findings.push(Reviewed {
                finding,
                resolved,
                run,
            });
        };
        known.resolved = resolved;
        if !resolved || known.finding.verdict != finding.verdict {
            finding.id = known.finding.id;
            finding.state = State::Opened;
            known.finding = finding;
        }
    }

    fn counted(&self, run: usize) -> Counted {
        let mut counted = Counted::default();
        for Reviewed { finding, .. } in self.findings.iter().filter(|it| it.run == run) {
            *counted.findings.entry(finding.verdict).or_default() += 1;
            counted.left = counted.left.saturating_add(finding.left_descriptors());
        }
        counted
    }
}

/// Findings that a run has in the file.
#[derive(Debug, Default)]
struct Counted {
    findings: HashMap<Verdict, u64>,
    left: u64,
}

fn add(sum: &mut Summary, summary: Option<&Summary>, counted: &Counted) {
    for verdict in Verdict::ALL {
        let here = counted.findings.get(&verdict).copied().unwrap_or_default();
        let told = summary.map_or(0, |it| it.found(verdict));
        put(sum, verdict, here.max(told));
    }
    let left = summary.map_or(0, |it| it.left).max(counted.left);
    sum.left = sum.left.saturating_add(left);
    let Some(it) = summary else {
        let end = "the file has no end of a run: memguard still writes it, or was killed";
        return doubt(&mut sum.evidence, end);
    };
    sum.observed = sum.observed.saturating_add(it.observed);
    sum.processes_judged = sum.processes_judged.saturating_add(it.processes_judged);
    sum.processes_running = sum.processes_running.saturating_add(it.processes_running);
    let lost = sum.evidence.events_lost;
    sum.evidence.events_lost = lost.saturating_add(it.evidence.events_lost);
    for reason in &it.evidence.reasons {
        doubt(&mut sum.evidence, reason);
    }
}

fn put(sum: &mut Summary, verdict: Verdict, more: u64) {
    let mut named = sum.findings.iter_mut();
    match named.find(|(name, _)| *name == verdict.name()) {
        Some((_, count)) => *count = count.saturating_add(more),
        None => sum.findings.push((verdict.name(), more)),
    }
}

/// Adds a reason, once.
fn doubt(evidence: &mut Evidence, reason: &str) {
    if !evidence.reasons.iter().any(|known| known == reason) {
        evidence.reasons.push(reason.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{report::Started, testing};

    fn started(scope: &str) -> Report {
        Report::Started(Started {
            stamp: crate::model::ids::Stamp(0),
            scope: scope.to_owned(),
            attached: Vec::new(),
            missing: Vec::new(),
            kernel_bytes: 0,
        })
    }

    fn ended(leaks: u64) -> Report {
        Report::Stopped(Box::new(Summary {
            findings: vec![("leak", leaks)],
            ..Summary::default()
        }))
    }

    fn told(id: u64, state: State, verdict: Verdict, open_count: u64) -> Report {
        Report::Finding(Box::new(Finding {
            id,
            state,
            ..testing::finding(verdict, open_count)
        }))
    }

    fn review(reports: Vec<Report>) -> Review {
        let mut review = Review::default();
        for report in reports {
            let host = "a".to_owned();
            review.take(
                Run {
                    host,
                    ..Run::default()
                },
                Some(report),
            );
        }
        review
    }

    /// Verdict, count, whether it is resolved and whether it counts.
    fn findings(review: &Review) -> Vec<(Verdict, u64, bool, bool)> {
        let told = |it: &Reviewed| {
            let Finding {
                verdict,
                open_count,
                ..
            } = it.finding;
            (verdict, open_count, it.resolved, it.counts())
        };
        review.findings().iter().map(told).collect()
    }

    #[test]
    fn the_last_state_counts() {
        use State::{Opened, Resolved, Updated};
        use Verdict::{Aged, Cleared, Leak, Left};
        for (reports, expected) in [
            (
                vec![told(1, Opened, Aged, 2), told(1, Updated, Leak, 4)],
                vec![(Leak, 4, false, true)],
            ),
            (
                vec![told(1, Opened, Leak, 4), told(1, Resolved, Leak, 0)],
                vec![(Leak, 4, true, true)],
            ),
            (
                vec![told(1, Opened, Aged, 4), told(1, Resolved, Aged, 0)],
                vec![(Aged, 4, true, false)],
            ),
            (
                vec![told(1, Opened, Leak, 4), told(1, Updated, Cleared, 4)],
                vec![(Cleared, 4, false, true)],
            ),
            (
                vec![told(1, Resolved, Leak, 0)],
                vec![(Leak, 0, true, true)],
            ),
            (
                vec![told(1, Opened, Left, 4), told(2, Opened, Left, 5)],
                vec![(Left, 4, false, true), (Left, 5, false, true)],
            ),
        ] {
            assert_eq!(findings(&review(reports)), expected);
        }
    }

    #[test]
    fn numbers_are_unique_in_one_run_only() {
        let leak = |count| told(1, State::Opened, Verdict::Leak, count);
        let review = review(vec![
            started("x"),
            leak(2),
            ended(1),
            started("y"),
            leak(3),
            ended(1),
        ]);
        assert_eq!(findings(&review).len(), 2);
        assert_eq!(review.runs().len(), 2);
        assert_eq!(review.summary().findings[0], ("leak", 2));
        assert!(review.summary().evidence.conclusive());
    }

    #[test]
    fn lines_of_several_hosts_may_be_mixed() {
        use State::{Opened, Updated};
        let mut review = Review::default();
        let lines = [
            ("a", started("x")),
            ("b", started("y")),
            ("a", told(1, Opened, Verdict::Aged, 2)),
            ("b", told(1, Opened, Verdict::Leak, 5)),
            ("a", told(1, Updated, Verdict::Leak, 4)),
            ("b", ended(1)),
            ("a", ended(1)),
        ];
        for (host, report) in lines {
            let host = host.to_owned();
            let origin = Run {
                host,
                ..Run::default()
            };
            review.take(origin, Some(report));
        }
        let expected = [
            (Verdict::Leak, 4, false, true),
            (Verdict::Leak, 5, false, true),
        ];
        assert_eq!(findings(&review), expected);
        let summary = review.summary();
        assert_eq!(summary.findings[0], ("leak", 2));
        assert!(summary.evidence.conclusive());
    }

    #[test]
    fn what_a_file_has_lost_is_in_its_summary() {
        let leak = told(1, State::Opened, Verdict::Leak, 2);
        let summary = review(vec![started("x"), leak.clone(), ended(3)]).summary();
        assert_eq!(summary.findings[0], ("leak", 3));
        let summary = review(vec![started("x"), leak]).summary();
        assert_eq!(summary.findings[0], ("leak", 1));
        assert!(!summary.evidence.conclusive());
    }
}
