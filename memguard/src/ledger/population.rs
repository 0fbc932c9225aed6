//! How many handles of a kind each process acquired and released, and how long the released ones
//! lived.
//!
//! Only of handles that left the nursery: what lives less than about a second is paired in the
//! kernel.

use std::time::Duration;

use hashbrown::HashMap;

use super::{Held, lives::Histogram};
use crate::model::{
    finding::Lives,
    ids::{ProcessId, Stamp},
    origin::StackId,
    resource::Kind,
};

/// Which handles are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId {
    /// Who acquired them.
    pub process: ProcessId,
    /// What they are.
    pub kind: Kind,
    /// Where they were acquired; `None` where that is not known, or not yet.
    pub stack: Option<StackId>,
    /// In an interpreter, where all of a script's handles have one stack: what they are of, by
    /// [`crate::ledger::Seal::topic`]. Counts do not tell these apart.
    pub topic: Option<u64>,
}

impl GroupId {
    /// All of a kind that a process has, wherever it was acquired.
    pub fn of(process: ProcessId, kind: Kind) -> Self {
        Self {
            process,
            kind,
            stack: None,
            topic: None,
        }
    }
}

impl From<&Held> for GroupId {
    fn from(held: &Held) -> Self {
        let Held {
            acquired, stack, ..
        } = held;
        Self {
            process: acquired.process,
            kind: Kind::made_by(acquired.call, acquired.detail),
            stack: *stack,
            topic: None,
        }
    }
}

/// Most groups of one process that are counted apart; what comes then is counted with those of
/// unknown origin. 2 MiB.
const GROUPS: usize = 4096;

/// Counts of one group. Lives are kept from the first release on: most groups never release.
#[derive(Clone, Debug, Default)]
pub struct Population {
    /// Handles acquired.
    pub acquired: u64,
    /// Handles released.
    pub released: u64,
    lives: Option<Box<Histogram>>,
}

impl Population {
    fn lived(&mut self, life: Duration, long: Duration) {
        let lives = self.lives.get_or_insert_default();
        lives.add(life, long <= life);
    }

    /// Of which so many were released that lived so long, none of them for long.
    #[cfg(test)]
    pub(crate) fn of_lives(lives: impl IntoIterator<Item = Duration>) -> Self {
        let mut population = Self::default();
        for life in lives {
            population.released = population.released.saturating_add(1);
            population.lived(life, Duration::MAX);
        }
        population.acquired = population.released;
        population
    }

    /// How long the released ones lived; `None` where none was, or no life is known.
    pub fn lives(&self) -> Option<Lives> {
        self.lives.as_deref()?.lives()
    }
}

/// All groups, by process.
#[derive(Debug)]
pub struct Populations {
    processes: HashMap<ProcessId, HashMap<(Kind, Option<StackId>), Population>>,
    /// What counts as a long life.
    long: Duration,
}

impl Default for Populations {
    /// No life counts as long.
    fn default() -> Self {
        Self {
            processes: HashMap::new(),
            long: Duration::MAX,
        }
    }
}

impl Populations {
    /// From now on lives of at least this count as long.
    pub fn count_as_long(&mut self, long: Duration) {
        self.long = long;
    }

    pub(super) fn give_back(&mut self) {
        super::give_back(&mut self.processes);
    }

    pub(super) fn acquired(&mut self, held: &Held) {
        self.count_acquired(held.into());
    }

    pub(super) fn count_acquired(&mut self, group: GroupId) {
        let population = self.entry(group);
        population.acquired = population.acquired.saturating_add(1);
    }

    pub(super) fn count_released(&mut self, group: GroupId, life: Option<Duration>) {
        let long = self.long;
        let population = self.entry(group);
        population.released = population.released.saturating_add(1);
        if let Some(life) = life {
            population.lived(life, long);
        }
    }

    /// One that was counted as of the first is of the second.
    pub(super) fn moved(&mut self, from: GroupId, to: GroupId) {
        let population = self.entry(from);
        population.acquired = population.acquired.saturating_sub(1);
        self.count_acquired(to);
    }

    /// It is known now where a held handle was acquired.
    pub(super) fn attributed(&mut self, before: &Held, after: &Held) {
        self.moved(before.into(), after.into());
    }

    pub(super) fn released(&mut self, held: &Held, at: Option<Stamp>) {
        let life = at.map(|at| at.since(held.acquired.stamp));
        self.count_released(held.into(), life);
    }

    fn entry(&mut self, group: GroupId) -> &mut Population {
        let groups = self.processes.entry(group.process).or_default();
        let mut key = (group.kind, group.stack);
        if groups.len() >= GROUPS && !groups.contains_key(&key) {
            key.1 = None;
        }
        groups.entry(key).or_default()
    }

    /// Counts of a group; zeros where it has none.
    pub fn get(&self, group: GroupId) -> Population {
        let groups = self.processes.get(&group.process);
        let found = groups.and_then(|groups| groups.get(&(group.kind, group.stack)));
        found.cloned().unwrap_or_default()
    }

    /// Drops what belongs to a process that is gone and judged.
    pub fn forget(&mut self, process: ProcessId) {
        self.processes.remove(&process);
    }

    /// Processes that have counts.
    pub fn len(&self) -> usize {
        self.processes.len()
    }

    /// None has.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }
}
