//! Births, execs, and ends that no record told of: what of the ledger belongs to whom from then on.
//!
//! A number that is in use again tells that its process has ended, and so does `/proc`
//! ([`Ledger::missed_end`]). Everything that belongs to the process goes, and the number is cleared
//! before the next process gets it: a table that is shared, and an address space that is borrowed,
//! are known by the number alone.

use super::{Ledger, epoch::HeldFd};
use crate::model::{
    event::{Execed, Forked},
    ids::{ProcessId, Stamp, TableId},
};

impl Ledger {
    pub(super) fn forked(&mut self, forked: Forked) {
        if let Some(missed) = self.processes.forked(&forked) {
            self.missed_end(missed, forked.stamp);
        }
        // Of who had the number before, perhaps nothing else was ever heard.
        self.forget_number(forked.child);
        self.memory.forked(&forked);
        if forked.shares_table {
            let epoch = self.epoch(forked.table, forked.stamp);
            epoch.share(forked.parent.tgid);
            epoch.share(forked.child);
            self.shared.insert(forked.parent.tgid, forked.table);
            self.shared.insert(forked.child, forked.table);
        }
    }

    pub(super) fn execed(&mut self, execed: Execed) {
        if self.processes.is_missed(execed.process) {
            return;
        }
        if let Some(missed) = self.processes.execed(&execed) {
            self.missed_end(missed, execed.stamp);
            self.forget_number(missed.tgid);
        }
        self.memory.execed(&execed);
        // Exec gives the process a table of its own, and its other threads have ended.
        self.end_detached_tables(execed.process, execed.stamp);
        self.ends.forget_detaches(execed.process);
        self.unshare(execed.process.tgid, execed.table);
        for table in self.processes.take_tables(execed.process) {
            if table != execed.table {
                self.give_up(table, execed.process, execed.stamp);
            }
        }
        if execed.snapshot_lost {
            self.anomalies.snapshots_broken = self.anomalies.snapshots_broken.saturating_add(1);
        }
    }

    /// Closes what a process acquired in a table that it has no more, unless another process ever
    /// shared it.
    fn give_up(&mut self, table: TableId, process: ProcessId, at: Stamp) {
        let epochs = self.tables.get_mut(&table).into_iter().flatten();
        let own = epochs.filter(|epoch| !epoch.was_shared);
        let closed: Vec<HeldFd> = own.flat_map(|epoch| epoch.give_up(process, at)).collect();
        self.close_all(closed, at);
    }

    pub(super) fn unshare(&mut self, tgid: u32, now_in: TableId) {
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

    /// A process ended, at this moment at the latest, and no record said so: its handles are
    /// neither released nor left for certain. Whoever else speaks of the process learns it by
    /// [`Ledger::take_missed_ends`].
    ///
    /// Before a process is taken for ended because `/proc` does not show it, the ring must have
    /// been drained past the moment of that look: the record of its end may be in it.
    pub fn missed_end(&mut self, process: ProcessId, at: Stamp) {
        self.anomalies.ends_missed = self.anomalies.ends_missed.saturating_add(1);
        let mut dropped = 0u64;
        for epoch in self.tables.values_mut().flatten() {
            dropped = dropped.saturating_add(epoch.drop_owned_by(process));
        }
        self.count_unjudged(dropped);
        if !self.processes.missed(process, at) {
            self.anomalies.ends_untold = self.anomalies.ends_untold.saturating_add(1);
        }
        self.memory.missed_end(process, at);
        self.populations.forget(process);
        self.ends.forget(process);
        if !self.processes.is_number_of_another(process) {
            self.forget_number(process.tgid);
        }
    }

    /// As [`Ledger::missed_end`], of a process that is known by its number alone: it was born, and
    /// nothing else was ever heard of it.
    pub fn missed_end_of_number(&mut self, tgid: u32) {
        if self.processes.remove_unheard(tgid) {
            self.anomalies.ends_missed = self.anomalies.ends_missed.saturating_add(1);
            self.forget_number(tgid);
        }
    }

    /// Processes whose end was missed since this was asked last: each once. All other tables of
    /// the agent that speak of them are to be cleared too.
    pub fn take_missed_ends(&mut self) -> Vec<ProcessId> {
        self.processes.take_missed()
    }

    /// Nobody has this number any more, or somebody else has.
    pub(super) fn forget_number(&mut self, tgid: u32) {
        self.memory.forget_number(tgid);
        self.tables.remove(&TableId::placeholder(tgid));
        let Some(table) = self.shared.remove(&tgid) else {
            return;
        };
        for epoch in self.tables.get_mut(&table).into_iter().flatten() {
            epoch.unshare(tgid);
        }
    }

    pub(super) fn count_unjudged(&mut self, handles: u64) {
        self.anomalies.unjudged = self.anomalies.unjudged.saturating_add(handles);
    }
}
