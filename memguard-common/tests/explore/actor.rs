//! How an actor is made to take one step at a time: its script runs again from the beginning, is
//! given the answers it was given before, takes one new step, and is stopped before the next.

use std::{
    cell::RefCell,
    hash::{BuildHasher as _, Hash},
};

use foldhash::fast::FixedState;
use memguard_common::{
    event::Acquired,
    nursery::{Identity, Key, Memory, State},
};

use super::{
    op::{Compare, Half, Op, halves},
    scenario::Scenario,
    script,
    world::World,
};

type Answer = [u64; 2];

/// Why a script does not run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It has taken its step.
    Stepped,
    /// It has to wait for another actor.
    Blocked,
}

/// 128 bits of hash.
pub(crate) fn fingerprint(value: impl Hash) -> [u64; 2] {
    [1, 2].map(|seed| FixedState::with_seed(seed).hash_one(&value))
}

/// An actor between two steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Actor {
    /// All answers so far.
    log: Vec<Answer>,
    /// Fingerprint of all that its future depends on.
    trail: [u64; 2],
    is_through: bool,
}

/// Where an actor was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checkpoint {
    answers: usize,
    trail: [u64; 2],
    is_through: bool,
}

impl Actor {
    const THROUGH: [u64; 2] = [u64::MAX; 2];

    /// Takes one step; false where it has to wait.
    pub(crate) fn step(
        &mut self,
        scenario: &Scenario,
        index: usize,
        world: &mut World,
        trace: Option<&mut Vec<String>>,
    ) -> bool {
        let turn = RefCell::new(Turn {
            world,
            actor: self,
            next: 0,
            has_stepped: false,
            trace,
        });
        let view = View { scenario, turn };
        let outcome = script::run(scenario.actors[index], &view);
        let has_stepped = view.turn.into_inner().has_stepped;
        if outcome.is_ok() {
            self.is_through = true;
            self.trail = Self::THROUGH;
            if scenario.is_awaited(index) {
                world.is_through(index);
            }
        }
        has_stepped || outcome.is_ok()
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            answers: self.log.len(),
            trail: self.trail,
            is_through: self.is_through,
        }
    }

    pub(crate) fn reset(&mut self, checkpoint: Checkpoint) {
        self.log.truncate(checkpoint.answers);
        self.trail = checkpoint.trail;
        self.is_through = checkpoint.is_through;
    }

    pub(crate) fn trail(&self) -> [u64; 2] {
        self.trail
    }

    pub(crate) fn is_through(&self) -> bool {
        self.is_through
    }

    /// It has begun and is not through.
    pub(crate) fn is_underway(&self) -> bool {
        !self.log.is_empty() && !self.is_through
    }
}

struct Turn<'a> {
    world: &'a mut World,
    actor: &'a mut Actor,
    /// The answer to be given next.
    next: usize,
    has_stepped: bool,
    trace: Option<&'a mut Vec<String>>,
}

impl Turn<'_> {
    fn ask(&mut self, op: Op) -> Result<Answer, Stop> {
        if let Some(answer) = self.actor.log.get(self.next) {
            self.next += 1;
            return Ok(*answer);
        }
        if self.has_stepped && (op.is_step() || op.is_prelude()) {
            return Err(Stop::Stepped);
        }
        let answer = self.world.perform(op).ok_or(Stop::Blocked)?;
        self.has_stepped |= op.is_step();
        self.next += 1;
        self.actor.log.push(answer);
        self.actor.trail = fingerprint((self.actor.trail, answer));
        if let Some(trace) = &mut self.trace {
            trace.extend(op.describe(self.world, answer));
        }
        Ok(answer)
    }
}

/// The world as a script sees it.
pub(crate) struct View<'a> {
    pub(crate) scenario: &'a Scenario,
    turn: RefCell<Turn<'a>>,
}

impl View<'_> {
    pub(crate) fn ask(&self, op: Op) -> Result<u64, Stop> {
        self.turn.borrow_mut().ask(op).map(|answer| answer[0])
    }

    /// Reads half of a record.
    pub(crate) fn read(&self, way: u32, half: usize) -> Result<Half, Stop> {
        self.turn.borrow_mut().ask(Op::Read(way, half))
    }

    /// What the script does from here on depends on `place` and `rest` and on nothing else that it
    /// knows: states that differ only in how an actor came to know it are one.
    pub(crate) fn forget_all_but(&self, place: u32, rest: impl Hash) {
        let turn = &mut *self.turn.borrow_mut();
        if turn.next == turn.actor.log.len() {
            turn.actor.trail = fingerprint((place, rest));
        }
    }

    pub(crate) fn usable(&self) -> u32 {
        self.scenario.ways.len() as u32
    }

    pub(crate) fn swap(
        &self,
        way: u32,
        from: State,
        to: State,
        how: Compare,
    ) -> Result<bool, Stop> {
        Ok(self.ask(Op::Swap(way, from, to, how))? == 1)
    }
}

impl Memory for View<'_> {
    type Stop = Stop;

    /// That a way is busy for ever need not be read anew: no step.
    fn state(&self, way: u32) -> Result<State, Stop> {
        const BUSY: State = State::from_word(1);
        if way >= self.usable() {
            return Ok(BUSY);
        }
        self.ask(Op::Load(way)).map(State::from_word)
    }

    fn swap(&self, way: u32, from: State, to: State) -> Result<bool, Stop> {
        Self::swap(self, way, from, to, Compare::Whole)
    }

    fn identity(&self, way: u32) -> Result<Identity, Stop> {
        let [table, _] = self.read(way, 0)?;
        let [handle, owner] = self.read(way, 1)?;
        Ok(Identity {
            key: Key { table, handle },
            owner: u64::from(owner as u32),
        })
    }

    fn stamp(&self, way: u32) -> Result<u64, Stop> {
        let [_, stamp] = self.read(way, 0)?;
        Ok(stamp)
    }

    fn write(&self, way: u32, record: &Acquired) -> Result<(), Stop> {
        for (half, value) in halves(record).into_iter().enumerate() {
            self.ask(Op::Write(way, half, value))?;
        }
        Ok(())
    }

    fn evict(&self, way: u32) -> Result<(), Stop> {
        self.ask(Op::Evict(way)).map(drop)
    }
}
