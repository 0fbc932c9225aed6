//! Ends of tables and of processes, and what is judged at them.
//!
//! A table ends with its last user, which reads that nobody else is left. Threads that exit
//! together may all read more, so each says that it *parts* from the table while only a few use
//! it: at the end of the process, which has no other thread left to use it, the last of these
//! partings is the end of the table.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::{
    Ledger,
    bitmap::Bitmap,
    epoch::{Death, Held},
    processes::Process,
};
use crate::model::{
    event::Exited,
    ids::{ProcessId, Stamp, TableId},
};

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

/// A sweep under way; see [`Ledger::begin_sweep`].
#[derive(Debug)]
#[must_use = "deaths are judged only when the sweep is ended"]
pub struct Sweep {
    deaths: usize,
    survived: usize,
    /// Tables, and address spaces, that died, with the stamp of their death: everything in them up
    /// to that stamp is to be swept, however young.
    pub dead: HashMap<TableId, Stamp>,
}

/// A thread that ended while others of the process, or of another one, may still use its table.
#[derive(Debug)]
pub(super) struct Parting {
    /// The latest.
    exited: Exited,
    /// What it saw.
    truth: Option<Bitmap>,
    users: Users,
}

/// Who used a table that threads of one process parted from.
#[derive(Clone, Copy, Debug)]
struct Users {
    /// How many threads of the process parted from it.
    parted: u32,
    /// How many users the first of them saw.
    seen: u32,
}

impl Users {
    fn one(exited: &Exited) -> Self {
        let (parted, seen) = (1, exited.users);
        Self { parted, seen }
    }

    fn and(self, other: Self) -> Self {
        Self {
            parted: self.parted.saturating_add(other.parted),
            seen: self.seen.max(other.seen),
        }
    }

    /// Everybody who used the table has parted, whatever fork records say: `unshare(2)` leaves
    /// none.
    fn are_all_parted(self) -> bool {
        self.parted >= self.seen
    }
}

impl Parting {
    fn new(exited: Exited, truth: Option<Bitmap>) -> Self {
        let users = Users::one(&exited);
        Self {
            exited,
            truth,
            users,
        }
    }

    fn then(&mut self, other: Self) {
        self.users = self.users.and(other.users);
        if other.exited.stamp > self.exited.stamp {
            (self.exited, self.truth) = (other.exited, other.truth);
        }
    }
}

/// Deaths that are not judged yet.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Tables that died, in order of arrival.
    pub(super) deaths: VecDeque<(TableId, Stamp)>,
    /// What threads with tables of their own held when their whole process ended.
    strays: HashMap<ProcessId, Vec<Held>>,
    /// Ends of processes whose table lives on in another process.
    survived: VecDeque<Exited>,
    /// Of processes that have not ended: the latest parting from each table.
    partings: HashMap<ProcessId, Vec<Parting>>,
}

impl Ends {
    /// How many things wait to be judged.
    pub(super) fn len(&self) -> usize {
        self.deaths
            .len()
            .saturating_add(self.strays.len())
            .saturating_add(self.survived.len())
            .saturating_add(self.partings.len())
    }

    /// The process goes on with one table.
    pub(super) fn forget_partings(&mut self, process: ProcessId) {
        self.partings.remove(&process);
    }

    fn forget(&mut self, process: ProcessId) {
        self.forget_partings(process);
        self.strays.remove(&process);
    }

    /// What ended with a table: the process, where its end is told already and its table was
    /// believed to live on in others.
    fn end_of(&mut self, parting: Exited) -> Exited {
        let same =
            |known: &Exited| known.process == parting.process && known.table == parting.table;
        let index = self.survived.iter().position(same);
        index
            .and_then(|index| self.survived.remove(index))
            .unwrap_or(parting)
    }

    /// Whether all other users of the table have parted from it, this one being the last.
    fn is_last_parting(&self, exited: &Exited) -> bool {
        let partings = self.partings.get(&exited.process).into_iter().flatten();
        let mut same = partings.filter(|known| known.exited.table == exited.table);
        same.any(|known| known.users.and(Users::one(exited)).are_all_parted())
    }

