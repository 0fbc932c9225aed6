//! The life of findings: opened, updated where it matters, resolved.
//!
//! Pure. One finding a group while its process lives, by [`GroupId`]; what a process left at its
//! exit is reported once and has no life.

mod alerts;
pub mod fingerprint;
mod flat;
pub mod weight;

use std::time::Duration;

use hashbrown::HashMap;

use self::{alerts::Alerts, flat::Climb};
use crate::{
    ledger::population::GroupId,
    model::{
        finding::{Finding, Resolution, State, Verdict},
        ids::{ProcessId, Stamp},
        origin::StackId,
        resource::Kind,
    },
};

/// How often at most.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// A finding is updated, and nothing is called flat before it was for so long.
    pub update: Duration,
    /// A fingerprint is an alert, unless it is graver than before.
    pub alert: Duration,
}

impl Pace {
    /// Updates after twelve judgements, and alerts once an hour.
    pub fn at(interval: Duration) -> Self {
        Self {
            update: interval.saturating_mul(12),
            alert: Duration::from_hours(1),
        }
    }
}

#[derive(Debug)]
struct Open {
    id: u64,
    first_seen: Stamp,
    climb: Climb,
    /// As it was told last.
    last: Finding,
    /// As it was judged since, where that was not worth telling yet.
    untold: Option<Finding>,
    reported: Stamp,
}

/// All open findings.
#[derive(Debug)]
pub struct Findings {
    pace: Pace,
    alerts: Alerts,
    open: HashMap<GroupId, Open>,
    last_id: u64,
    opened: HashMap<Verdict, u64>,
}

impl Findings {
    /// None yet.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            alerts: Alerts::new(pace.alert),
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
        let Some(open) = self.open.get_mut(&group) else {
            return Some(self.opened(group, finding, now));
        };
        finding.id = open.id;
        finding.first_seen = open.first_seen;
        finding.state = State::Updated;
        open.settle(&mut finding, self.pace.update, now);
        weigh(&mut finding);
        let due = now.since(open.reported) >= self.pace.update;
        if !is_material(&open.last, &finding, due) {
            open.untold = (size(&finding) != size(&open.last)).then_some(finding);
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
            climb: Climb::of(&finding, now),
            last: finding.clone(),
            untold: None,
            reported: now,
        };
        self.open.insert(group, open);
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

    /// What a process left at its exit: reported once.
    pub fn left(&mut self, finding: Finding, now: Stamp) -> Finding {
        self.begun(finding, now)
    }

    /// Whether a finding of the group is open.
    pub fn is_open(&self, group: GroupId) -> bool {
        self.open.contains_key(&group)
    }

    /// Whether handles of this kind and origin are told to leak, whatever they are of.
    pub fn leaks(&self, process: ProcessId, kind: Kind, stack: Option<StackId>) -> bool {
        let same =
            |group: &GroupId| (group.process, group.kind, group.stack) == (process, kind, stack);
        let mut open = self.open.iter();
        open.any(|(group, open)| same(group) && open.last.verdict == Verdict::Leak)
    }

    /// The findings of these groups, where they have any, are over.
    pub fn over(
        &mut self,
        mut over: impl FnMut(GroupId) -> bool,
        why: Resolution,
        now: Stamp,
    ) -> Vec<Finding> {
        let gone = self.open.extract_if(|group, _| over(*group));
        gone.map(|(_, open)| resolved(open.last, why, now))
            .collect()
    }

    /// At the end: what changed since it was told last.
    pub fn last_words(&mut self) -> Vec<Finding> {
        self.open
            .values_mut()
            .filter_map(|open| open.untold.take())
            .collect()
    }

    /// How many findings were opened with each verdict, or came to it.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let mut counts: Vec<_> = self.opened.iter().map(|(v, count)| (*v, *count)).collect();
        counts.sort_unstable();
        counts
            .into_iter()
            .map(|(verdict, count)| (verdict.name(), count))
            .collect()
    }

    /// How many were opened with this verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.opened.get(&verdict).copied().unwrap_or(0)
    }
}

impl Open {
    /// What piled up does not become harmless by piling up no further, unless it stays flat for as
    /// long as it had climbed.
    fn settle(&mut self, finding: &mut Finding, quiet: Duration, now: Stamp) {
        self.climb.saw(finding, now);
        let before = self.last.verdict;
        let suspicious = matches!(before, Verdict::Leak | Verdict::Cleared);
        if finding.verdict != Verdict::Aged || !suspicious {
            return;
        }
        let flat = before == Verdict::Cleared || self.climb.is_over(quiet, now);
        if flat {
            finding.verdict = Verdict::Cleared;
            finding.suggestion = None;
        } else {
            finding.verdict = Verdict::Leak;
            finding.suggestion.clone_from(&self.last.suggestion);
        }
    }

