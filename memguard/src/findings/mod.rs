//! The life of findings: opened, updated where it matters, resolved.
//!
//! Pure. One finding a group while its process lives, by [`GroupId`]; what a process left at its
//! exit is reported once and has no life.

pub mod fingerprint;
pub mod gate;
mod life;
mod plateau;
pub mod scoring;
pub mod selection;
pub mod suggestions;
pub mod suppression;
mod throttle;

use hashbrown::HashMap;

pub use self::throttle::ReportThrottle;
use self::{
    life::{Open, is_material, weigh},
    plateau::PlateauTracker,
    throttle::Alerts,
};
use crate::{
    ledger::population::GroupId,
    model::{
        finding::{Finding, Resolution, State, Verdict},
        ids::{ProcessId, Stamp},
        origin::StackId,
        resource::{Call, Kind},
    },
};

/// All open findings.
#[derive(Debug)]
pub struct Findings {
    throttle: ReportThrottle,
    alerts: Alerts,
    /// By process, so that its end need not look at those of others.
    open: HashMap<ProcessId, HashMap<GroupId, Open>>,
    last_id: u64,
    opened: HashMap<Verdict, u64>,
}

impl Findings {
    /// None yet.
    pub fn new(throttle: ReportThrottle) -> Self {
        Self {
            throttle,
            alerts: Alerts::new(throttle.alert),
            open: HashMap::new(),
            last_id: 0,
            opened: HashMap::new(),
        }
    }

    /// A number for a finding; unique in this run.
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Takes a judgement of a living group, and weighs it. Returns it, with identity and state,
    /// where it is to be reported: the first time, with another verdict, graver than before, or
    /// changed by a tenth since it was told last, which was a while ago.
    pub fn judged(&mut self, group: GroupId, mut finding: Finding, now: Stamp) -> Option<Finding> {
        let open = self.open.get_mut(&group.process);
        let Some(open) = open.and_then(|open| open.get_mut(&group)) else {
            return Some(self.opened(group, finding, now));
        };
        finding.id = open.id;
        finding.first_seen = open.first_seen;
        finding.state = State::Updated;
        finding.without_stack = open.without_stack;
        finding.open_count = finding.open_count.saturating_add(open.without_stack);
        open.settle(&mut finding, self.throttle.update, now);
        weigh(&mut finding);
        let due = now.since(open.reported) >= self.throttle.update;
        if !is_material(&open.last, &finding, due) {
            open.remember(finding, now);
            return None;
        }
        finding.alert = self.alerts.is_news(&finding, now);
        let before = open.told(&finding, now);
        // One finding counts once, with what it came to.
        *self.opened.entry(before).or_default() -= 1;
        *self.opened.entry(finding.verdict).or_default() += 1;
        Some(finding)
    }

    fn opened(&mut self, group: GroupId, finding: Finding, now: Stamp) -> Finding {
        let finding = self.begun(finding, now);
        let open = Open {
            id: finding.id,
            first_seen: now,
            plateau: PlateauTracker::of(&finding, now),
            founders: None,
            without_stack: 0,
            last: finding.clone(),
            untold: None,
            reported: now,
        };
        let of_process = self.open.entry(group.process).or_default();
        of_process.insert(group, open);
        finding
    }

    fn begun(&mut self, mut finding: Finding, now: Stamp) -> Finding {
        finding.id = self.next_id();
        finding.first_seen = now;
        finding.state = State::Opened;
        weigh(&mut finding);
        finding.alert = self.alerts.is_news(&finding, now);
        *self.opened.entry(finding.verdict).or_default() += 1;
        finding
    }

    /// What is reported of a group has been filled in meanwhile.
    pub fn completed(&mut self, group: GroupId, finding: &Finding) {
        let open = self.open.get_mut(&group.process);
        if let Some(open) = open.and_then(|open| open.get_mut(&group)) {
            open.last.samples.clone_from(&finding.samples);
            open.last.suggestion.clone_from(&finding.suggestion);
            open.last.hoarded = finding.hoarded;
        }
    }

    /// What a process left at its exit: reported once.
    pub fn left(&mut self, finding: Finding, now: Stamp) -> Finding {
        self.begun(finding, now)
    }

    /// Whether a finding of the group is open.
    pub fn is_open(&self, group: GroupId) -> bool {
        let open = self.open.get(&group.process);
        open.is_some_and(|open| open.contains_key(&group))
    }

    /// The sites of this kind that are told of a process, and by which calls.
    pub fn sites(&self, process: ProcessId, kind: Kind) -> Vec<(GroupId, Vec<Call>)> {
        let open = self.open.get(&process).into_iter().flatten();
        let sites = open.filter(|(group, _)| group.kind == kind && group.stack.is_some());
        sites
            .map(|(group, open)| (*group, open.last.calls.clone()))
            .collect()
    }

