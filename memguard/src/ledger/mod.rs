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
mod epoch;
pub mod population;
pub mod processes;

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};

pub use self::epoch::{Held, Seal};
use self::{
    bitmap::{Assembler, Bitmap},
    epoch::{Death, Epoch, Outcome},
    population::Populations,
    processes::{Process, Processes},
};
use crate::model::{
    event::{Acquired, Event, Execed, Exited, Forked, Occasion, Piece, Released},
    ids::{ProcessId, Stamp, TableId},
    resource::Call,
};

/// Most marks of releases kept at once. They live about two seconds, so this is 500 000 releases a
/// second that missed the nursery; beyond it the oldest are dropped and counted.
const MARKS: usize = 1 << 20;

/// Which handle: table, number and the stamp of its acquisition, which no other handle has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandleId {
    /// Table.
    pub table: TableId,
    /// Number.
    pub fd: u32,
    /// When it was acquired.
    pub stamp: Stamp,
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

/// A process that ended, judged.
#[derive(Debug)]
pub struct Judgement {
    /// The end.
    pub exited: Exited,
    /// What is known of the process.
    pub process: Process,
    /// What it acquired and held at its end; by number.
    pub left: Vec<Held>,
    /// What was open at its end, was not at its beginning, and has no record: of unknown origin.
    pub unknown: Vec<u32>,
    /// Judged against the kernel's bitmap. False where that was lost: `left` is what the ledger
    /// believes.
    pub verified: bool,
}

/// Things that should not happen, counted so that they show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
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
}

/// A sweep under way; see [`Ledger::begin_sweep`].
#[derive(Debug)]
#[must_use = "deaths are judged only when the sweep is ended"]
pub struct Sweep {
    deaths: usize,
    /// Tables that died, with the stamp of their death: everything in them up to that stamp is to
    /// be swept, however young.
    pub dead: HashMap<TableId, Stamp>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    tables: HashMap<TableId, VecDeque<Epoch>>,
    /// Deaths not judged yet, in order of arrival.
    deaths: VecDeque<(TableId, Stamp)>,
    /// What threads with tables of their own held when their whole process ended, until that is
    /// judged.
    strays: HashMap<ProcessId, Vec<Held>>,
    /// Ends of processes whose table lives on in another process, not judged yet.
    survived: VecDeque<Exited>,
    marks: VecDeque<(Stamp, TableId, u32)>,
    assembler: Assembler,
    /// Table shared through `CLONE_FILES`, by thread group.
    shared: HashMap<u32, TableId>,
    /// Known processes.
    pub processes: Processes,
    /// What each process acquired and released, by kind.
    pub populations: Populations,
    /// What should not have happened.
    pub oddities: Oddities,
}

