//! Which processes there are, from the kernel's own records: born, changed, ended, and what they
//! run.
//!
//! Keyed by thread group; the start tells one process from the next that gets the number. Only
//! records of the life cycle, which arrive in order, may put one process in the place of another:
//! acquisitions of a dead process may arrive after its number went to someone else.

use std::{collections::VecDeque, sync::Arc};

use hashbrown::{HashMap, HashSet};

pub use super::process::{Baseline, Image, Process};
use super::{bitmap::Bitmap, missed_ends::MissedEnds};
use crate::model::{
    event::{Execed, Exited, Forked},
    ids::{ProcessId, Stamp, TableId},
};

/// How many ends are remembered, so that a second record of one is told from a new one.
const FINISHED: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Processes {
    /// Those that run.
    by_tgid: HashMap<u32, Process>,
    /// Those that have ended and are not judged yet; their numbers may be others' already.
    ended: HashMap<ProcessId, Process>,
    finished: VecDeque<ProcessId>,
    missed: MissedEnds,
}

impl Processes {
    /// A process that was running when memguard came, with the descriptors it had open.
    pub fn seed(&mut self, id: ProcessId, parent: Option<u32>, preexisting: HashSet<u32>) {
        let process = self.by_tgid.entry(id.tgid).or_default();
        if process
            .start_ticks
            .is_none_or(|start| start == id.start_ticks)
        {
            process.start_ticks = Some(id.start_ticks);
            process.seeded = process.born.is_none();
            process.parent = process.parent.or(parent);
            process.baseline = Some(Baseline {
                open: preexisting.clone(),
                ..Baseline::default()
            });
            process.preexisting = preexisting;
        }
    }

    /// A record of the process that is not of its life cycle.
    pub(super) fn seen(&mut self, id: ProcessId, exec_id: u32, table: TableId) {
        if let Some(ended) = self.ended.get_mut(&id) {
            return ended.uses(table);
        }
        if self.has_finished_exit(id) || self.is_missed(id) {
            return;
        }
        let process = self.by_tgid.entry(id.tgid).or_default();
        if *process.start_ticks.get_or_insert(id.start_ticks) == id.start_ticks {
            process.exec_id = process.exec_id.max(Some(exec_id));
            process.table = Some(table);
            process.uses(table);
        }
    }

    /// Returns the process whose number the child got although its end was never told.
    pub(super) fn forked(&mut self, forked: &Forked) -> Option<ProcessId> {
        if self.is_birth_of_seeded(forked) {
            return None;
        }
        let parent = self.by_tgid.get(&forked.parent.tgid);
        let child = Process {
            parent: Some(forked.parent.tgid),
            born: Some(forked.stamp),
            image: parent.and_then(|parent| parent.image.clone()),
            ..Process::default()
        };
        let old = self.by_tgid.insert(forked.child, child)?;
        let start_ticks = old.start_ticks?;
        Some(ProcessId {
            tgid: forked.child,
            start_ticks,
        })
    }

    /// Between attaching and the first look at `/proc`, a process may be born and found there
    /// before the record of its birth is read.
    fn is_birth_of_seeded(&mut self, forked: &Forked) -> bool {
        let child = self.by_tgid.get_mut(&forked.child);
        let same = |child: &&mut Process| child.seeded && child.parent == Some(forked.parent.tgid);
        let Some(child) = child.filter(same) else {
            return false;
        };
        child.born = Some(forked.stamp);
        child.seeded = false;
        true
    }

    /// Returns the process that had the number before, if its end was never told.
    pub(super) fn execed(&mut self, execed: &Execed) -> Option<ProcessId> {
        let missed = self.replaced(execed.process);
        let process = self.by_tgid.entry(execed.process.tgid).or_default();
        process.start_ticks = Some(execed.process.start_ticks);
        process.exec_id = Some(execed.exec_id);
        process.table = Some(execed.table);
        process.execed = Some((execed.stamp, execed.table));
        let image = Image {
            path: execed.path.clone(),
            args: execed.args.clone(),
        };
        process.image = Some(Arc::new(image));
        missed
    }