    /// So many more are likely of a site: no stack says so.
    pub fn without_stack(&mut self, group: GroupId, count: u64) {
        let open = self.open.get_mut(&group.process);
        if let Some(open) = open.and_then(|open| open.get_mut(&group)) {
            open.without_stack = count;
        }
    }

    /// Whether handles of this kind and origin are told to leak, whatever they are of.
    pub fn leaks(&self, process: ProcessId, kind: Kind, stack: Option<StackId>) -> bool {
        let same = |group: &GroupId| (group.kind, group.stack) == (kind, stack);
        let mut open = self.open.get(&process).into_iter().flatten();
        open.any(|(group, open)| same(group) && open.last.verdict == Verdict::Leak)
    }

    /// Bytes of memory that grow in step with what is told of a process: the most of one finding.
    pub fn in_step(&self, process: ProcessId) -> u64 {
        let open = self.open.get(&process).into_iter().flatten();
        let in_step = open.filter_map(|(_, open)| open.last.in_step);
        in_step.map(|it| it.bytes).max().unwrap_or(0)
    }

    /// The finding of a group is over, where it has one.
    pub fn close(&mut self, group: GroupId, why: Resolution, now: Stamp) -> Option<Finding> {
        let of_process = self.open.get_mut(&group.process)?;
        let open = of_process.remove(&group)?;
        if of_process.is_empty() {
            self.open.remove(&group.process);
        }
        Some(self.ended(open, why, now))
    }

    /// What is withdrawn, or was a suspicion that has gone, was no finding and is not counted.
    fn ended(&mut self, open: Open, why: Resolution, now: Stamp) -> Finding {
        let over = open.end(why, now);
        let gone =
            over.resolution == Some(Resolution::Withdrawn) || over.verdict == Verdict::Suspect;
        if gone && !over.verdict.outlives(over.resolution) {
            let count = self.opened.entry(over.verdict).or_default();
            *count = count.saturating_sub(1);
        }
        over
    }

    /// It was judged by these handles.
    pub fn found(&mut self, group: GroupId, held: &[Stamp]) {
        let open = self.open.get_mut(&group.process);
        if let Some(open) = open.and_then(|open| open.get_mut(&group)) {
            open.found(held);
        }
    }

    /// Whether the handles that a finding was told for have gone, by those that are held still.
    pub fn has_lost_its_founders(&self, group: GroupId, held: &[Stamp]) -> bool {
        let open = self.open.get(&group.process);
        let open = open.and_then(|open| open.get(&group));
        open.is_some_and(|open| open.has_lost_its_founders(held))
    }

    /// All findings of a process are over, the oldest first.
    pub fn close_process(
        &mut self,
        process: ProcessId,
        why: Resolution,
        now: Stamp,
    ) -> Vec<Finding> {
        let gone = self.open.remove(&process).unwrap_or_default();
        self.all_ended(gone.into_values(), why, now)
    }

    /// The findings of these groups are over, the oldest first. Looks at all of them: once in an
    /// interval, not for each group.
    pub fn close_where(
        &mut self,
        over: impl Fn(GroupId) -> bool,
        why: Resolution,
        now: Stamp,
    ) -> Vec<Finding> {
        let mut gone = Vec::new();
        self.open.retain(|_, open| {
            let these = open.extract_if(|group, _| over(*group));
            gone.extend(these.map(|(_, open)| open));
            !open.is_empty()
        });
        self.all_ended(gone, why, now)
    }

    fn all_ended(
        &mut self,
        gone: impl IntoIterator<Item = Open>,
        why: Resolution,
        now: Stamp,
    ) -> Vec<Finding> {
        let mut gone: Vec<_> = gone.into_iter().collect();
        gone.sort_unstable_by_key(|open| open.id);
        let gone = gone.into_iter();
        gone.map(|open| self.ended(open, why, now)).collect()
    }

    /// How many findings of a process are open.
    pub fn open_of(&self, process: ProcessId) -> usize {
        self.open.get(&process).map_or(0, HashMap::len)
    }

    /// Those that are open, as they were told last.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        let open = self.open.values().flat_map(HashMap::values);
        open.map(|open| &open.last)
    }

    /// At the end: what changed since it was told last.
    pub fn last_words(&mut self) -> Vec<Finding> {
        let open = self.open.values_mut().flat_map(HashMap::values_mut);
        open.filter_map(|open| open.untold.take()).collect()
    }

    /// How many findings were opened with each verdict, or came to it.
    pub fn counts(&self) -> Vec<(Verdict, u64)> {
        let mut counts: Vec<_> = self.opened.iter().map(|(v, count)| (*v, *count)).collect();
        counts.sort_unstable();
        counts
    }

    /// How many were opened with this verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.opened.get(&verdict).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