    /// It is reported like this; returns the verdict that it had.
    fn told(&mut self, finding: &Finding, now: Stamp) -> Verdict {
        self.untold = None;
        self.reported = now;
        std::mem::replace(&mut self.last, finding.clone()).verdict
    }
}

fn weigh(finding: &mut Finding) {
    finding.confidence = weight::confidence(finding);
    finding.severity = weight::severity(finding);
}

fn resolved(last: Finding, why: Resolution, now: Stamp) -> Finding {
    Finding {
        state: State::Resolved,
        resolution: Some(why),
        alert: false,
        last_seen: now,
        open_count: 0,
        late_count: 0,
        samples: Vec::new(),
        ..last
    }
}

/// What it is measured by: bytes where it has any, handles else.
fn size(finding: &Finding) -> u64 {
    finding.open_bytes.unwrap_or(finding.open_count)
}

fn is_material(told: &Finding, now: &Finding, due: bool) -> bool {
    let (before, size) = (size(told), size(now));
    let changed = before.abs_diff(size).saturating_mul(10) >= before.max(1);
    told.verdict != now.verdict || told.severity < now.severity || (changed && due)
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::model::{finding::Growth, testing::finding};

    const GROUP: GroupId = GroupId {
        process: ProcessId {
            tgid: 7,
            start_ticks: 1,
        },
        kind: Kind::File,
        stack: None,
        topic: None,
    };

    fn second(second: u64) -> Stamp {
        Stamp(second * 1_000_000_000)
    }

    const PACE: Pace = Pace {
        update: Duration::from_mins(1),
        alert: Duration::from_hours(1),
    };

    #[test]
    fn a_finding_is_told_when_it_matters() {
        let mut findings = Findings::new(PACE);
        for (at, verdict, count, told) in [
            (0, Verdict::Aged, 10, Some(State::Opened)),
            (1, Verdict::Aged, 15, None),
            (3, Verdict::Leak, 15, Some(State::Updated)),
            (62, Verdict::Leak, 30, None),
            (63, Verdict::Leak, 31, Some(State::Updated)),
            (123, Verdict::Leak, 34, None),
            (124, Verdict::Leak, 35, Some(State::Updated)),
        ] {
            let judged = findings.judged(GROUP, finding(verdict, count), second(at));
            assert_eq!(judged.map(|finding| finding.state), told, "at {at} s");
        }
        assert_eq!(findings.counts(), [("aged", 0), ("leak", 1)]);
        assert!(findings.last_words().is_empty(), "the last count was told");
        let judged = findings.judged(GROUP, finding(Verdict::Leak, 40), second(130));
        assert!(judged.is_none());
        assert_eq!(findings.last_words().len(), 1);
        assert!(findings.leaks(GROUP.process, GROUP.kind, GROUP.stack));
        let over = findings.over(|group| group == GROUP, Resolution::Ended, second(400));
        let over: Vec<_> = over
            .iter()
            .map(|it| (it.state, it.id, it.resolution))
            .collect();
        assert_eq!(over, [(State::Resolved, 1, Some(Resolution::Ended))]);
        assert!(!findings.is_open(GROUP));
    }

    #[test]
    fn what_stays_flat_is_cleared_and_may_climb_again() {
        let mut findings = Findings::new(PACE);
        let climbing = |count| Finding {
            growth: Some(Growth {
                slope_per_second: 0.1,
                window: Duration::from_mins(3),
                trend: None,
            }),
            ..finding(Verdict::Leak, count)
        };
        let flat = |count| Finding {
            verdict: Verdict::Aged,
            ..climbing(count)
        };
        for (at, judged, told) in [
            (0, climbing(10), Some(Verdict::Leak)),
            (100, climbing(20), Some(Verdict::Leak)),
            (200, flat(20), None),
            (279, flat(20), None),
            (280, flat(20), Some(Verdict::Cleared)),
            (900, flat(20), None),
            (960, climbing(21), Some(Verdict::Leak)),
        ] {
            let judged = findings.judged(GROUP, judged, second(at));
            assert_eq!(judged.map(|finding| finding.verdict), told, "at {at} s");
        }
        assert_eq!(
            (
                findings.count(Verdict::Leak),
                findings.count(Verdict::Cleared)
            ),
            (1, 0)
        );
    }

    #[test]
    fn memory_that_grows_is_told_by_its_bytes() {
        let mut findings = Findings::new(PACE);
        let grown = |bytes| Finding {
            open_bytes: Some(bytes),
            ..finding(Verdict::Growth, 0)
        };
        for (at, bytes, told) in [(0, 100, true), (60, 109, false), (61, 110, true)] {
            let judged = findings.judged(GROUP, grown(bytes), second(at));
            assert_eq!(judged.is_some(), told, "{bytes} bytes");
        }
    }
}
