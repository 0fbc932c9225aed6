//! Ends of tables and of processes; `judgements` judges them.
//!
//! A table ends with its last user, which reads that nobody else is left. Threads that exit
//! together may all read more, so each says that it *detaches* from the table while only a few use
//! it: at the end of the process, which has no other thread left to use it, the last of these
//! detachments is the end of the table.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::{
    Ledger,
    bitmap::Bitmap,
    epoch::{Death, HeldFd},
    table_detaches::{TableDetach, Users},
};
use crate::model::{
    event::Exited,
    ids::{ProcessId, Stamp, TableId},
};

/// Of so many descriptors of one process it is kept that a thread of it left them.
const LEFT_BY_THREADS: usize = 1024;

/// Deaths that are not judged yet.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Tables that died, in order of arrival.
    pub(super) deaths: VecDeque<(TableId, Stamp)>,
    /// What threads with tables of their own held when their whole process ended.
    pub(super) detached_fds: HashMap<ProcessId, Vec<HeldFd>>,
    /// What threads with tables of their own held when they ended before their process, which goes
    /// on: closed since, and told with its end.
    left_by_threads: HashMap<ProcessId, Vec<HeldFd>>,
    /// Ends of processes whose table lives on in another process.
    pub(super) survived: VecDeque<Exited>,
    /// Of processes that have not ended: the latest detachment from each table.
    table_detaches: HashMap<ProcessId, Vec<TableDetach>>,
}

impl Ends {
    /// How many things wait to be judged.
    pub(super) fn len(&self) -> usize {
        self.deaths
            .len()
            .saturating_add(self.detached_fds.len())
            .saturating_add(self.left_by_threads.len())
            .saturating_add(self.survived.len())
            .saturating_add(self.table_detaches.len())
    }

    /// The process goes on with one table.
    pub(super) fn forget_detaches(&mut self, process: ProcessId) {
        self.table_detaches.remove(&process);
    }

    pub(super) fn forget(&mut self, process: ProcessId) {
        self.forget_detaches(process);
        self.detached_fds.remove(&process);
        self.left_by_threads.remove(&process);
    }

    /// Returns how many there was no room for.
    pub(super) fn left_by_thread(&mut self, process: ProcessId, held: &[HeldFd]) -> usize {
        if held.is_empty() {
            return 0;
        }
        let left = self.left_by_threads.entry(process).or_default();
        let room = LEFT_BY_THREADS.saturating_sub(left.len());
        left.extend(held.iter().take(room));
        held.len().saturating_sub(room)
    }

    /// Of the last image of the process alone.
    pub(super) fn take_left_by_threads(&mut self, exited: &Exited) -> Vec<HeldFd> {
        let left = self.left_by_threads.remove(&exited.process);
        let mut left = left.unwrap_or_default();
        left.retain(|held| held.acquired.exec_id >= exited.exec_id);
        left
    }

    /// How many entries are about a process.
    pub(super) fn mentions(&self, process: ProcessId) -> usize {
        let survived = self.survived.iter().filter(|end| end.process == process);
        let detached = self.detached_fds.contains_key(&process);
        let left = self.left_by_threads.contains_key(&process);
        let detaches = self.table_detaches.contains_key(&process);
        [detached, left, detaches]
            .into_iter()
            .fold(survived.count(), |sum, found| {
                sum.saturating_add(usize::from(found))
            })
    }

    /// What ended with a table: the process, where its end is told already and its table was
    /// believed to live on in others.
    fn end_of(&mut self, detach: Exited) -> Exited {
        let same = |known: &Exited| known.process == detach.process && known.table == detach.table;
        let index = self.survived.iter().position(same);
        index
            .and_then(|index| self.survived.remove(index))
            .unwrap_or(detach)
    }