impl Ledger {
    /// Nothing held.
    pub fn new() -> Self {
        Self::default()
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
        }
    }

    fn acquired(&mut self, acquired: Acquired) {
        self.processes
            .seen(acquired.process, acquired.exec_id, acquired.table);
        self.processes.forget_seed(acquired.process, acquired.fd);
        self.populations.acquired(&acquired);
        match self.epoch(acquired.table, acquired.stamp).acquire(acquired) {
            Outcome::Held => {}
            Outcome::Replaced(old) => {
                if !is_dup_onto(&acquired) {
                    self.oddities.replaced = self.oddities.replaced.saturating_add(1);
                }
                self.populations
                    .released(&old.acquired, Some(acquired.stamp));
            }
            Outcome::Stale(closed_at) => self.populations.released(&acquired, closed_at),
        }
    }

    fn released(&mut self, released: Released) {
        let Released {
            stamp,
            table,
            fd,
            process,
        } = released;
        self.processes.forget_seed(process, fd);
        if let Some(held) = self.epoch(table, stamp).release(fd, stamp) {
            self.populations.released(&held.acquired, Some(stamp));
        }
        self.marks.push_back((stamp, table, fd));
        if self.marks.len() > MARKS {
            self.oddities.marks_dropped = self.oddities.marks_dropped.saturating_add(1);
            self.drop_oldest_mark();
        }
    }

    fn forked(&mut self, forked: Forked) {
        if let Some(missed) = self.processes.forked(&forked) {
            self.missed_end(missed);
        }
        if forked.shares_table {
            let epoch = self.epoch(forked.table, forked.stamp);
            epoch.share(forked.parent.tgid);
            epoch.share(forked.child);
            self.shared.insert(forked.parent.tgid, forked.table);
            self.shared.insert(forked.child, forked.table);
        }
    }

    fn execed(&mut self, execed: Execed) {
        if let Some(missed) = self.processes.execed(&execed) {
            self.missed_end(missed);
        }
        // Exec gives the process a table of its own.
        self.unshare(execed.process.tgid, execed.table);
        if execed.snapshot_lost {
            self.oddities.snapshots_broken = self.oddities.snapshots_broken.saturating_add(1);
        }
    }

    fn unshare(&mut self, tgid: u32, now_in: TableId) {
        let Some(table) = self
            .shared
            .get(&tgid)
            .copied()
            .filter(|table| *table != now_in)
        else {
            return;
        };
        self.shared.remove(&tgid);
        for epoch in self.tables.get_mut(&table).into_iter().flatten() {
            epoch.unshare(tgid);
        }
    }

    fn snapshot(&mut self, piece: Piece) {
        let (table, stamp, occasion) = (piece.table, piece.stamp, piece.occasion);
        let process = piece.process;
        let (bitmap, broken) = self.assembler.add(piece);
        self.oddities.snapshots_broken = self.oddities.snapshots_broken.saturating_add(broken);
        if let (Some(bitmap), Occasion::Exec | Occasion::Range) = (&bitmap, occasion) {
            if occasion == Occasion::Exec {
                self.processes.based(process, table, bitmap);
            } else {
                self.processes.narrowed(process, bitmap);
            }
            let closed = self.epoch(table, stamp).exec(stamp, bitmap.clone());
            self.close_all(closed, stamp);
        } else if let Some(bitmap) = bitmap {
            self.assembler.keep(table, stamp, bitmap);
        }
    }

    /// The first sign of a table's end counts: a group's last thread and a table's last user may
    /// both report, and the kernel cannot have given the memory away before the second does.
    fn exited(&mut self, exited: Exited) {
        let truth = self.assembler.take(exited.table, exited.stamp);
        if self.processes.was_buried(exited.process) {
            return;
        }
        if exited.group_dead {
            if let Some(missed) = self.processes.exited(&exited) {
                self.missed_end(missed);
            }
            self.shared.remove(&exited.process.tgid);
        }
        if self.is_repeat(&exited) {
            return;
        }
        let epoch = self.epoch(exited.table, exited.stamp);
        if exited.group_dead && !epoch.unshare(exited.process.tgid) && !exited.last_user {
            self.survived.push_back(exited);
            return;
        }
        let closed = epoch.die(Death { exited, truth });
        self.deaths.push_back((exited.table, exited.stamp));
        self.close_all(closed, exited.stamp);
    }

    fn is_repeat(&self, exited: &Exited) -> bool {
        let last = self
            .tables
            .get(&exited.table)
            .and_then(|epochs| epochs.iter().rev().find_map(|epoch| epoch.death.as_ref()));
        last.is_some_and(|death| death.exited.group_dead && death.exited.process == exited.process)
    }

    fn close_all(&mut self, closed: Vec<Held>, at: Stamp) {
        for held in closed {
            self.populations.released(&held.acquired, Some(at));
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

    /// Before a sweep of the nursery: which tables to sweep whatever the age of their records. What
    /// has died by now is judged by [`Ledger::end_sweep`].
    pub fn begin_sweep(&self) -> Sweep {
        let mut dead: HashMap<TableId, Stamp> = HashMap::new();
        for (table, stamp) in &self.deaths {
            let latest = dead.entry(*table).or_insert(*stamp);
            *latest = (*latest).max(*stamp);
        }
        Sweep {
            deaths: self.deaths.len(),
            dead,
        }
    }

    /// After the sweep: everything it took is applied, and the ring is drained past its end.
    /// `cutoff` is the stamp up to which the sweep took every record. Judges the deaths known
    /// when it began, and drops the marks that no late record can need any more.
    pub fn end_sweep(&mut self, sweep: Sweep, cutoff: Stamp) -> Vec<Judgement> {
        let mut judged = Vec::new();
        let known = sweep.deaths.min(self.deaths.len());
        let mut deaths: Vec<_> = self.deaths.drain(..known).collect();
        // Threads first: what they held is judged with their process.
        deaths.sort_by_key(|(table, stamp)| self.ends_process(*table, *stamp));
        for (table, stamp) in deaths {
            judged.extend(self.judge(table, stamp));
        }
        while let Some(exited) = self.survived.pop_front() {
            judged.extend(self.conclude(exited, Vec::new(), Some(&Bitmap::default())));
        }
        while self
            .marks
            .front()
            .is_some_and(|(stamp, ..)| *stamp <= cutoff)
        {
            self.drop_oldest_mark();
        }
        self.tables.retain(|_, epochs| {
            for epoch in epochs.iter_mut() {
                epoch.forget_execs(cutoff);
            }
            epochs.retain(|epoch| !epoch.is_empty());
            !epochs.is_empty()
        });
        judged
    }

    fn ends_process(&self, table: TableId, stamp: Stamp) -> bool {
        let deaths = self.tables.get(&table).into_iter().flatten();
        let mut deaths = deaths.filter_map(|epoch| epoch.death.as_ref());
        deaths.any(|death| death.exited.stamp == stamp && death.exited.group_dead)
    }

    fn judge(&mut self, table: TableId, stamp: Stamp) -> Option<Judgement> {
        let epochs = self.tables.get_mut(&table)?;
        let index = epochs.iter().position(|epoch| {
            epoch
                .death
                .as_ref()
                .is_some_and(|death| death.exited.stamp == stamp)
        })?;
        let (death, held) = epochs.remove(index)?.bury()?;
        if death.exited.group_dead {
            return self.conclude(death.exited, held, death.truth.as_ref());
        }
        if death.exited.group_exit {
            let strays = self.strays.entry(death.exited.process).or_default();
            strays.extend(held);
            return None;
        }
        // A thread with a table of its own: the kernel closed it all while the process goes on.
        self.close_all(held, stamp);
        None
    }

    fn conclude(
        &mut self,
        exited: Exited,
        left: Vec<Held>,
        truth: Option<&Bitmap>,
    ) -> Option<Judgement> {
        self.tables.remove(&TableId::standin(exited.process.tgid));
        let Some(process) = self.processes.buried(&exited) else {
            self.strays.remove(&exited.process);
            return None;
        };
        let open = truth.into_iter().flat_map(Bitmap::open);
        let unknown = match process.baseline_of(exited.table) {
            Some(baseline) => open
                .filter(|fd| !baseline.contains(fd) && !is_among(&left, *fd))
                .collect(),
            None => Vec::new(),
        };
        let verified = truth.is_some();
        let mut left = left;
        left.extend(self.strays.remove(&exited.process).unwrap_or_default());
        Some(Judgement {
            exited,
            process,
            left,
            unknown,
            verified,
        })
    }

    fn drop_oldest_mark(&mut self) {
        let Some((stamp, table, fd)) = self.marks.pop_front() else {
            return;
        };
        for epoch in self.tables.get_mut(&table).into_iter().flatten() {
            epoch.unmark(fd, stamp);
        }
    }

    /// A process ended and no record said so: its handles are neither released nor left for
    /// certain.
    pub fn missed_end(&mut self, process: ProcessId) {
        self.oddities.ends_missed = self.oddities.ends_missed.saturating_add(1);
        let mut dropped = 0u64;
        for epoch in self.tables.values_mut().flatten() {
            dropped = dropped.saturating_add(epoch.drop_owned_by(process));
        }
        self.oddities.unjudged = self.oddities.unjudged.saturating_add(dropped);
        self.populations.forget(process);
        self.processes.remove(process);
    }

    /// Everything held by processes that live; in no order.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
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

    /// Forgets a handle that the kernel does not show any more, as of `at`.
    pub fn refute(&mut self, handle: HandleId, at: Stamp) {
        let Some(epochs) = self.tables.get_mut(&handle.table) else {
            return;
        };
        let gone = epochs
            .iter_mut()
            .find_map(|epoch| epoch.remove(handle.fd, handle.stamp));
        if let Some(held) = gone {
            self.oddities.refuted = self.oddities.refuted.saturating_add(1);
            self.populations.released(&held.acquired, Some(at));
        }
    }

    /// Remembers what a handle was when it was first looked at.
    pub fn seal(&mut self, handle: HandleId, seal: Seal) {
        let epochs = self.tables.get_mut(&handle.table).into_iter().flatten();
        for epoch in epochs {
            if let Some(held) = epoch.held.get_mut(&handle.fd)
                && held.acquired.stamp == handle.stamp
            {
                held.seal = Some(seal);
            }
        }
    }

    /// Bytes of state that a soak test watches: tables, marks and pending deaths.
    pub fn state_count(&self) -> usize {
        let epochs: usize = self.tables.values().map(VecDeque::len).sum();
        [
            self.marks.len(),
            self.deaths.len(),
            self.shared.len(),
            self.processes.len(),
        ]
        .iter()
        .fold(epochs, |sum, count| sum.saturating_add(*count))
    }
}

/// Whether a number is among these, which are sorted by it.
fn is_among(held: &[Held], fd: u32) -> bool {
    held.binary_search_by_key(&fd, |held| held.acquired.fd)
        .is_ok()
}

/// `dup2` and `dup3` close the number they are given, so that nothing was missed in between.
fn is_dup_onto(acquired: &Acquired) -> bool {
    matches!(acquired.call, Call::Dup2 | Call::Dup3)
}

#[cfg(test)]
mod tests;
