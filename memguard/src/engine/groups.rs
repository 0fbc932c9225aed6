//! What is known of each group over time: how many survivors it had, and the finding about it.

use hashbrown::HashMap;

use crate::{
    detect::History,
    findings::{Findings, ReportThrottle},
    ledger::population::GroupId,
    model::{
        finding::{Finding, Resolution, Verdict},
        ids::{ProcessId, Stamp},
    },
};

/// See the module.
#[derive(Debug)]
pub(super) struct Groups {
    findings: Findings,
    /// By process, so that its end need not look at those of others.
    counts: HashMap<ProcessId, HashMap<GroupId, History>>,
}

impl Groups {
    /// None yet.
    pub(super) fn new(pace: ReportThrottle) -> Self {
        Self {
            findings: Findings::new(pace),
            counts: HashMap::new(),
        }
    }

    /// Counts the survivors of a group, all that are held of it, and everything that they come
    /// from; see [`History::record`].
    pub(super) fn record(
        &mut self,
        group: GroupId,
        now: Stamp,
        [survivors, held]: [u64; 2],
        total: i64,
    ) -> &History {
        let counts = self.counts.entry(group.process).or_default();
        let counts = counts.entry(group).or_default();
        counts.count(held, total);
        if survivors > 0 {
            counts.record(now, survivors, total);
        } else {
            counts.forget_samples();
        }
        counts
    }

    /// A group is known by another name from now on, unless that has counts of its own.
    pub(super) fn rename(&mut self, from: GroupId, to: GroupId) {
        if let Some(counts) = self.counts.get_mut(&from.process)
            && !counts.contains_key(&to)
            && let Some(history) = counts.remove(&from)
        {
            counts.insert(to, history);
        }
    }

    /// Forgets how many there were.
    pub(super) fn forget_counts(&mut self, group: GroupId) {
        if let Some(counts) = self.counts.get_mut(&group.process) {
            counts.remove(&group);
        }
    }

    /// How many survivors a group had.
    pub(super) fn history(&self, group: GroupId) -> History {
        let counts = self.counts.get(&group.process);
        let counts = counts.and_then(|counts| counts.get(&group));
        counts.cloned().unwrap_or_default()
    }

    /// All findings.
    pub(super) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// As [`Findings::judged`].
    pub(super) fn judged(
        &mut self,
        group: GroupId,
        finding: Finding,
        now: Stamp,
    ) -> Option<Finding> {
        self.findings.judged(group, finding, now)
    }

    /// The finding of a group, where there is one, was judged by these handles.
    pub(super) fn found(&mut self, group: GroupId, held: &[Stamp]) {
        self.findings.found(group, held);
    }

    /// As [`Findings::has_lost_its_founders`].
    pub(super) fn has_lost_its_founders(&self, group: GroupId, held: &[Stamp]) -> bool {
        self.findings.has_lost_its_founders(group, held)
    }

    /// As [`Findings::without_stack`].
    pub(super) fn without_stack(&mut self, group: GroupId, count: u64) {
        self.findings.without_stack(group, count);
    }

    /// As [`Findings::completed`].
    pub(super) fn completed(&mut self, group: GroupId, finding: &Finding) {
        self.findings.completed(group, finding);
    }

    /// As [`Findings::left`].
    pub(super) fn left(&mut self, finding: Finding, now: Stamp) -> Finding {
        self.findings.left(finding, now)
    }

    /// As [`Findings::last_words`], in the order of their numbers.
    pub(super) fn last_words(&mut self) -> Vec<Finding> {
        sorted(self.findings.last_words())
    }

    /// The finding about a group, where there is one, is over.
    pub(super) fn resolve(
        &mut self,
        group: GroupId,
        why: Resolution,
        now: Stamp,
    ) -> Option<Finding> {
        self.findings.close(group, why, now)
    }

    /// Groups of which nothing is held any more: their findings are over.
    pub(super) fn vanished(
        &mut self,
        vanished: impl Fn(GroupId) -> bool,
        now: Stamp,
    ) -> Vec<Finding> {
        self.counts.retain(|_, counts| {
            counts.retain(|group, _| !vanished(*group));
            !counts.is_empty()
        });
        self.findings
            .close_where(vanished, Resolution::Released, now)
    }

    /// A process has ended: the findings about it are over.
    pub(super) fn process_ended(&mut self, process: ProcessId, now: Stamp) -> Vec<Finding> {
        self.findings.close_process(process, Resolution::Ended, now)
    }

    /// Nobody will ask how many there were.
    pub(super) fn forget_process(&mut self, process: ProcessId) {
        self.counts.remove(&process);
    }

    /// Whether the finding of a group is a leak by its kind and origin, whatever its handles are
    /// of.
    pub(super) fn leaks(&self, group: GroupId) -> bool {
        self.findings.leaks(group.process, group.kind, group.stack)
    }

    /// How many groups and findings of a process are known; for tests.
    pub(super) fn mentions(&self, process: ProcessId) -> usize {
        let counts = self.counts.get(&process).map_or(0, HashMap::len);
        counts + self.findings.open_of(process)
    }

    /// Findings that were opened with a verdict, or came to it.
    pub(super) fn count(&self, verdict: Verdict) -> u64 {
        self.findings.count(verdict)
    }
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_unstable_by_key(|finding| finding.id);
    findings
}
