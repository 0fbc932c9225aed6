//! What is left of threads and children that have ended: stacks that nobody freed by joining, and
//! zombies that nobody waited for.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{Agent, living::SAMPLES};
use crate::{
    ledger::population::GroupId,
    model::{
        finding::{Handle, Sample},
        ids::{ProcessId, Stamp},
        resource::Kind,
    },
};

/// glibc keeps stacks of threads that have ended for the next ones, up to this many bytes:
/// `nptl/allocatestack.c`, `stack_cache_maxsize`.
const CACHED: u64 = 40 << 20;
/// Most ended processes that are asked about: those that end later are not.
const ENDED: usize = 16_384;

/// Processes that have ended and may not have been waited for.
#[derive(Debug, Default)]
pub(super) struct Ended {
    since: HashMap<ProcessId, Stamp>,
    /// Those that are zombies, by the process that should wait for them; the oldest first.
    zombies: BTreeMap<ProcessId, Vec<(ProcessId, Stamp)>>,
}

impl Ended {
    /// A process has ended.
    pub(super) fn ended(&mut self, process: ProcessId, at: Stamp) {
        if self.since.len() < ENDED {
            self.since.insert(process, at);
        }
    }
}

impl Agent {
    /// Stacks of threads beyond those of the threads that run.
    pub(super) fn count_idle_stacks(&mut self, now: Stamp) {
        let mut stacks: HashMap<ProcessId, u64> = HashMap::new();
        for piece in self.ledger.memory.held() {
            if let Some(group) = self.ledger.memory.group_of(&piece)
                && piece.mapped.is_stack()
            {
                let count = stacks.entry(group.process).or_default();
                *count = count.saturating_add(1);
            }
        }
        for (process, count) in stacks {
            let threads = self.usages.last(process).and_then(|usage| usage.threads);
            // The first thread's stack was not mapped by a call.
            let running = threads.map_or(u64::MAX, |threads| u64::from(threads).saturating_sub(1));
            let idle = count.saturating_sub(running);
            self.usages.count(process, Kind::Unjoined, now, idle);
        }
    }

    /// How many idle stacks may be kept for the next threads, whose own have been joined.
    pub(super) fn cached_stacks(&self, process: ProcessId) -> u64 {
        let held = self.ledger.memory.held_by(process);
        let stacks = held.filter(|piece| piece.mapped.is_stack());
        let smallest = stacks.map(|piece| piece.range.bytes()).min();
        CACHED / smallest.unwrap_or(CACHED).max(1)
    }

    /// Asks about everything that has ended whether it is still there.
    pub(super) fn count_zombies(&mut self, now: Stamp) {
        let old = now.before(self.judging.min_age);
        let procfs = &self.procfs;
        let mut zombies: BTreeMap<ProcessId, Vec<(ProcessId, Stamp)>> = BTreeMap::new();
        self.ended.since.retain(|process, at| {
            if !procfs.is_zombie(*process) {
                return false;
            }
            let parent = procfs.parent(*process);
            let parent = parent.and_then(|parent| procfs.identity(parent).ok());
            if let Some(parent) = parent.filter(|_| *at <= old) {
                zombies.entry(parent).or_default().push((*process, *at));
            }
            true
        });
        self.ended.since.shrink_to(64);
        let before = std::mem::take(&mut self.ended.zombies);
        for parent in before.keys().chain(zombies.keys()) {
            let count = zombies.get(parent).map_or(0, Vec::len);
            self.usages.count(*parent, Kind::Zombie, now, count as u64);
        }
        for children in zombies.values_mut() {
            children.sort_unstable_by_key(|(_, at)| *at);
        }
        self.ended.zombies = zombies;
    }

    /// The oldest zombies of a process; nothing for what is no zombie.
    pub(super) fn zombie_samples(&self, group: GroupId, now: Stamp) -> Vec<Sample> {
        let zombies = self.ended.zombies.get(&group.process);
        let zombies = zombies.filter(|_| group.kind == Kind::Zombie);
        let zombies = zombies.into_iter().flatten().take(SAMPLES);
        let sampled = zombies.map(|(process, at)| Sample {
            handle: Handle::Id(process.tgid),
            acquired_at: Some(*at),
            age: Some(now.since(*at)),
            call: None,
            target: None,
        });
        sampled.collect()
    }
}
