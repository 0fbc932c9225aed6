//! Whole stacks of some of the handles whose usual window ended too early.
//!
//! Handles are counted by the short stack, which all of a site have. Where whole ones are known of
//! handles that are held, they say which of the callers it was that forgot them.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::model::{
    ids::{ProcessId, Stamp},
    origin::StackId,
};

/// Most sites that are kept.
const SITES: usize = 1024;
/// Most whole stacks of a site; the oldest goes first.
const OF_SITE: usize = 16;

/// A handle, by when it was acquired, with its whole stack.
type Sample = (Stamp, StackId);

/// See the module.
#[derive(Debug, Default)]
pub struct WholeStacks {
    sites: HashMap<(ProcessId, StackId), VecDeque<Sample>>,
    refused: u64,
}

impl WholeStacks {
    /// What was acquired at `stamp` has the short stack `short`, with which `whole` begins.
    pub fn learn(&mut self, process: ProcessId, short: StackId, stamp: Stamp, whole: StackId) {
        let key = (process, short);
        if self.sites.len() >= SITES && !self.sites.contains_key(&key) {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let samples = self.sites.entry(key).or_default();
        samples.push_back((stamp, whole));
        if samples.len() > OF_SITE {
            samples.pop_front();
        }
    }

    /// Stacks of a site beyond the bound, which are told short.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The whole stacks of a site, each once.
    pub fn of_site(&self, process: ProcessId, short: Option<StackId>) -> Vec<StackId> {
        self.stacks(process, short, |_| true)
    }

    /// The whole stacks of all sites of a process.
    pub fn of_process(&self, process: ProcessId) -> impl Iterator<Item = StackId> {
        let sites = self.sites.iter().filter(move |((of, _), _)| *of == process);
        sites.flat_map(|(_, samples)| samples.iter().map(|(_, whole)| *whole))
    }

    /// The whole stacks of those that were acquired at these moments, each once; `held` ascends.
    pub fn of_held(
        &self,
        process: ProcessId,
        short: Option<StackId>,
        held: &[Stamp],
    ) -> Vec<StackId> {
        self.stacks(process, short, |stamp| held.binary_search(&stamp).is_ok())
    }

    fn stacks(
        &self,
        process: ProcessId,
        short: Option<StackId>,
        is_wanted: impl Fn(Stamp) -> bool,
    ) -> Vec<StackId> {
        let samples = short.and_then(|short| self.sites.get(&(process, short)));
        let samples = samples.into_iter().flatten();
        let wanted = samples.filter(|(stamp, _)| is_wanted(*stamp));
        let mut stacks: Vec<StackId> = wanted.map(|(_, whole)| *whole).collect();
        stacks.sort_unstable();
        stacks.dedup();
        stacks
    }

    /// The process has ended and was judged.
    pub fn forget(&mut self, process: ProcessId) {
        self.sites.retain(|(of, _), _| *of != process);
    }

    /// Whether something is kept of a process; for tests.
    pub fn mentions(&self, process: ProcessId) -> bool {
        self.sites.keys().any(|(of, _)| *of == process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: ProcessId = ProcessId {
        tgid: 7,
        start_ticks: 1,
    };
    const SHORT: Option<StackId> = Some(StackId(1));

    #[test]
    fn only_what_is_held_says_who_forgot_it() {
        let mut stacks = WholeStacks::default();
        for (stamp, whole) in [(10, 2), (11, 3), (12, 2)] {
            stacks.learn(PROCESS, StackId(1), Stamp(stamp), StackId(whole));
        }
        let of_held = |held: &[Stamp]| stacks.of_held(PROCESS, SHORT, held);
        assert_eq!(of_held(&[Stamp(9), Stamp(10), Stamp(12)]), [StackId(2)]);
        assert_eq!(of_held(&[Stamp(11), Stamp(12)]), [StackId(2), StackId(3)]);
        assert_eq!(of_held(&[]), []);
        assert_eq!(stacks.of_site(PROCESS, SHORT), [StackId(2), StackId(3)]);
        assert_eq!(stacks.of_site(PROCESS, None), []);
    }

    #[test]
    fn what_is_kept_is_bounded_and_goes_with_its_process() {
        let mut stacks = WholeStacks::default();
        for stamp in 0..100 {
            stacks.learn(PROCESS, StackId(1), Stamp(stamp), StackId(2));
        }
        assert_eq!(stacks.sites[&(PROCESS, StackId(1))].len(), OF_SITE);
        for short in 0..2_000 {
            stacks.learn(PROCESS, StackId(short), Stamp(1), StackId(9_999));
        }
        assert_eq!((stacks.sites.len(), stacks.refused()), (SITES, 976));
        assert!(stacks.mentions(PROCESS));
        stacks.forget(PROCESS);
        assert!(!stacks.mentions(PROCESS));
    }
}
