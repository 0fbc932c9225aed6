//! What was found so far, merged over processes: the table at the end.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use crate::{
    model::{
        finding::{Finding, Resolution, State, Verdict},
        ids::ProcessId,
        resource::{Call, Kind},
    },
    output::words,
};

/// Findings that can still change; older ones are settled.
const RECENT: usize = 4_096;
/// Distinct sites that are told apart.
const SITES: usize = 4_096;
/// Longest label kept.
const LABEL: usize = 64;

/// Findings with equal label, kind, place and verdict. The calls tell where the place is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Site {
    pub(super) verdict: Verdict,
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) place: Option<String>,
    pub(super) calls: Vec<Call>,
}

/// How much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    /// Those of `count` that are likely of the site, of which no stack says so.
    pub(super) without_stack: u64,
    pub(super) processes: u64,
    /// The last of them: findings of one process come one after the other.
    last: ProcessId,
    /// One of the processes, as `api[4242]`.
    pub(super) who: String,
    pub(super) oldest: Option<Duration>,
    pub(super) bytes: Option<u64>,
}

/// All findings that count at the end, in bounded memory.
#[derive(Debug, Default)]
pub(super) struct Sites {
    recent: BTreeMap<u64, (Site, Tally)>,
    settled: HashMap<Site, Tally>,
}

impl Sites {
    /// Takes a finding; true where it was known with this verdict before.
    pub(super) fn record(&mut self, finding: &Finding) -> bool {
        let known = self.knows(finding);
        let resolved = finding.state == State::Resolved;
        match finding.verdict {
            verdict if resolved && !verdict.outlives(finding.resolution) => {
                self.forget(finding.id);
            }
            // What was withdrawn was none.
            _ if resolved && finding.resolution == Some(Resolution::Withdrawn) => {
                self.forget(finding.id);
            }
            // What leaked stays a fact after the handles are gone.
            _ if resolved && known => {}
            _ => self.put(finding),
        }
        known
    }

    /// Sites by weight: leaks first, then by number of handles.
    pub(super) fn ranked(&self) -> Vec<(Site, Tally)> {
        let mut sites = self.settled.clone();
        for (site, tally) in self.recent.values() {
            merge(&mut sites, site, tally.clone());
        }
        join_without_stack(&mut sites);
        let mut sites: Vec<_> = sites.into_iter().collect();
        sites.sort_by_cached_key(|(site, tally)| {
            (site.verdict.rank(), Reverse(tally.count), site.clone())
        });
        sites
    }

    fn knows(&self, finding: &Finding) -> bool {
        let known = self.recent.get(&finding.id);
        known.is_some_and(|(site, _)| site.verdict == finding.verdict)
    }

    fn forget(&mut self, id: u64) {
        self.recent.remove(&id);
    }

    fn put(&mut self, finding: &Finding) {
        self.recent
            .insert(finding.id, (Site::of(finding), Tally::of(finding)));
        if self.recent.len() > RECENT
            && let Some((_, (site, tally))) = self.recent.pop_first()
        {
            self.settle(site, tally);
        }
    }

    fn settle(&mut self, mut site: Site, tally: Tally) {
        if self.settled.len() >= SITES && !self.settled.contains_key(&site) {
            "(others)".clone_into(&mut site.label);
        }
        merge(&mut self.settled, &site, tally);
    }
}

impl Site {
    fn of(finding: &Finding) -> Self {
        Self {
            verdict: finding.verdict,
            label: finding.process.label().chars().take(LABEL).collect(),
            kind: finding.kind,
            place: finding.place().map(str::to_owned),
            calls: finding.calls.clone(),
        }
    }
}

impl Site {
    fn is_unknown(&self) -> bool {
        self.place.is_none() && !self.calls.is_empty()
    }

    /// Whether what has no place may be of this one.
    fn may_be_of(&self, unknown: &Self) -> bool {
        let same = (self.verdict, &self.label, self.kind)
            == (unknown.verdict, &unknown.label, unknown.kind);
        let makes = unknown.calls.iter().all(|call| self.calls.contains(call));
        self.place.is_some() && same && makes
    }
}

impl Tally {
    fn of(finding: &Finding) -> Self {
        Self {
            count: finding.open_count,
            without_stack: finding.without_stack,
            processes: 1,
            last: finding.process.id,
            who: words::who(&finding.process),
            oldest: finding.oldest_age,
            bytes: finding.open_bytes,
        }
    }
}

/// What one process has of no known place is told with the only site that other processes of the
/// program have of it.
fn join_without_stack(sites: &mut HashMap<Site, Tally>) {
    let unknown: Vec<_> = sites.keys().filter(|it| it.is_unknown()).cloned().collect();
    for unknown in unknown {
        let mut likely = sites.keys().filter(|site| site.may_be_of(&unknown));
        let first = likely.next().filter(|_| likely.next().is_none()).cloned();
        if let Some(site) = first
            && let Some(tally) = sites.remove(&unknown)
        {
            let without_stack = tally.count;
            let tally = Tally {
                without_stack,
                ..tally
            };
            merge(sites, &site, tally);
        }
    }
}

