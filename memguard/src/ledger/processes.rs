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
    ids::{ProcessId, Stamp},
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
    ended: bool,
}

/// How many ends are remembered, so that a second record of one is told from a new one.
const BURIED: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Processes {
    by_tgid: HashMap<u32, Process>,
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
            process.preexisting = preexisting;
        }
    }

    /// A record of the process that is not of its life cycle.
    pub(super) fn seen(&mut self, id: ProcessId, exec_id: u32) {
        let process = self.by_tgid.entry(id.tgid).or_default();
        let start = *process.start_ticks.get_or_insert(id.start_ticks);
        if start == id.start_ticks && !process.ended {
            process.exec_id = process.exec_id.max(Some(exec_id));
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
        let start_ticks = old.start_ticks.filter(|_| !old.ended)?;
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
        let image = Image {
            path: execed.path.clone(),
            args: execed.args.clone(),
        };
        process.image = Some(Arc::new(image));
        missed
    }

    /// As [`Processes::execed`].
    pub(super) fn exited(&mut self, exited: &Exited) -> Option<ProcessId> {
        let missed = self.replaced(exited.process);
        let process = self.by_tgid.entry(exited.process.tgid).or_default();
        process.start_ticks = Some(exited.process.start_ticks);
        process.exec_id = Some(exited.exec_id);
        process.ended = true;
        missed
    }

    /// Makes room where the number belongs to another process so far.
    fn replaced(&mut self, id: ProcessId) -> Option<ProcessId> {
        let old = self.by_tgid.get(&id.tgid)?;
        let start_ticks = old.start_ticks.filter(|start| *start != id.start_ticks)?;
        let ended = old.ended;
        self.by_tgid.remove(&id.tgid);
        (!ended).then_some(ProcessId {
            tgid: id.tgid,
            start_ticks,
        })
    }

    /// Gives up an ended process; once, so that it is judged once.
    pub(super) fn buried(&mut self, exited: &Exited) -> Option<Process> {
        let ProcessId { tgid, start_ticks } = exited.process;
        let process = self.by_tgid.get(&tgid)?;
        if process.start_ticks != Some(start_ticks) || !process.ended {
            return None;
        }
        self.buried.push_back(exited.process);
        if self.buried.len() > BURIED {
            self.buried.pop_front();
        }
        self.by_tgid.remove(&tgid)
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
    pub(super) fn forget_seed(&mut self, id: ProcessId, fd: u32) {
        if let Some(process) = self.get_mut(id) {
            process.preexisting.remove(&fd);
        }
    }

    /// After an exec: what was closed by it is preexisting no more.
    pub(super) fn keep_seeds(&mut self, id: ProcessId, open: &Bitmap) {
        if let Some(process) = self.get_mut(id) {
            process
                .preexisting
                .retain(|fd| open.is_open(*fd) != Some(false));
        }
    }

    fn get_mut(&mut self, id: ProcessId) -> Option<&mut Process> {
        let process = self.by_tgid.get_mut(&id.tgid)?;
        (process.start_ticks == Some(id.start_ticks)).then_some(process)
    }

    /// A process that is known and has not been judged.
    pub fn get(&self, id: ProcessId) -> Option<&Process> {
        let process = self.by_tgid.get(&id.tgid)?;
        (process.start_ticks == Some(id.start_ticks)).then_some(process)
    }

    /// Thread groups that have not ended, with their start where known.
    pub fn running(&self) -> impl Iterator<Item = (u32, Option<ProcessId>)> {
        self.by_tgid
            .iter()
            .filter(|(_, process)| !process.ended)
            .map(|(tgid, process)| {
                let id = process.start_ticks.map(|start_ticks| ProcessId {
                    tgid: *tgid,
                    start_ticks,
                });
                (*tgid, id)
            })
    }

    /// How many are known, ended ones not judged yet included.
    pub fn len(&self) -> usize {
        self.by_tgid.len()
    }

    /// None is known.
    pub fn is_empty(&self) -> bool {
        self.by_tgid.is_empty()
    }
}
