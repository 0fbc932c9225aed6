//! What is held, by whom, since when: the tenured generation.
//!
//! One task owns the ledger. It is pure: records come in as [`Event`]s, time comes in as stamps,
//! nothing is read or waited for. **Stamps decide, never the order of arrival**: a record may reach
//! the ledger through the ring or through a sweep of the nursery, long after a younger one.
//!
//! * A descriptor belongs to a table, and the kernel reuses the memory of a dead table at once. So
//!   a table is a row of *epochs* (`epoch`), each ended by a death, and a record belongs to the
//!   first epoch that had not ended by its stamp.
//! * A release removes only what is not younger than itself; an older acquisition never replaces a
//!   younger. Releases and exec snapshots are kept as marks until a sweep has ended that took
//!   everything as old as they are ([`Ledger::end_sweep`]), and late records are tested against
//!   them.
//! * At the death of a table its own bitmap is the truth (`bitmap`).

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod bitmap;
mod ends;
mod epoch;
mod foreign;
mod judgements;
mod life_cycle;
mod lifetimes;
pub mod memory;
mod mentions;
mod missed_ends;
mod owners;
pub mod population;
mod process;
pub mod processes;
pub mod releases;
pub mod short_lives;
pub mod space;
mod table_detaches;

use std::{collections::VecDeque, hash::Hash};

use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};

use self::{
    bitmap::Assembler,
    ends::Ends,
    epoch::{Epoch, Outcome},
    memory::Memory,
    population::Populations,
    processes::Processes,
};
pub use self::{
    epoch::{FileIdentity, HeldFd},
    judgements::{Judgement, Sweep},
};
use crate::model::{
    event::{Acquired, Event, Occasion, Released, SnapshotPart},
    ids::{Stamp, TableId},
    memory::{MappingId, Range},
    origin::StackId,
    persistent::ObjectId,
    resource::Call,
};

/// Most marks of releases kept at once. They live about two seconds, so this is 500 000 releases a
/// second that missed the nursery; beyond it the oldest are dropped and counted.
const MARKS: usize = 1 << 20;

/// Which handle: table, number and the stamp of its acquisition, which no other handle has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HandleId {
    /// Table.
    pub table: TableId,
    /// Number.
    pub fd: u32,
    /// When it was acquired.
    pub stamp: Stamp,
}

/// Which acquisition, of a descriptor or of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AcquisitionId {
    /// Of a descriptor.
    Handle(HandleId),
    /// Of memory.
    Mapping(MappingId),
    /// Of a file in memory.
    Object(ObjectId),
}

impl From<&Acquired> for HandleId {
    fn from(acquired: &Acquired) -> Self {
        Self {
            table: acquired.table,
            fd: acquired.fd,
            stamp: acquired.stamp,
        }
    }
}

/// Things that should not happen, counted so that they show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anomalies {
    /// Acquisitions of a number that was held already: the release in between was missed.
    pub replaced: u64,
    /// Marks dropped because there were too many.
    pub marks_dropped: u64,
    /// Snapshots given up incomplete.
    pub snapshots_broken: u64,
    /// Processes whose end was noticed only because their number was in use again, or gone.
    pub ends_missed: u64,
    /// Handles dropped because the end of their process was missed: neither released nor left for
    /// certain.
    pub unjudged: u64,
    /// Handles that the kernel no longer showed open when a finding was verified.
    pub refuted: u64,
    /// Missed ends that nobody was told of, because too many waited.
    pub ends_untold: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    tables: HashMap<TableId, VecDeque<Epoch>>,
    ends: Ends,
    marks: VecDeque<(Stamp, TableId, u32)>,
    assembler: Assembler,
    /// Table shared through `CLONE_FILES`, by thread group.
    shared: HashMap<u32, TableId>,
    /// Known processes.
    pub processes: Processes,
    /// Memory that is held.
    pub memory: Memory,
    /// What each process acquired and released, by kind.
    pub populations: Populations,
    /// What should not have happened.
    pub anomalies: Anomalies,
}

impl Ledger {
    /// Nothing held.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets go of the room that a storm of processes needed.
    fn give_back(&mut self) {
        give_back(&mut self.tables);
        self.processes.give_back();
        self.populations.give_back();
        self.marks.shrink_to(self.marks.len().saturating_mul(2));
    }