    fn part(&mut self, parting: Parting) {
        let partings = self.partings.entry(parting.exited.process).or_default();
        let same = |known: &&mut Parting| known.exited.table == parting.exited.table;
        match partings.iter_mut().find(same) {
            Some(known) => known.then(parting),
            None => partings.push(parting),
        }
    }
}

impl Ledger {
    /// The first sign of a table's end counts: a group's last thread and a table's last user may
    /// both report, and the kernel cannot have given the memory away before the second does.
    pub(super) fn exited(&mut self, exited: Exited) {
        let truth = self.assembler.take(exited.table, exited.stamp);
        if self.processes.was_buried(exited.process) {
            return;
        }
        self.memory.exited(&exited);
        if !exited.group_dead && !exited.is_last_user() {
            return self.parted(Parting::new(exited, truth));
        }
        if exited.group_dead {
            if let Some(missed) = self.processes.exited(&exited) {
                self.missed_end(missed);
            }
            self.shared.remove(&exited.process.tgid);
        }
        if !self.is_repeat(&exited) {
            self.end_table(exited, truth);
        }
        if exited.group_dead {
            self.end_partings(exited.process, exited.stamp);
        }
    }

    fn end_table(&mut self, exited: Exited, truth: Option<Bitmap>) {
        let all = exited.is_last_user() || self.ends.is_last_parting(&exited);
        let epoch = self.epoch(exited.table, exited.stamp);
        if exited.group_dead && !epoch.unshare(exited.process.tgid) && !all {
            self.ends.survived.push_back(exited);
            return self.ends.part(Parting::new(exited, truth));
        }
        let seen = exited.stamp;
        self.die(Death {
            exited,
            seen,
            truth,
        });
    }

    fn die(&mut self, death: Death) {
        let (table, stamp) = (death.exited.table, death.exited.stamp);
        let closed = self.epoch(table, stamp).die(death);
        self.ends.deaths.push_back((table, stamp));
        self.close_all(closed, stamp);
    }

    fn parted(&mut self, parting: Parting) {
        let Exited { process, stamp, .. } = parting.exited;
        self.ends.part(parting);
        if self.processes.has_ended(process) {
            self.end_partings(process, stamp);
        }
    }

    /// Ends the tables that threads of a process parted from, the process having ended at `stamp`,
    /// or become another program.
    pub(super) fn end_partings(&mut self, process: ProcessId, stamp: Stamp) {
        let partings = self.ends.partings.remove(&process).unwrap_or_default();
        for parting in partings {
            if let Some(parting) = self.end_parted(parting, stamp) {
                self.ends.part(parting);
            }
        }
    }

    /// Gives a parting back from a table that may be in use still: by another process, or by a
    /// thread whose parting has not arrived.
    fn end_parted(&mut self, parting: Parting, stamp: Stamp) -> Option<Parting> {
        let Parting { exited, .. } = &parting;
        let (seen, has_ended) = (exited.stamp, self.processes.has_ended(exited.process));
        let epoch = self.epoch(exited.table, seen);
        if epoch.death.is_some() {
            return None;
        }
        // A thread that execs goes on, and uses the table of those that ended for it.
        let alone = has_ended && epoch.unshare(exited.process.tgid);
        if !alone && !parting.users.are_all_parted() {
            return Some(parting);
        }
        let Parting { exited, truth, .. } = parting;
        let exited = self.ends.end_of(exited);
        let stamp = stamp.max(seen);
        self.die(Death {
            exited: Exited { stamp, ..exited },
            seen,
            truth,
        });
        None
    }

    fn is_repeat(&self, exited: &Exited) -> bool {
        let last = self
            .tables
            .get(&exited.table)
            .and_then(|epochs| epochs.iter().rev().find_map(|epoch| epoch.death.as_ref()));
        last.is_some_and(|death| death.exited.group_dead && death.exited.process == exited.process)
    }

    /// Before a sweep of the nursery: which tables to sweep whatever the age of their records. What
    /// has died by now is judged by [`Ledger::end_sweep`].
    pub fn begin_sweep(&self) -> Sweep {
        let mut dead: HashMap<TableId, Stamp> = HashMap::new();
        for (table, stamp) in &self.ends.deaths {
            let latest = dead.entry(*table).or_insert(*stamp);
            *latest = (*latest).max(*stamp);
        }
        // Of an address space too, whose address may be the next one's at once.
        let spaces = self.memory.ended();
        dead.extend(spaces.map(|(space, stamp)| (TableId(space.0), stamp)));
        Sweep {
            deaths: self.ends.deaths.len(),
            survived: self.ends.survived.len(),
            dead,
        }
    }

