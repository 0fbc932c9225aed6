//! What the actors share: one set of the nursery, the kernel's slots, a clock, counters, and what
//! has reached the agent. Every [`Op`] is one step: nothing comes between what it reads and what it
//! writes.

use memguard_common::{
    nursery::{Key, Phase, State},
    stats::Stat,
};

use super::{
    ghost::{Closing, Handle, Saw},
    op::{Compare, Op, Record, owner_of},
    scenario::{Fill, Scenario},
};

/// A way of the set.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Way {
    pub(crate) word: u64,
    pub(crate) record: Record,
}

impl Way {
    const EMPTY: Self = Self {
        word: 0,
        record: [[0; 2]; 2],
    };

    pub(crate) fn phase(self) -> Phase {
        State::from_word(self.word).phase()
    }
}

/// Everything that is not in an actor's own hands.
#[derive(Clone, Debug, Hash)]
pub(crate) struct World {
    /// The usable ways; all others are busy for ever.
    pub(crate) ways: Vec<Way>,
    /// By key: the handle in the kernel's slot.
    pub(crate) slots: Vec<Option<usize>>,
    /// Time is the number of stamps taken, so that steps that take none commute.
    clock: u64,
    /// Records that reached the agent, sorted: their order decides nothing.
    pub(crate) told: Vec<Record>,
    /// By key: stamp of the youngest release that reached the agent.
    pub(crate) marks: Vec<u64>,
    pub(crate) counters: [u8; Stat::COUNT as usize],
    /// Actors that are through, as bits; of those only that others wait for.
    through: u32,
    pub(crate) handles: Vec<Handle>,
    /// A generation shrank, or a claim did not take the next.
    pub(crate) is_generation_broken: bool,
    tick: u64,
}

/// Stamp of the death of the tables that died before the exploration, in ticks.
const DEATH: u64 = 10;
/// First stamp of the exploration.
const START: u64 = 20;

