//! The memory as an actor sees it that keeps to another protocol than the one that is written down.

use memguard_common::{
    event::Acquired,
    nursery::{Identity, Key, Memory, Phase, State},
};

use super::{
    actor::{Stop, View},
    op::Compare,
    scenario::Change,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Acquire,
    TakeBack,
    Release,
}

/// See the module.
pub(crate) struct Changed<'a, 'w> {
    view: &'a View<'w>,
    task: Task,
    identity: Identity,
}

impl<'a, 'w> Changed<'a, 'w> {
    pub(crate) fn acquiring(view: &'a View<'w>, record: &Acquired) -> Self {
        Self {
            view,
            task: Task::Acquire,
            identity: Identity::of(record),
        }
    }

    pub(crate) fn taking_back(view: &'a View<'w>, record: &Acquired) -> Self {
        Self {
            task: Task::TakeBack,
            ..Self::acquiring(view, record)
        }
    }

    pub(crate) fn releasing(view: &'a View<'w>, identity: &Identity) -> Self {
        Self {
            view,
            task: Task::Release,
            identity: *identity,
        }
    }

    fn change(&self) -> Option<(Change, Task)> {
        self.view.scenario.change.map(|change| (change, self.task))
    }
}

impl Memory for Changed<'_, '_> {
    type Stop = Stop;

    fn state(&self, way: u32) -> Result<State, Stop> {
        self.view.state(way)
    }

    fn swap(&self, way: u32, from: State, to: State) -> Result<bool, Stop> {
        let (from, to, how) = match self.change() {
            Some((Change::ReleaseStores, Task::Release)) => (from, to, Compare::Nothing),
            Some((Change::NoGenerations, _)) => (from, to, Compare::AllButGeneration),
            Some((Change::TakesBackAnything, Task::TakeBack)) => {
                let now = self.view.state(way)?;
                if now.phase() != Phase::Live {
                    return Ok(false);
                }
                (now, now.emptied(), Compare::Whole)
            }
            _ => (from, to, Compare::Whole),
        };
        self.view.swap(way, from, to, how)
    }

    fn identity(&self, way: u32) -> Result<Identity, Stop> {
        let [table, _] = self.view.read(way, 0)?;
        let [handle, owner] = self.view.read(way, 1)?;
        let key = Key { table, handle };
        let owner = u64::from(owner as u32);
        Ok(match self.change() {
            Some((Change::AnyIdentity, Task::Release)) => self.identity,
            Some((Change::StrangerReplaced, Task::Acquire)) if key == self.identity.key => {
                self.identity
            }
            _ => Identity { key, owner },
        })
    }

    fn stamp(&self, way: u32) -> Result<u64, Stop> {
        match self.change() {
            Some((Change::YoungerReplaced, Task::Acquire)) => Ok(0),
            _ => self.view.stamp(way),
        }
    }

    fn write(&self, way: u32, record: &Acquired) -> Result<(), Stop> {
        if self.change() == Some((Change::EarlyPublication, Task::Acquire)) {
            let claim = self.view.state(way)?;
            let live = State::from_word(claim.word() & !0b11 | 0b10);
            self.view.swap(way, claim, live, Compare::Whole)?;
        }
        self.view.write(way, record)
    }

    fn evict(&self, way: u32) -> Result<(), Stop> {
        self.view.evict(way)
    }
}