    /// Takes one record in.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Acquired(acquired) => self.acquired(acquired),
            Event::Released(released) => self.released(released),
            Event::Forked(forked) => self.forked(forked),
            Event::Execed(execed) => self.execed(execed),
            Event::Exited(exited) => self.exited(exited),
            Event::Snapshot(piece) => self.snapshot(piece),
            Event::Mapped(mapped) => self.memory.mapped(mapped, &mut self.populations),
            Event::Unmapped(unmapped) => self.memory.unmapped(unmapped, &mut self.populations),
            Event::Detached(detached) => self.memory.detached(detached, &mut self.populations),
            Event::Segment(segment) => self.memory.segment(segment),
            Event::Attached(attached) => self.memory.attached(attached, &mut self.populations),
            // No process holds it.
            Event::Created(_) => {}
        }
    }

    fn acquired(&mut self, acquired: Acquired) {
        if self.processes.is_missed(acquired.process) {
            return self.count_unjudged(1);
        }
        self.processes
            .seen(acquired.process, acquired.exec_id, acquired.table);
        self.processes.forget_seed(
            acquired.process,
            acquired.table,
            acquired.fd,
            acquired.stamp,
        );
        let held = HeldFd::from(acquired);
        self.populations.acquired(&held);
        let Acquired {
            process,
            table,
            stamp,
            ..
        } = acquired;
        let given_up = self.processes.gave_up(process, table, stamp);
        if given_up.is_some() && !self.epoch(table, stamp).was_shared {
            return self.populations.released(&held, given_up);
        }
        match self.epoch(table, stamp).acquire(held) {
            Outcome::Held => {}
            Outcome::Replaced(old) => {
                if !is_dup_onto(&acquired) {
                    self.anomalies.replaced = self.anomalies.replaced.saturating_add(1);
                }
                self.populations.released(&old, Some(stamp));
            }
            Outcome::Stale(closed_at) => self.populations.released(&held, closed_at),
        }
    }

    fn released(&mut self, released: Released) {
        let Released {
            stamp,
            table,
            fd,
            process,
        } = released;
        self.processes.forget_seed(process, table, fd, stamp);
        if let Some(held) = self.epoch(table, stamp).release(fd, stamp) {
            self.populations.released(&held, Some(stamp));
        }
        self.marks.push_back((stamp, table, fd));
        if self.marks.len() > MARKS {
            self.anomalies.marks_dropped = self.anomalies.marks_dropped.saturating_add(1);
            self.drop_oldest_mark();
        }
    }

    fn snapshot(&mut self, piece: SnapshotPart) {
        let (table, stamp, occasion) = (piece.table, piece.stamp, piece.occasion);
        let process = piece.process;
        let (bitmap, broken) = self.assembler.add(piece);
        self.anomalies.snapshots_broken = self.anomalies.snapshots_broken.saturating_add(broken);
        if let (Some(bitmap), Occasion::Exec | Occasion::Range) = (&bitmap, occasion) {
            if occasion == Occasion::Exec {
                self.processes.based(process, table, stamp, bitmap);
            } else {
                self.processes.narrowed(process, table, stamp, bitmap);
            }
            let closed = self.epoch(table, stamp).exec(stamp, bitmap.clone());
            self.close_all(closed, stamp);
        } else if let Some(bitmap) = bitmap {
            self.assembler.keep(table, stamp, bitmap);
        }
    }

    fn close_all(&mut self, closed: Vec<HeldFd>, at: Stamp) {
        for held in closed {
            self.populations.released(&held, Some(at));
        }
    }

    /// The epoch that a record of this table belongs to by its stamp.
    fn epoch(&mut self, table: TableId, stamp: Stamp) -> &mut Epoch {
        let epochs = self.tables.entry(table).or_default();
        let fits = |epoch: &Epoch| epoch.death.as_ref().is_none_or(|d| stamp <= d.exited.stamp);
        let index = epochs.iter().position(fits).unwrap_or(epochs.len());
        if index == epochs.len() {
            epochs.push_back(Epoch::default());
        }
        &mut epochs[index]
    }

    fn drop_oldest_mark(&mut self) {
        let Some((stamp, table, fd)) = self.marks.pop_front() else {
            return;
        };
        for epoch in self.tables.get_mut(&table).into_iter().flatten() {
            epoch.unmark(fd, stamp);
        }
    }

    /// Everything held by processes that live; in no order.
    pub fn held(&self) -> impl Iterator<Item = &HeldFd> {
        let epochs = self
            .tables
            .values()
            .flatten()
            .filter(|epoch| epoch.death.is_none());
        epochs.flat_map(|epoch| epoch.held.values())
    }

    /// Numbers that have a record in a table that lives.
    pub fn numbers_of(&self, table: TableId) -> HashSet<u32> {
        let epochs = self.tables.get(&table).into_iter().flatten();
        let living = epochs.filter(|epoch| epoch.death.is_none());
        living
            .flat_map(|epoch| epoch.held.keys().copied())
            .collect()
    }

    /// How many handles are held.
    pub fn held_count(&self) -> usize {
        self.held().count()
    }

    /// A handle that is held.
    pub fn get(&self, handle: HandleId) -> Option<&HeldFd> {
        let epochs = self.tables.get(&handle.table)?;
        let living = epochs.iter().filter(|epoch| epoch.death.is_none());
        let held = living.filter_map(|epoch| epoch.held.get(&handle.fd));
        held.into_iter()
            .find(|held| held.acquired.stamp == handle.stamp)
    }

    /// Whether something that was acquired is held still.
    pub fn holds(&self, acquisition: AcquisitionId) -> bool {
        match acquisition {
            AcquisitionId::Handle(handle) => self.get(handle).is_some(),
            AcquisitionId::Mapping(id) => self.memory.holds(id),
            AcquisitionId::Object(_) => false,
        }
    }

    /// Forgets a handle that the kernel does not show any more, as of `at`.
    pub fn refute(&mut self, handle: HandleId, at: Stamp) {
        let Some(epochs) = self.tables.get_mut(&handle.table) else {
            return;
        };
        let gone = epochs
            .iter_mut()
            .find_map(|epoch| epoch.remove(handle.fd, handle.stamp));
        if let Some(held) = gone {
            self.anomalies.refuted = self.anomalies.refuted.saturating_add(1);
            self.populations.released(&held, Some(at));
        }
    }

    /// Remembers where something was acquired.
    pub fn attribute(&mut self, acquisition: AcquisitionId, stack: StackId) {
        match acquisition {
            AcquisitionId::Handle(handle) => self.attribute_handle(handle, stack),
            AcquisitionId::Mapping(id) => {
                self.memory.attribute(id, stack, &mut self.populations);
            }
            AcquisitionId::Object(_) => {}
        }
    }

    /// Forgets memory that the kernel does not show any more.
    pub fn refute_memory(&mut self, id: MappingId, range: Range) {
        self.memory.refute(id, range, &mut self.populations);
    }

    fn attribute_handle(&mut self, handle: HandleId, stack: StackId) {
        let epochs = self.tables.get_mut(&handle.table).into_iter().flatten();
        let mut held = epochs.filter_map(|epoch| epoch.get_mut(handle.fd, handle.stamp));
        if let Some(held) = held.next() {
            let before = *held;
            held.stack = Some(stack);
            self.populations.attributed(&before, held);
        }
    }

    /// Remembers what a handle was when it was first looked at.
    pub fn set_identity(&mut self, handle: HandleId, identity: FileIdentity) {
        let epochs = self.tables.get_mut(&handle.table).into_iter().flatten();
        for epoch in epochs {
            if let Some(held) = epoch.get_mut(handle.fd, handle.stamp) {
                held.identity = Some(identity);
            }
        }
    }

    /// Bytes of state that a soak test watches: tables, marks and pending deaths.
    pub fn state_count(&self) -> usize {
        let epochs: usize = self.tables.values().map(VecDeque::len).sum();
        [
            self.marks.len(),
            self.ends.len(),
            self.shared.len(),
            self.processes.len(),
            self.processes.missed_len(),
            self.memory.state_count(),
        ]
        .iter()
        .fold(epochs, |sum, count| sum.saturating_add(*count))
    }
}

/// `dup2` and `dup3` close the number they are given, so that nothing was missed in between.
fn is_dup_onto(acquired: &Acquired) -> bool {
    matches!(acquired.call, Call::Dup2 | Call::Dup3)
}

/// Gives memory back where a table is far larger than what is in it, so that steady work, which
/// would need it again at once, keeps it.
fn give_back<K: Eq + Hash, V>(table: &mut HashMap<K, V>) {
    if table.capacity() / 4 > table.len() {
        table.shrink_to(table.len().saturating_mul(2));
    }
}

#[cfg(test)]
mod tests;