    /// Whether all other users of the table have detached from it, this one being the last.
    fn is_last_detach(&self, exited: &Exited) -> bool {
        let detaches = self
            .table_detaches
            .get(&exited.process)
            .into_iter()
            .flatten();
        let mut same = detaches.filter(|known| known.exited.table == exited.table);
        same.any(|known| known.users.and(Users::one(exited)).have_all_detached())
    }

    fn add_detach(&mut self, detach: TableDetach) {
        let detaches = self
            .table_detaches
            .entry(detach.exited.process)
            .or_default();
        let same = |known: &&mut TableDetach| known.exited.table == detach.exited.table;
        match detaches.iter_mut().find(same) {
            Some(known) => known.then(detach),
            None => detaches.push(detach),
        }
    }
}

impl Ledger {
    /// The first sign of a table's end counts: a group's last thread and a table's last user may
    /// both report, and the kernel cannot have given the memory away before the second does.
    pub(super) fn exited(&mut self, exited: Exited) {
        let truth = self.assembler.take(exited.table, exited.stamp);
        if self.processes.has_finished_exit(exited.process) {
            return;
        }
        // What was told as missed is not told again, but the kernel's word on the table counts.
        let was_missed = self.processes.is_missed(exited.process);
        if was_missed && !exited.is_last_user() {
            return self.memory.exited(&exited);
        }
        if exited.group_dead && !was_missed {
            self.group_ended(&exited);
        }
        self.memory.exited(&exited);
        if !exited.group_dead && !exited.is_last_user() {
            return self.detached(TableDetach::new(exited, truth));
        }
        if !self.is_repeat(&exited) {
            self.end_table(exited, truth);
        }
        if exited.group_dead {
            self.end_detached_tables(exited.process, exited.stamp);
        }
    }

    fn group_ended(&mut self, exited: &Exited) {
        let tgid = exited.process.tgid;
        if let Some(missed) = self.processes.exited(exited) {
            self.missed_end(missed, exited.stamp);
            self.forget_number(tgid);
        }
        self.unshare(tgid, exited.table);
        self.shared.remove(&tgid);
    }

    fn end_table(&mut self, exited: Exited, truth: Option<Bitmap>) {
        let all = exited.is_last_user() || self.ends.is_last_detach(&exited);
        let epoch = self.epoch(exited.table, exited.stamp);
        if exited.group_dead && !epoch.unshare(exited.process.tgid) && !all {
            self.ends.survived.push_back(exited);
            return self.ends.add_detach(TableDetach::new(exited, truth));
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

    fn detached(&mut self, detach: TableDetach) {
        let Exited { process, stamp, .. } = detach.exited;
        self.ends.add_detach(detach);
        if self.processes.has_ended(process) {
            self.end_detached_tables(process, stamp);
        }
    }

    /// Ends the tables that threads of a process detached from, the process having ended at
    /// `stamp`, or become another program.
    pub(super) fn end_detached_tables(&mut self, process: ProcessId, stamp: Stamp) {
        let detaches = self
            .ends
            .table_detaches
            .remove(&process)
            .unwrap_or_default();
        for detach in detaches {
            if let Some(detach) = self.end_detached(detach, stamp) {
                self.ends.add_detach(detach);
            }
        }
    }

    /// Gives a detachment back from a table that may be in use still: by another process, or by a
    /// thread whose detachment has not arrived.
    fn end_detached(&mut self, detach: TableDetach, stamp: Stamp) -> Option<TableDetach> {
        let TableDetach { exited, .. } = &detach;
        let (seen, has_ended) = (exited.stamp, self.processes.has_ended(exited.process));
        let epoch = self.epoch(exited.table, seen);
        if epoch.death.is_some() {
            return None;
        }
        // A thread that execs goes on, and uses the table of those that ended for it.
        let alone = has_ended && epoch.unshare(exited.process.tgid);
        if !alone && !detach.users.have_all_detached() {
            return Some(detach);
        }
        let TableDetach { exited, truth, .. } = detach;
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
}
