//! What a file of findings comes to: each finding as it was last, and how each run ended.
//!
//! Pure: reports come in, in the order of the file. Numbers of findings are unique in one run, so
//! a run begins where an agent says that it started; lines of several hosts may be mixed.

use std::collections::HashMap;

use crate::model::{
    finding::{Doubt, Finding, Resolution, State, Verdict},
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
    /// Why, where it was and the file says so.
    why: Option<Resolution>,
    run: usize,
}

impl Reviewed {
    /// Whether it is worth telling: what merely was held long and then released is not, nor what
    /// was withdrawn.
    pub fn counts(&self) -> bool {
        !self.resolved || self.finding.verdict.outlives(self.why)
    }

    /// It was no finding after all.
    pub fn is_withdrawn(&self) -> bool {
        self.why == Some(Resolution::Withdrawn)
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
    pub fn retain(&mut self, keep: impl FnMut(&Reviewed) -> bool) {
        self.findings.retain(keep);
    }

    /// Of each verdict, and of descriptors left at exits, what the runs' own summaries know of and
    /// the file has no lines of.
    pub fn untold(&self) -> (Vec<(Verdict, u64)>, u64) {
        let mut untold = Summary::default();
        for (number, run) in self.runs.iter().enumerate() {
            let (told, counted) = (run.summary.as_ref(), self.counted(number));
            for verdict in Verdict::ALL {
                let all = told.map_or(0, |it| it.found(verdict));
                put(
                    &mut untold,
                    verdict,
                    all.saturating_sub(counted.of(verdict)),
                );
            }
            let left = told.map_or(0, |it| it.left).saturating_sub(counted.left);
            untold.left = untold.left.saturating_add(left);
        }
        (untold.findings, untold.left)
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
        let (resolved, why) = (finding.state == State::Resolved, finding.resolution);
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
                why,
                run,
            });
        };
        (known.resolved, known.why) = (resolved, why);
        if !resolved || known.finding.verdict != finding.verdict {
            finding.id = known.finding.id;
            finding.state = State::Opened;
            known.finding = finding;
        }
    }

    fn counted(&self, run: usize) -> Counted {
        let mut counted = Counted::default();
        let of_run = self.findings.iter().filter(|it| it.run == run);
        for Reviewed { finding, .. } in of_run.filter(|it| !it.is_withdrawn()) {
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

impl Counted {
    fn of(&self, verdict: Verdict) -> u64 {
        self.findings.get(&verdict).copied().unwrap_or_default()
    }
}

fn add(sum: &mut Summary, summary: Option<&Summary>, counted: &Counted) {
    for verdict in Verdict::ALL {
        let here = counted.of(verdict);
        let told = summary.map_or(0, |it| it.found(verdict));
        put(sum, verdict, here.max(told));
    }
    let left = summary.map_or(0, |it| it.left).max(counted.left);
    sum.left = sum.left.saturating_add(left);
    let Some(it) = summary else {
        return sum.evidence.add(&Doubt::NoEnd);
    };
    sum.observed = sum.observed.saturating_add(it.observed);
    sum.processes_judged = sum.processes_judged.saturating_add(it.processes_judged);
    sum.processes_running = sum.processes_running.saturating_add(it.processes_running);
    if let Some(untold) = it.left_untold {
        let before = sum.left_untold.unwrap_or_default();
        sum.left_untold = Some(before.saturating_add(untold));
    }
    let lost = sum.evidence.events_lost;
    sum.evidence.events_lost = lost.saturating_add(it.evidence.events_lost);
    for reason in &it.evidence.reasons {
        sum.evidence.add(reason);
    }
}

fn put(sum: &mut Summary, verdict: Verdict, more: u64) {
    let mut named = sum.findings.iter_mut();
    match named.find(|(found, _)| *found == verdict) {
        Some((_, count)) => *count = count.saturating_add(more),
        None => sum.findings.push((verdict, more)),
    }
}

#[cfg(test)]
mod tests;
