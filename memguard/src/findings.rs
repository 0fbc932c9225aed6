//! The life of findings: opened, updated where it matters, resolved.
//!
//! Pure. One finding a group while its process lives, by [`GroupId`]; what a process left at its
//! exit is reported once and has no life.

use std::time::Duration;

use hashbrown::HashMap;

use crate::{
    ledger::population::GroupId,
    model::{
        finding::{Finding, State, Verdict},
        ids::Stamp,
    },
};

/// Least time between two updates of a finding whose count creeps, in judgements: a minute by
/// default.
const CREEP: u32 = 12;

#[derive(Debug)]
struct Open {
    id: u64,
    first_seen: Stamp,
    /// As it was told last.
    last: Finding,
    /// As it was judged since, where that was not worth telling yet.
    untold: Option<Finding>,
    reported: Stamp,
}

/// All open findings.
#[derive(Debug)]
pub struct Findings {
    creep: Duration,
    open: HashMap<GroupId, Open>,
    last_id: u64,
    opened: HashMap<Verdict, u64>,
}

impl Findings {
    /// None yet; `interval` is the time between two judgements.
    pub fn new(interval: Duration) -> Self {
        let (open, opened) = (HashMap::new(), HashMap::new());
        Self {
            creep: interval * CREEP,
            open,
            last_id: 0,
            opened,
        }
    }

    /// A number for a finding; unique in this run.
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Takes a judgement of a living group. Returns it, with identity and state, where it is to be
    /// reported: the first time, with another verdict, half as many again as told last, or changed
    /// at all after a while.
    pub fn judged(&mut self, group: GroupId, mut finding: Finding, now: Stamp) -> Option<Finding> {
        let Some(open) = self.open.get_mut(&group) else {
            return Some(self.opened(group, finding, now));
        };
        finding.id = open.id;
        finding.first_seen = open.first_seen;
        finding.state = State::Updated;
        if open.last.verdict == Verdict::Leak && finding.verdict == Verdict::Aged {
            // What piled up does not become harmless by piling up no further.
            finding.verdict = Verdict::Leak;
            finding.severity = open.last.severity;
            finding.confidence = open.last.confidence;
            finding.suggestion.clone_from(&open.last.suggestion);
        }
        let told = is_material(&open.last, &finding, now.since(open.reported) >= self.creep);
        if !told {
            open.untold = (size(&finding) != size(&open.last)).then_some(finding);
            return None;
        }
        open.untold = None;
        let before = open.last.verdict;
        let graver = finding.verdict != before;
        open.last = finding.clone();
        open.reported = now;
        if graver {
            // One finding counts once, with what it came to.
            *self.opened.entry(before).or_default() -= 1;
            *self.opened.entry(finding.verdict).or_default() += 1;
        }
        Some(finding)
    }

    fn opened(&mut self, group: GroupId, mut finding: Finding, now: Stamp) -> Finding {
        finding.id = self.next_id();
        finding.first_seen = now;
        finding.state = State::Opened;
        *self.opened.entry(finding.verdict).or_default() += 1;
        let last = finding.clone();
        self.open.insert(
            group,
            Open {
                id: finding.id,
                first_seen: now,
                last,
                untold: None,
                reported: now,
            },
        );
        finding
    }

    /// What a process left at its exit: reported once.
    pub fn left(&mut self, mut finding: Finding, now: Stamp) -> Finding {
        finding.id = self.next_id();
        finding.first_seen = now;
        finding.state = State::Opened;
        *self.opened.entry(finding.verdict).or_default() += 1;
        finding
    }

    /// These groups have no suspects any more, or their process has ended: their findings, where
    /// they had any, are resolved.
    pub fn cleared_where(
        &mut self,
        mut cleared: impl FnMut(GroupId) -> bool,
        now: Stamp,
    ) -> Vec<Finding> {
        let gone = self.open.extract_if(|group, _| cleared(*group));
        gone.map(|(_, open)| resolved(open.last, now)).collect()
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

fn resolved(last: Finding, now: Stamp) -> Finding {
    Finding {
        state: State::Resolved,
        last_seen: now,
        open_count: 0,
        samples: Vec::new(),
        ..last
    }
}

/// What it is measured by: bytes where it has any, handles else.
fn size(finding: &Finding) -> u64 {
    finding.open_bytes.unwrap_or(finding.open_count)
}

fn is_material(told: &Finding, now: &Finding, due: bool) -> bool {
    let grown = size(now).saturating_mul(2) >= size(told).saturating_mul(3);
    let changed = size(now) != size(told);
    told.verdict != now.verdict || (changed && (grown || due))
}

/// The same for the same leak in other runs and on other hosts: FNV-1a over the parts, each ended
/// by a zero byte. <http://www.isthe.com/chongo/tech/comp/fnv/>
pub fn fingerprint(parts: impl IntoIterator<Item = impl AsRef<str>>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for part in parts {
        for byte in part.as_ref().bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::model::{ids::ProcessId, resource::Kind, testing::finding};

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

    #[test]
    fn a_finding_is_told_when_it_matters() {
        let mut findings = Findings::new(Duration::from_secs(5));
        for (at, verdict, count, told) in [
            (0, Verdict::Aged, 10, Some(State::Opened)),
            (1, Verdict::Aged, 11, None),
            (2, Verdict::Aged, 15, Some(State::Updated)),
            (3, Verdict::Leak, 15, Some(State::Updated)),
            (40, Verdict::Leak, 16, None),
            (64, Verdict::Leak, 17, Some(State::Updated)),
            (300, Verdict::Leak, 17, None),
            (301, Verdict::Aged, 17, None),
        ] {
            let judged = findings.judged(GROUP, finding(verdict, count), second(at));
            assert_eq!(judged.map(|finding| finding.state), told, "at {at} s");
        }
        assert_eq!(findings.counts(), [("aged", 0), ("leak", 1)]);
        assert!(findings.last_words().is_empty(), "the last count was told");
        let judged = findings.judged(GROUP, finding(Verdict::Leak, 18), second(302));
        assert!(judged.is_some(), "a minute has passed");
        let judged = findings.judged(GROUP, finding(Verdict::Leak, 19), second(303));
        assert!(judged.is_none());
        assert_eq!(findings.last_words().len(), 1);
        let resolved = findings.cleared_where(|group| group == GROUP, second(400));
        assert_eq!(resolved.len(), 1);
        assert_eq!((resolved[0].state, resolved[0].id), (State::Resolved, 1));
        assert!(findings.open.is_empty());
    }

    #[test]
    fn memory_that_grows_is_told_by_its_bytes() {
        let mut findings = Findings::new(Duration::from_secs(5));
        let grown = |bytes| Finding {
            open_bytes: Some(bytes),
            ..finding(Verdict::Growth, 0)
        };
        for (at, bytes, told) in [(0, 100, true), (5, 120, false), (10, 150, true)] {
            let judged = findings.judged(GROUP, grown(bytes), second(at));
            assert_eq!(judged.is_some(), told, "{bytes} bytes");
        }
    }

    #[test]
    fn fingerprints_depend_on_where_parts_end() {
        assert_eq!(fingerprint(["a", "b"]), fingerprint(["a", "b"]));
        assert_ne!(fingerprint(["ab", ""]), fingerprint(["a", "b"]));
    }
}