    /// As [`Processes::execed`].
    pub(super) fn exited(&mut self, exited: &Exited) -> Option<ProcessId> {
        let id = exited.process;
        let missed = self.replaced(id);
        let mut process = self.by_tgid.remove(&id.tgid).unwrap_or_default();
        process.start_ticks = Some(id.start_ticks);
        process.exec_id = Some(exited.exec_id);
        self.ended.insert(id, process);
        missed
    }

    /// Makes room where the number belongs to another process so far.
    fn replaced(&mut self, id: ProcessId) -> Option<ProcessId> {
        let old = self.by_tgid.get(&id.tgid)?;
        let start_ticks = old.start_ticks.filter(|start| *start != id.start_ticks)?;
        self.by_tgid.remove(&id.tgid);
        Some(ProcessId {
            tgid: id.tgid,
            start_ticks,
        })
    }

    /// Gives up an ended process; once, so that it is judged once.
    pub(super) fn finish_exit(&mut self, exited: &Exited) -> Option<Process> {
        let process = self.ended.remove(&exited.process)?;
        self.finished.push_back(exited.process);
        if self.finished.len() > FINISHED {
            self.finished.pop_front();
        }
        Some(process)
    }

    /// Whether the process was judged already. Before 6.16 several threads may see their group
    /// dead; their records follow each other closely.
    pub(super) fn has_finished_exit(&self, id: ProcessId) -> bool {
        self.finished.iter().any(|finished| *finished == id)
    }

    /// The end of a process was missed, which was at this moment at the latest. Returns whether
    /// there was room to remember it.
    pub(super) fn missed(&mut self, id: ProcessId, at: Stamp) -> bool {
        if self.get_mut(id).is_some() {
            self.by_tgid.remove(&id.tgid);
        }
        self.missed.add(id, at)
    }

    /// Whether the end of a process was missed, and records of it may still come.
    pub(super) fn is_missed(&self, id: ProcessId) -> bool {
        self.missed.contains(id)
    }

    pub(super) fn take_missed(&mut self) -> Vec<ProcessId> {
        self.missed.take()
    }

    /// No record comes any more that is as old as this.
    pub(super) fn forget_missed(&mut self, cutoff: Stamp) {
        self.missed.forget(cutoff);
    }

    /// Removes a process of which only the birth is known; false where there is none.
    pub(super) fn remove_unheard(&mut self, tgid: u32) -> bool {
        let unheard = |process: &Process| process.start_ticks.is_none();
        let found = self.by_tgid.get(&tgid).is_some_and(unheard);
        found && self.by_tgid.remove(&tgid).is_some()
    }

    /// Whether the number of a process belongs to another by now.
    pub(super) fn is_number_of_another(&self, id: ProcessId) -> bool {
        let now = self.by_tgid.get(&id.tgid);
        now.is_some_and(|process| process.start_ticks != Some(id.start_ticks))
    }

    /// How many entries are about a process. That it was judged is remembered of the last few.
    pub(super) fn mentions(&self, id: ProcessId) -> usize {
        let known = usize::from(self.get(id).is_some());
        known.saturating_add(self.missed.mentions(id))
    }

    /// A number that was open before memguard came is open no more, or anew.
    pub(super) fn forget_seed(&mut self, id: ProcessId, table: TableId, fd: u32, stamp: Stamp) {
        let Some(process) = self.get_mut(id) else {
            return;
        };
        process.preexisting.remove(&fd);
        if let Some(baseline) = &mut process.baseline {
            baseline.forget(table, fd, stamp);
        }
    }