    /// After the sweep: everything it took is applied, and the ring is drained past its end.
    /// `cutoff` is the stamp up to which the sweep took every record. Judges the deaths known
    /// when it began, and drops the marks that no late record can need any more.
    pub fn end_sweep(&mut self, sweep: Sweep, cutoff: Stamp) -> Vec<Judgement> {
        let mut judged = Vec::new();
        let known = sweep.deaths.min(self.ends.deaths.len());
        let mut deaths: Vec<_> = self.ends.deaths.drain(..known).collect();
        // Threads first: what they held is judged with their process.
        deaths.sort_by_key(|(table, stamp)| self.ends_process(*table, *stamp));
        for (table, stamp) in deaths {
            judged.extend(self.judge(table, stamp));
        }
        let known = sweep.survived.min(self.ends.survived.len());
        let survived: Vec<_> = self.ends.survived.drain(..known).collect();
        for exited in survived {
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
        self.memory.forget(cutoff);
        self.give_back();
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
        let epoch = epochs.remove(index)?;
        let was_shared = epoch.was_shared;
        let (death, mut held) = epoch.bury()?;
        if death.exited.group_dead && !was_shared {
            // The end of who acquired the others was missed, and the memory used again.
            let before = held.len();
            held.retain(|held| held.acquired.process == death.exited.process);
            let missed = before.saturating_sub(held.len()) as u64;
            self.oddities.unjudged = self.oddities.unjudged.saturating_add(missed);
        }
        if death.exited.group_dead {
            return self.conclude(death.exited, held, death.truth.as_ref());
        }
        let held = self.hand_on(table, &death, held);
        if death.exited.group_exit && !self.processes.was_buried(death.exited.process) {
            let strays = self.ends.strays.entry(death.exited.process).or_default();
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
            self.ends.forget(exited.process);
            return None;
        };
        self.drop_unended(exited, &process);
        let open = truth.into_iter().flat_map(Bitmap::open);
        let unknown = match process.baseline_of(exited.table) {
            Some(baseline) => open
                .filter(|fd| !baseline.contains(fd) && !is_among(&left, *fd))
                .collect(),
            None => Vec::new(),
        };
        let verified = truth.is_some();
        let mut left = left;
        left.extend(self.ends.strays.remove(&exited.process).unwrap_or_default());
        self.ends.forget(exited.process);
        Some(Judgement {
            exited,
            process,
            left,
            unknown,
            verified,
        })
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
        self.memory.missed_end(process);
        self.populations.forget(process);
        self.processes.remove(process);
        self.ends.forget(process);
    }

    /// A table that several threads parted from may have ended a little before the process did.
    /// What others acquired at its address since is theirs; returns the rest.
    fn hand_on(&mut self, table: TableId, death: &Death, held: Vec<Held>) -> Vec<Held> {
        let Death { exited, seen, .. } = death;
        let (own, others): (Vec<_>, Vec<_>) = held.into_iter().partition(|held| {
            held.acquired.stamp <= *seen || held.acquired.process == exited.process
        });
        for held in others {
            let epoch = self.epoch(table, exited.stamp.next());
            epoch.held.entry(held.acquired.fd).or_insert(held);
        }
        own
    }

    /// What an ended process acquired in tables whose end no record has told, and that no other
    /// process shares: the record was lost, and the table's address may be somebody else's already.
    fn drop_unended(&mut self, exited: Exited, process: &Process) {
        for table in &process.tables {
            let epochs = self.tables.get_mut(table).into_iter().flatten();
            for epoch in epochs.filter(|epoch| !epoch.is_shared()) {
                let dropped = epoch.drop_owned_by(exited.process);
                self.oddities.unjudged = self.oddities.unjudged.saturating_add(dropped);
            }
        }
    }
}

/// Whether a number is among these, which are sorted by it.
fn is_among(held: &[Held], fd: u32) -> bool {
    held.binary_search_by_key(&fd, |held| held.acquired.fd)
        .is_ok()
}
