//! How many handles of a kind each process acquired and released, and how long the released ones
//! lived.
//!
//! Only of handles that left the nursery: what lives less than about a second is paired in the
//! kernel.

use std::time::Duration;

use hashbrown::HashMap;

use super::{HeldFd, lifetimes::Histogram, releases::Releases, short_lives::ShortLives};
use crate::model::{
    finding::LifetimeStats,
    ids::{ProcessId, Stamp},
    origin::StackId,
    resource::{Kind, Resource},
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
    /// [`crate::ledger::FileIdentity::topic`]. Counts do not tell these apart. With no stack: what
    /// those are of that were held before memguard attached ([`GroupId::of_before`]).
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

    /// What a process held before memguard attached, all of the same.
    pub fn of_before(process: ProcessId, kind: Kind, topic: u64) -> Self {
        Self {
            topic: Some(topic),
            ..Self::of(process, kind)
        }
    }

    /// Whether it is of what was held before memguard attached: only an interpreter's stack has a
    /// topic otherwise.
    pub fn is_of_before(&self) -> bool {
        self.stack.is_none() && self.topic.is_some()
    }
}

impl From<&HeldFd> for GroupId {
    fn from(held: &HeldFd) -> Self {
        let HeldFd {
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

/// Counts of one group. Lifetimes are kept from the first release on: most groups never release.
#[derive(Clone, Debug, Default)]
pub struct Population {
    /// Handles acquired.
    pub acquired: u64,
    /// Handles released.
    pub released: u64,
    first: Option<Stamp>,
    lives: Option<Box<Lives>>,
    short: Option<Box<ShortLives>>,
}

/// Of those that were released.
#[derive(Clone, Debug, Default)]
struct Lives {
    lengths: Histogram,
    releases: Releases,
}

impl Population {
    pub(crate) fn lived(&mut self, life: Duration, long: Duration) {
        let lives = self.lives.get_or_insert_default();
        lives.lengths.add(life, long <= life);
    }

    fn released_at(&mut self, at: Stamp) {
        self.lives.get_or_insert_default().releases.add(at);
    }

    pub(crate) fn died_young(&mut self, acquired_at: Stamp, lingered: bool) {
        let short = self.short.get_or_insert_default();
        short.add(acquired_at, lingered);
    }

    /// Those that were released before they left the nursery, as far as they were seen.
    pub fn short_lives(&self) -> ShortLives {
        self.short.as_deref().copied().unwrap_or_default()
    }

    /// When they are released.
    pub fn releases(&self) -> Releases {
        let lives = self.lives.as_deref();
        lives.map(|lives| lives.releases).unwrap_or_default()
    }

    /// Whether they are released many at once, as a collector does.
    pub fn is_released_in_bulk(&self, now: Stamp) -> bool {
        let seconds = now.since(self.first.unwrap_or(now)).as_secs_f64();
        let pace = self.acquired as f64 / seconds.max(1.0);
        self.releases().come_in_bulk(pace)
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

    /// How many of the released ones lived longer than each of these times, the shortest first;
    /// nothing where none was.
    pub fn longer(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.lives
            .as_deref()
            .into_iter()
            .flat_map(|lives| lives.lengths.longer())
    }

    /// How long the longest life was that ended, right to a fourth; zero where none did.
    pub fn longest_life(&self) -> Duration {
        let none_longer = self.longer().find(|(_, longer)| *longer == 0);
        none_longer.map(|(age, _)| age).unwrap_or_default()
    }

    /// How long the released ones lived; `None` where none was, or no life is known.
    pub fn lives(&self) -> Option<LifetimeStats> {
        self.lives.as_deref()?.lengths.lives()
    }
}

/// The groups of one process.
type Groups = HashMap<(Kind, Option<StackId>), Population>;

/// Its own counts, or where there are too many, those of its kind.
fn in_bounds(groups: &mut Groups, group: GroupId) -> &mut Population {
    let mut key = (group.kind, group.stack);
    if groups.len() >= GROUPS && !groups.contains_key(&key) {
        key.1 = None;
    }
    groups.entry(key).or_default()
}

/// All groups, by process.
#[derive(Debug)]
pub struct Populations {
    processes: HashMap<ProcessId, Groups>,
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

    pub(super) fn acquired(&mut self, held: &HeldFd) {
        let population = self.count_acquired(held.into());
        population.first.get_or_insert(held.acquired.stamp);
    }

    pub(super) fn count_acquired(&mut self, group: GroupId) -> &mut Population {
        let population = self.entry(group);
        population.acquired = population.acquired.saturating_add(1);
        population
    }

    /// Counts a release, where its group is known, and returns that.
    pub(super) fn count_released(
        &mut self,
        group: GroupId,
        life: Option<Duration>,
    ) -> Option<&mut Population> {
        let long = self.long;
        let population = self.existing(group)?;
        population.released = population.released.saturating_add(1);
        if let Some(life) = life {
            population.lived(life, long);
        }
        Some(population)
    }

    /// One that was counted as of the first is of the second, which is returned.
    pub(super) fn moved(&mut self, from: GroupId, to: GroupId) -> Option<&mut Population> {
        let population = self.existing(from)?;
        population.acquired = population.acquired.saturating_sub(1);
        Some(self.count_acquired(to))
    }

    /// It is known now where a held handle was acquired.
    pub(super) fn attributed(&mut self, before: &HeldFd, after: &HeldFd) {
        if let Some(population) = self.moved(before.into(), after.into()) {
            population.first.get_or_insert(after.acquired.stamp);
        }
    }

    pub(super) fn released(&mut self, held: &HeldFd, at: Option<Stamp>) {
        let life = at.map(|at| at.since(held.acquired.stamp));
        let population = self.count_released(held.into(), life);
        if let (Some(at), Some(population)) = (at, population) {
            population.released_at(at);
        }
    }

    fn entry(&mut self, group: GroupId) -> &mut Population {
        in_bounds(self.processes.entry(group.process).or_default(), group)
    }

    /// Of a process that acquired something and was not forgotten. What it left in a table that
    /// others share may be released after its end, and must not bring its counts back.
    fn existing(&mut self, group: GroupId) -> Option<&mut Population> {
        let groups = self.processes.get_mut(&group.process)?;
        Some(in_bounds(groups, group))
    }

    /// One was acquired and released before it left the nursery. Only of groups that have counts:
    /// what holds nothing is never judged.
    pub fn died_young(&mut self, group: GroupId, acquired_at: Stamp, lingered: bool) {
        let groups = self.processes.get_mut(&group.process);
        let key = (group.kind, group.stack);
        if let Some(population) = groups.and_then(|groups| groups.get_mut(&key)) {
            population.died_young(acquired_at, lingered);
        }
    }

    /// The longest time between two releases of a group that releases many at once: how long the
    /// collector of a process takes to come again, as far as it was seen.
    pub fn longest_bulk_gap(&self, process: ProcessId, resource: Resource, now: Stamp) -> Duration {
        let groups = self.processes.get(&process).into_iter().flatten();
        let same = groups.filter(|((kind, _), _)| kind.resource() == resource);
        let same = same.filter(|(_, population)| population.is_released_in_bulk(now));
        let gaps = same.map(|(_, population)| population.releases().longest_gap());
        gaps.max().unwrap_or_default()
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

    /// Whether a process has counts.
    pub(super) fn has(&self, process: ProcessId) -> bool {
        self.processes.contains_key(&process)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{event::Acquired, ids::TableId, resource::Call};

    const PROCESS: ProcessId = ProcessId {
        tgid: 7,
        start_ticks: 1,
    };

    fn held(stack: Option<u32>) -> HeldFd {
        let acquired = Acquired {
            stamp: Stamp(5),
            table: TableId(0x1000),
            fd: 3,
            process: PROCESS,
            tid: 7,
            exec_id: 1,
            call: Call::Openat,
            detail: 0,
        };
        HeldFd {
            stack: stack.map(StackId),
            ..acquired.into()
        }
    }

    #[test]
    fn what_is_attributed_counts_for_its_site_alone() {
        let mut populations = Populations::default();
        let (before, after) = (held(None), held(Some(9)));
        populations.acquired(&before);
        populations.attributed(&before, &after);
        let acquired = [&before, &after].map(|held| populations.get(held.into()).acquired);
        assert_eq!(acquired, [0, 1]);
        populations.released(&after, Some(Stamp(8)));
        assert_eq!(populations.get((&after).into()).released, 1);
    }

    /// A stack may be unwound after the process was judged.
    #[test]
    fn who_was_forgotten_is_not_brought_back() {
        let mut populations = Populations::default();
        let (before, after) = (held(None), held(Some(9)));
        populations.acquired(&before);
        populations.forget(PROCESS);
        populations.attributed(&before, &after);
        populations.released(&after, Some(Stamp(8)));
        assert!(!populations.has(PROCESS));
    }
}
