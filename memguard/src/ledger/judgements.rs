//! What is judged once a sweep of the nursery has taken every record of what has died.

use hashbrown::HashMap;

use super::{
    Ledger,
    bitmap::Bitmap,
    epoch::{Death, HeldFd},
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
    pub left: Vec<HeldFd>,
    /// What threads held that had tables of their own and ended before it: closed by then.
    pub left_by_threads: Vec<HeldFd>,
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

impl Ledger {
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
        self.processes.forget_missed(cutoff);
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
        let (death, mut held) = epoch.finish()?;
        if death.exited.group_dead && !was_shared {
            // The end of who acquired the others was missed, and the memory used again.
            let before = held.len();
            held.retain(|held| held.acquired.process == death.exited.process);
            let missed = before.saturating_sub(held.len()) as u64;
            self.count_unjudged(missed);
        }
        if death.exited.group_dead {
            return self.conclude(death.exited, held, death.truth.as_ref());
        }
        let held = self.hand_on(table, &death, held);
        if death.exited.group_exit && self.processes.get(death.exited.process).is_some() {
            let detached_fds = self
                .ends
                .detached_fds
                .entry(death.exited.process)
                .or_default();
            detached_fds.extend(held);
            return None;
        }
        // A thread with a table of its own: the kernel closed it all while the process goes on.
        self.left_by_thread(death.exited.process, &held);
        self.close_all(held, stamp);
        None
    }

    fn left_by_thread(&mut self, process: ProcessId, held: &[HeldFd]) {
        if self.processes.get(process).is_some() {
            let dropped = self.ends.left_by_thread(process, held);
            self.count_unjudged(dropped as u64);
        }
    }

    fn conclude(
        &mut self,
        exited: Exited,
        left: Vec<HeldFd>,
        truth: Option<&Bitmap>,
    ) -> Option<Judgement> {
        let Some(process) = self.processes.finish_exit(&exited) else {
            self.ends.forget(exited.process);
            return None;
        };
        if !self.processes.is_number_of_another(exited.process) {
            self.tables
                .remove(&TableId::placeholder(exited.process.tgid));
        }
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
        left.extend(
            self.ends
                .detached_fds
                .remove(&exited.process)
                .unwrap_or_default(),
        );
        let left_by_threads = self.ends.take_left_by_threads(&exited);
        self.ends.forget(exited.process);
        Some(Judgement {
            exited,
            process,
            left,
            left_by_threads,
            unknown,
            verified,
        })
    }

    /// A table that several threads detached from may have ended a little before the process did.
    /// What others acquired at its address since is theirs; returns the rest.
    fn hand_on(&mut self, table: TableId, death: &Death, held: Vec<HeldFd>) -> Vec<HeldFd> {
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
        let mut dropped = 0u64;
        for table in &process.tables {
            let epochs = self.tables.get_mut(table).into_iter().flatten();
            for epoch in epochs.filter(|epoch| !epoch.is_shared()) {
                dropped = dropped.saturating_add(epoch.drop_owned_by(exited.process));
            }
        }
        self.count_unjudged(dropped);
    }
}

/// Whether a number is among these, which are sorted by it.
fn is_among(held: &[HeldFd], fd: u32) -> bool {
    held.binary_search_by_key(&fd, |held| held.acquired.fd)
        .is_ok()
}
