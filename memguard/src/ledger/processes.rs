//! Which processes there are, from the kernel's own records: born, changed, ended, and what they
//! run.
//!
//! Keyed by thread group; the start tells one process from the next that gets the number. Only
//! records of the life cycle, which arrive in order, may put one process in the place of another:
//! acquisitions of a dead process may arrive after its number went to someone else.

use std::{collections::VecDeque, sync::Arc};

use hashbrown::{HashMap, HashSet};

use super::bitmap::Bitmap;
use crate::model::{
    event::{Execed, Exited, Forked},
    ids::{ProcessId, Stamp, TableId},
};

/// The program that a process runs, as its exec named it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Path as given to exec.
    pub path: Vec<u8>,
    /// Arguments, NUL between them, the first 256 bytes.
    pub args: Vec<u8>,
}

/// A known process.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Ticks since boot; `None` until the process's first own record.
    start_ticks: Option<u64>,
    /// Thread group of its parent.
    pub parent: Option<u32>,
    /// When it was born; `None` where that was before memguard came.
    pub born: Option<Stamp>,
    /// What it runs, where it was seen to begin it, or its parent was.
    pub image: Option<Arc<Image>>,
    /// Its program image's number; handles of an older one came over an exec.
    pub exec_id: Option<u32>,
    /// Descriptors that were open before memguard came.
    pub preexisting: HashSet<u32>,
    /// What was open when the process, or its program image, came into sight. `None` where that
    /// is not known.
    pub baseline: Option<Baseline>,
    /// The table it was last seen to use.
    pub table: Option<TableId>,
    /// Every table it was seen to acquire in, the first [`TABLES`].
    pub(super) tables: Vec<TableId>,
    /// When it last became another program, and the table that it then had.
    execed: Option<(Stamp, TableId)>,
}

/// Most tables remembered of a process. Programs whose threads have tables of their own are rare,
/// and have a few.
const TABLES: usize = 64;

/// What was open at some moment: anything else that is open later was acquired in sight.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// The numbers, without those that have been closed since.
    pub open: HashSet<u32>,
    /// The table it is of, where that is known: a copy of it (`unshare`) has more.
    table: Option<TableId>,
    /// The moment; older records, which may arrive later, are part of it already.
    at: Stamp,
}

impl Baseline {
    fn is_of(&self, table: TableId) -> bool {
        self.table.is_none_or(|own| own == table)
    }

    /// A number was acquired or released.
    fn forget(&mut self, table: TableId, fd: u32, stamp: Stamp) {
        if self.is_of(table) && stamp > self.at {
            self.open.remove(&fd);
        }
    }
}

impl Process {
    /// What was open in this table when the process came into sight.
    pub(super) fn baseline_of(&self, table: TableId) -> Option<&HashSet<u32>> {
        let baseline = self.baseline.as_ref()?;
        baseline.is_of(table).then_some(&baseline.open)
    }

    /// Whether what it acquired at this moment ended with an exec, which leaves a process one table
    /// and ends those that its other threads had.
    fn gave_up(&self, table: TableId, stamp: Stamp) -> Option<Stamp> {
        let (at, kept) = self.execed?;
        (stamp <= at && table != kept).then_some(at)
    }

    fn uses(&mut self, table: TableId) {
        if !self.tables.contains(&table) && self.tables.len() < TABLES {
            self.tables.push(table);
        }
    }
}

/// How many ends are remembered, so that a second record of one is told from a new one.
const BURIED: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Processes {
    /// Those that run.
    by_tgid: HashMap<u32, Process>,
    /// Those that have ended and are not judged yet; their numbers may be others' already.
    ended: HashMap<ProcessId, Process>,
    buried: VecDeque<ProcessId>,
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
        if self.was_buried(id) {
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
    pub(super) fn buried(&mut self, exited: &Exited) -> Option<Process> {
        let process = self.ended.remove(&exited.process)?;
        self.buried.push_back(exited.process);
        if self.buried.len() > BURIED {
            self.buried.pop_front();
        }
        Some(process)
    }

    /// Whether the process was judged already. Before 6.16 several threads may see their group
    /// dead; their records follow each other closely.
    pub(super) fn was_buried(&self, id: ProcessId) -> bool {
        self.buried.iter().any(|buried| *buried == id)
    }

    pub(super) fn remove(&mut self, id: ProcessId) {
        if self
            .by_tgid
            .get(&id.tgid)
            .is_some_and(|old| old.start_ticks == Some(id.start_ticks))
        {
            self.by_tgid.remove(&id.tgid);
        }
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

    /// None is known.
    pub fn is_empty(&self) -> bool {
        self.by_tgid.is_empty() && self.ended.is_empty()
    }
}
