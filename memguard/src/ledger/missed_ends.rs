//! Ends of processes that no record told of: whom they concern, until everybody knows.
//!
//! Whoever owns other tables of processes takes them ([`MissedEnds::take`]) and clears his own.
//! Records of such a process may still lie in the nursery; until a sweep has ended that took
//! everything as old as the end, none of them may bring the process back.

use hashbrown::HashMap;

use crate::model::ids::{ProcessId, Stamp};

/// Most ends that wait to be taken, or for a sweep: more than a host has processes, as a rule.
/// What is beyond it is counted, and is not told.
const WAITING: usize = 1 << 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct MissedEnds(HashMap<ProcessId, Missed>);

#[derive(Debug)]
struct Missed {
    /// When the end was noticed at the latest.
    at: Stamp,
    taken: bool,
}

impl MissedEnds {
    /// A process has ended, at this moment at the latest; false where there is no room to
    /// remember it.
    pub(super) fn add(&mut self, process: ProcessId, at: Stamp) -> bool {
        if self.0.len() >= WAITING {
            return false;
        }
        let taken = false;
        self.0.entry(process).or_insert(Missed { at, taken });
        true
    }

    /// All that were not taken yet, by when they were noticed.
    pub(super) fn take(&mut self) -> Vec<ProcessId> {
        let new = self.0.iter_mut().filter(|(_, missed)| !missed.taken);
        let new = new.map(|(process, missed)| {
            missed.taken = true;
            (missed.at, *process)
        });
        let mut new: Vec<_> = new.collect();
        new.sort_unstable();
        new.into_iter().map(|(_, process)| process).collect()
    }

    /// Whether records of this process may still come although its end is known.
    pub(super) fn contains(&self, process: ProcessId) -> bool {
        self.0.contains_key(&process)
    }

    /// No record comes any more that is as old as this.
    pub(super) fn forget(&mut self, cutoff: Stamp) {
        self.0
            .retain(|_, missed| !missed.taken || missed.at > cutoff);
        super::give_back(&mut self.0);
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How often a process is.
    pub(super) fn mentions(&self, process: ProcessId) -> usize {
        usize::from(self.contains(process))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(tgid: u32) -> ProcessId {
        ProcessId {
            tgid,
            start_ticks: 1,
        }
    }

    #[test]
    fn an_end_is_handed_out_once_and_remembered_until_the_sweep() {
        let mut missed = MissedEnds::default();
        assert!(missed.add(process(1), Stamp(10)));
        missed.forget(Stamp(20));
        assert!(missed.contains(process(1)), "nobody was told");
        assert_eq!(missed.take(), [process(1)]);
        assert_eq!(missed.take(), []);
        missed.forget(Stamp(9));
        assert!(missed.contains(process(1)));
        missed.forget(Stamp(10));
        assert_eq!((missed.len(), missed.mentions(process(1))), (0, 0));
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let mut missed = MissedEnds::default();
        let taken = (0..100_000u32).filter(|tgid| missed.add(process(*tgid), Stamp(1)));
        assert_eq!(taken.count(), WAITING);
    }
}
