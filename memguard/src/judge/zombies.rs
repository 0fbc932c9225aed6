//! Children that have ended and that nobody waited for.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{Context, SAMPLES, usage::Usages};
use crate::model::{
    finding::{Handle, Sample},
    ids::{ProcessId, Stamp},
    resource::Kind,
};

/// Most ended processes that are asked about: those that end later are not.
const ENDED: usize = 16_384;

/// Processes that have ended and may not have been waited for.
#[derive(Debug, Default)]
pub struct Zombies {
    since: HashMap<ProcessId, Stamp>,
    /// Those that are zombies, by the process that should wait for them; the oldest first.
    by_parent: BTreeMap<ProcessId, Vec<(ProcessId, Stamp)>>,
    /// Ends that were not taken in, for there were too many.
    dropped: u64,
}

impl Zombies {
    /// A process has ended.
    pub fn ended(&mut self, process: ProcessId, at: Stamp) {
        if self.since.len() < ENDED {
            self.since.insert(process, at);
        } else {
            self.dropped += 1;
        }
    }

    /// Who is to be asked about, in order.
    pub fn candidates(&self) -> Vec<ProcessId> {
        let mut candidates: Vec<_> = self.since.keys().copied().collect();
        candidates.sort_unstable();
        candidates
    }

    /// Ends that were not taken in.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Of the `asked`, these are still there, with the parent that should wait for each.
    pub fn found(
        &mut self,
        asked: &[ProcessId],
        zombies: &[(ProcessId, Option<ProcessId>)],
        context: &Context,
        usages: &mut Usages,
    ) {
        let there: HashMap<ProcessId, Option<ProcessId>> = zombies.iter().copied().collect();
        for gone in asked.iter().filter(|process| !there.contains_key(*process)) {
            self.since.remove(gone);
        }
        self.since.shrink_to(64);
        let old = context.now.before(context.config.min_age);
        let now = self.grouped(&there, old);
        let before = std::mem::take(&mut self.by_parent);
        let mut parents: Vec<ProcessId> = before.keys().chain(now.keys()).copied().collect();
        parents.sort_unstable();
        parents.dedup();
        for parent in parents {
            let count = now.get(&parent).map_or(0, Vec::len);
            usages.count(parent, Kind::Zombie, context.now, 0, count as u64);
        }
        self.by_parent = now;
    }

    fn grouped(
        &self,
        there: &HashMap<ProcessId, Option<ProcessId>>,
        old: Stamp,
    ) -> BTreeMap<ProcessId, Vec<(ProcessId, Stamp)>> {
        let mut by_parent: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (process, parent) in there {
            let at = self.since.get(process).filter(|at| **at <= old);
            if let (Some(parent), Some(at)) = (parent, at) {
                by_parent.entry(*parent).or_default().push((*process, *at));
            }
        }
        for children in by_parent.values_mut() {
            children.sort_unstable_by_key(|(process, at)| (*at, *process));
        }
        by_parent
    }

    /// The oldest zombies of a process.
    pub fn samples(&self, parent: ProcessId, now: Stamp) -> Vec<Sample> {
        let zombies = self.by_parent.get(&parent).into_iter().flatten();
        let sampled = zombies.take(SAMPLES).map(|(process, at)| Sample {
            handle: Handle::Id(process.tgid),
            acquired_at: Some(*at),
            age: Some(now.since(*at)),
            call: None,
            target: None,
        });
        sampled.collect()
    }

    /// The parent has ended: its zombies are somebody else's.
    pub fn forget_parent(&mut self, parent: ProcessId) {
        self.by_parent.remove(&parent);
    }

    /// Whether a process is known as the parent of zombies; for tests.
    pub fn mentions_parent(&self, parent: ProcessId) -> bool {
        self.by_parent.contains_key(&parent)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        detect::growth::Rules,
        judge::{
            sampler::Sampler,
            testing::{PROCESS, context, second},
        },
    };

    fn child(tgid: u32) -> ProcessId {
        ProcessId {
            tgid,
            start_ticks: 5,
        }
    }

    #[test]
    fn children_that_nobody_waited_for_are_their_parents() {
        let sampler = Sampler::new(Duration::from_secs(1));
        let (context, mut usages) = (context(), Usages::new(sampler, Rules::default(), false));
        let mut zombies = Zombies::default();
        for (tgid, at) in [(10, 50), (11, 40), (12, 60), (13, 95)] {
            zombies.ended(child(tgid), second(at));
        }
        let asked = zombies.candidates();
        let there = [10, 11, 13].map(|tgid| (child(tgid), Some(PROCESS)));
        zombies.found(&asked, &there, &context, &mut usages);
        let samples = zombies.samples(PROCESS, context.now);
        let handles: Vec<_> = samples.iter().map(|sample| sample.handle).collect();
        assert_eq!(handles, [11, 10].map(Handle::Id), "old ones, oldest first");
        assert_eq!(zombies.candidates().len(), 3, "one was waited for");
        zombies.forget_parent(PROCESS);
        assert!(!zombies.mentions_parent(PROCESS));
    }
}