fn merge(sites: &mut HashMap<Site, Tally>, site: &Site, more: Tally) {
    let Some(tally) = sites.get_mut(site) else {
        sites.insert(site.clone(), more);
        return;
    };
    tally.count = tally.count.saturating_add(more.count);
    tally.without_stack = tally.without_stack.saturating_add(more.without_stack);
    let same = more.processes == 1 && more.last == tally.last;
    tally.processes += if same { 0 } else { more.processes };
    tally.last = more.last;
    tally.oldest = tally.oldest.max(more.oldest);
    tally.bytes = match (tally.bytes, more.bytes) {
        (Some(ours), Some(theirs)) => Some(ours.saturating_add(theirs)),
        (ours, theirs) => ours.or(theirs),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing;

    fn check(findings: &[(u64, State, Verdict, u64)], expected: &[(Verdict, u64, u64)]) {
        let mut sites = Sites::default();
        for (id, state, verdict, open_count) in findings.iter().copied() {
            sites.record(&Finding {
                id,
                state,
                verdict,
                open_count,
                ..testing::finding()
            });
        }
        let ranked: Vec<_> = sites
            .ranked()
            .iter()
            .map(|(site, tally)| (site.verdict, tally.count, tally.processes))
            .collect();
        assert_eq!(ranked, expected);
    }

    #[test]
    fn equal_sites_merge_and_leaks_come_first() {
        use State::Opened;
        use Verdict::{Aged, Leak, Left};
        check(
            &[
                (1, Opened, Left, 3),
                (2, Opened, Left, 4),
                (3, Opened, Leak, 2),
                (4, Opened, Aged, 9),
            ],
            &[(Leak, 2, 1), (Left, 7, 1), (Aged, 9, 1)],
        );
    }

    #[test]
    fn a_finding_counts_once_as_it_was_last() {
        use State::{Opened, Resolved, Updated};
        use Verdict::{Aged, Cleared, Leak, Left};
        check(
            &[(1, Opened, Leak, 3), (1, Updated, Leak, 8)],
            &[(Leak, 8, 1)],
        );
        check(
            &[(1, Opened, Leak, 3), (1, Resolved, Leak, 0)],
            &[(Leak, 3, 1)],
        );
        check(
            &[(1, Opened, Leak, 3), (1, Resolved, Left, 5)],
            &[(Left, 5, 1)],
        );
        check(
            &[(1, Opened, Left, 3), (1, Resolved, Left, 3)],
            &[(Left, 3, 1)],
        );
        check(
            &[(1, Opened, Leak, 3), (1, Updated, Cleared, 3)],
            &[(Cleared, 3, 1)],
        );
        check(&[(1, Updated, Cleared, 3), (1, Resolved, Cleared, 0)], &[]);
        check(&[(1, Opened, Aged, 3), (1, Resolved, Aged, 0)], &[]);
    }

    #[test]
    fn what_has_no_stack_joins_the_only_site_of_its_program() {
        let from = |id, place: Option<&str>, count| {
            let mut finding = Finding {
                id,
                open_count: count,
                ..testing::finding()
            };
            match (&mut finding.origin, place) {
                (Some(origin), Some(place)) => origin.place = Some(place.to_owned()),
                (origin, _) => *origin = None,
            }
            finding
        };
        let ranked = |findings: &[Finding]| {
            let mut sites = Sites::default();
            for finding in findings {
                sites.record(finding);
            }
            let ranked = sites.ranked().into_iter();
            let ranked = ranked.map(|(_, tally)| (tally.count, tally.without_stack));
            ranked.collect::<Vec<_>>()
        };
        let unknown = from(1, None, 32);
        let site = from(2, Some("leak_one (leak.c:8)"), 68);
        let other = from(3, Some("leak_two (leak.c:9)"), 5);
        assert_eq!(ranked(&[unknown.clone(), site.clone()]), [(100, 32)]);
        assert_eq!(ranked(&[unknown.clone(), site, other]).len(), 3);
        assert_eq!(ranked(&[unknown]), [(32, 0)]);
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_lost_from_the_count() {
        let mut sites = Sites::default();
        for id in 0..20_000 {
            let mut finding = testing::finding();
            let mut process = (*finding.process).clone();
            process.executable = Some(format!("/bin/worker-{id}"));
            process.id.tgid = id as u32;
            (finding.id, finding.open_count, finding.process) = (id, 2, process.into());
            sites.record(&finding);
        }
        let ranked = sites.ranked();
        assert!(ranked.len() <= RECENT + SITES + 1, "{}", ranked.len());
        assert_eq!(
            ranked.iter().map(|(_, tally)| tally.count).sum::<u64>(),
            40_000
        );
        assert_eq!(
            ranked.iter().map(|(_, tally)| tally.processes).sum::<u64>(),
            20_000
        );
    }
}