    /// After an exec: what is open now is the new image's baseline, and what was closed by the exec
    /// is preexisting no more.
    pub(super) fn based(&mut self, id: ProcessId, table: TableId, at: Stamp, open: &Bitmap) {
        if self.is_missed(id) {
            return;
        }
        let process = self.by_tgid.entry(id.tgid).or_default();
        if *process.start_ticks.get_or_insert(id.start_ticks) == id.start_ticks {
            process.baseline = Some(Baseline {
                open: open.open().collect(),
                table: Some(table),
                at,
            });
            process
                .preexisting
                .retain(|fd| open.is_open(*fd) != Some(false));
        }
    }

    /// After a range was closed: what is gone is neither preexisting nor of the baseline any more.
    pub(super) fn narrowed(&mut self, id: ProcessId, table: TableId, at: Stamp, open: &Bitmap) {
        let Some(process) = self.get_mut(id) else {
            return;
        };
        let is_open = |fd: &u32| open.is_open(*fd) != Some(false);
        let Some(baseline) = &mut process.baseline else {
            return process.preexisting.retain(is_open);
        };
        if baseline.is_of(table) && at > baseline.at {
            baseline.open.retain(is_open);
            process.preexisting.retain(is_open);
        }
    }

    /// What a process had open when it was first looked at, where nothing better is known.
    pub fn set_baseline(&mut self, id: ProcessId, open: HashSet<u32>) {
        if let Some(process) = self.get_mut(id) {
            process.baseline.get_or_insert(Baseline {
                open,
                ..Baseline::default()
            });
        }
    }

    /// When the tables that a process had besides the one it execed with were given up, where this
    /// is one of them and the stamp is from before.
    pub(super) fn gave_up(&self, id: ProcessId, table: TableId, stamp: Stamp) -> Option<Stamp> {
        self.get(id)?.gave_up(table, stamp)
    }

    /// The tables that a process was seen to acquire in, once; the next records tell of new ones.
    pub(super) fn take_tables(&mut self, id: ProcessId) -> Vec<TableId> {
        let process = self.get_mut(id);
        process.map_or_else(Vec::new, |process| std::mem::take(&mut process.tables))
    }

    /// Whether a process has ended and is not judged yet.
    pub(super) fn has_ended(&self, id: ProcessId) -> bool {
        self.ended.contains_key(&id)
    }

    pub(super) fn give_back(&mut self) {
        super::give_back(&mut self.by_tgid);
        super::give_back(&mut self.ended);
    }

    fn get_mut(&mut self, id: ProcessId) -> Option<&mut Process> {
        let process = self.by_tgid.get_mut(&id.tgid)?;
        (process.start_ticks == Some(id.start_ticks)).then_some(process)
    }

    /// A process that is known and has not been judged.
    pub fn get(&self, id: ProcessId) -> Option<&Process> {
        let running = self.by_tgid.get(&id.tgid);
        let running = running.filter(|process| process.start_ticks == Some(id.start_ticks));
        running.or_else(|| self.ended.get(&id))
    }

    /// The process that has this number now, where its start is known.
    pub fn running_as(&self, tgid: u32) -> Option<ProcessId> {
        let start_ticks = self.by_tgid.get(&tgid)?.start_ticks?;
        Some(ProcessId { tgid, start_ticks })
    }

    /// Whether this very process has not ended.
    pub fn is_running(&self, id: ProcessId) -> bool {
        self.running_as(id.tgid) == Some(id)
    }

    /// Thread groups that have not ended, with their start where known.
    pub fn running(&self) -> impl Iterator<Item = (u32, Option<ProcessId>)> {
        self.by_tgid.iter().map(|(tgid, process)| {
            let tgid = *tgid;
            let id = process
                .start_ticks
                .map(|start_ticks| ProcessId { tgid, start_ticks });
            (tgid, id)
        })
    }

    /// How many are known, ended ones not judged yet included.
    pub fn len(&self) -> usize {
        self.by_tgid.len().saturating_add(self.ended.len())
    }

    /// How many missed ends wait.
    pub(super) fn missed_len(&self) -> usize {
        self.missed.len()
    }

    /// None is known.
    pub fn is_empty(&self) -> bool {
        self.by_tgid.is_empty() && self.ended.is_empty()
    }
}