impl World {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut world = Self {
            ways: Vec::new(),
            slots: vec![None; scenario.keys.len()],
            clock: START,
            told: Vec::new(),
            marks: vec![0; scenario.keys.len()],
            counters: [0; Stat::COUNT as usize],
            through: 0,
            handles: Vec::new(),
            is_generation_broken: false,
            tick: scenario.tick,
        };
        for fill in &scenario.ways {
            let way = world.filled(*fill, &scenario.keys);
            world.ways.push(way);
        }
        world
    }

    fn filled(&mut self, fill: Fill, keys: &[Key]) -> Way {
        let (key, owner, base) = match fill {
            Fill::Empty => return Way::EMPTY,
            Fill::Open { key, owner } | Fill::Missed { key, owner } => (key, owner, DEATH),
            Fill::Dead { key, owner } => (key, owner, 0),
        };
        let stamp = (base + 1 + self.ways.len() as u64) * self.tick;
        let mut handle = Handle::earlier(key, owner, stamp);
        if matches!(fill, Fill::Open { .. }) {
            self.slots[key] = Some(self.handles.len());
        } else {
            handle.closed = Some(Closing::UNSEEN);
        }
        self.handles.push(handle);
        self.count(Stat::Seen, 1);
        let Key {
            table,
            handle: number,
        } = keys[key];
        // Generation 1, time, tag, live: see the layout of `State`.
        let word = 1 << 32 | (stamp >> 20 & 0xffff) << 16 | keys[key].tag() << 2 | 2;
        let record = [[table, stamp], [number, owner_of(owner)]];
        Way { word, record }
    }

    /// Whether a stamp belongs to the tables' lives that ended before the exploration.
    pub(crate) fn is_before_death(&self, stamp: u64) -> bool {
        stamp <= DEATH * self.tick
    }

    /// A stamp in ticks.
    pub(crate) fn ticks(&self, stamp: u64) -> u64 {
        stamp / self.tick
    }

    /// An actor is through for which another waits.
    pub(crate) fn is_through(&mut self, actor: usize) {
        self.through |= 1 << actor;
    }

    /// Takes the step, and answers; `None` where it has to wait.
    pub(crate) fn perform(&mut self, op: Op) -> Option<[u64; 2]> {
        let answer = match op {
            Op::Load(way) => self.ways[way as usize].word,
            Op::Read(way, half) => return Some(self.ways[way as usize].record[half]),
            Op::Swap(way, from, to, compare) => u64::from(self.swap(way, from, to, compare)),
            Op::Install { key, .. } if self.slots[key].is_some() => return None,
            Op::Install { key, owner } | Op::Overwrite { key, owner } => self.install(key, owner),
            Op::Look { key, handle } => self.look(key, handle),
            Op::Stamp(handle) => self.stamp(handle),
            Op::Await(actor) if self.through >> actor & 1 == 0 => return None,
            Op::Witness(key) => Closing::witness(&self.handles, key),
            other => {
                self.change(other);
                0
            }
        };
        Some([answer, 0])
    }

    /// What has no answer.
    fn change(&mut self, op: Op) {
        match op {
            Op::Write(way, half, value) => self.ways[way as usize].record[half] = value,
            Op::Evict(way) => {
                let record = self.ways[way as usize].record;
                self.tell(record);
                self.written(record)
                    .for_each(|handle| handle.is_overwritten = false);
                self.count(Stat::Evicted, 1);
            }
            Op::Clear { key, closing } => {
                if let Some(handle) = self.slots[key].take() {
                    self.handles[handle].closed = Some(closing.of(handle));
                }
            }
            Op::Return(handle) => self.handles[handle].has_returned = true,
            Op::Count(stat, amount) => self.count(stat, amount),
            Op::Tell(record) => self.tell(record),
            Op::TellReleased { key, stamp } => self.marks[key] = self.marks[key].max(stamp),
            _ => {}
        }
    }

    fn install(&mut self, key: usize, owner: u32) -> u64 {
        let new = self.handles.len();
        if let Some(old) = self.slots[key].replace(new) {
            self.handles[old].closed = Some(Closing::UNSEEN);
        }
        self.handles.push(Handle::fresh(key, owner));
        new as u64
    }

    fn look(&mut self, key: usize, handle: Option<usize>) -> u64 {
        let slot = self.slots[key];
        if let Some(handle) = handle {
            self.handles[handle].saw = Saw::of(slot, handle);
        }
        u64::from(slot.is_some())
    }

    fn stamp(&mut self, handle: Option<usize>) -> u64 {
        self.clock += 1;
        let stamp = self.clock * self.tick;
        if let Some(handle) = handle {
            self.handles[handle].stamp = stamp;
        }
        stamp
    }

    /// Whose record it is.
    fn written(&mut self, [[_, stamp], _]: Record) -> impl Iterator<Item = &mut Handle> {
        let handles = self.handles.iter_mut();
        handles.filter(move |handle| handle.stamp == stamp)
    }

    fn swap(&mut self, way: u32, from: State, to: State, compare: Compare) -> bool {
        let now = State::from_word(self.ways[way as usize].word);
        let is_equal = match compare {
            Compare::Whole => now == from,
            Compare::AllButGeneration => now.word() as u32 == from.word() as u32,
            Compare::Nothing => true,
        };
        if !is_equal {
            return false;
        }
        let is_claim = to.phase() == Phase::Busy && now.phase() != Phase::Busy;
        let next = now.generation().wrapping_add(u32::from(is_claim));
        self.is_generation_broken |= to.generation() != next;
        let way = &mut self.ways[way as usize];
        way.word = to.word();
        let record = way.record;
        let is_overwritten = is_claim && now.phase() == Phase::Live;
        for handle in self.written(record) {
            handle.is_overwritten |= is_overwritten;
            handle.is_on_record |= to.phase() == Phase::Live;
        }
        true
    }

    fn tell(&mut self, record: Record) {
        let at = self.told.partition_point(|other| *other < record);
        self.told.insert(at, record);
        self.written(record)
            .for_each(|handle| handle.is_on_record = true);
    }

    fn count(&mut self, stat: Stat, amount: u8) {
        self.counters[stat as usize] += amount;
    }
}
