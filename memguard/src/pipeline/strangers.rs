//! Descriptors that no traced call made, found by comparing with `/proc` while a process lives.
//!
//! `io_uring`, 32-bit calls, `read` of a fanotify group, another process that puts one there: they
//! are open, were not open at the beginning, and have no record, twice in a row. From then on they
//! are held like any other, their origin unknown.

use hashbrown::{HashMap, HashSet};
use memguard_common::event::file_detail;

use super::Agent;
use crate::{
    model::{
        event::{Acquired, Event},
        ids::{ProcessId, Stamp, TableId},
        resource::Call,
    },
    source::kernel,
};

/// Most descriptors of a process that are compared, 0.9 µs each; beyond it nothing is found.
const LISTED: usize = 65_536;

/// What the last comparison saw.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    counts: HashMap<ProcessId, u64>,
    suspects: HashMap<ProcessId, HashMap<u32, Stamp>>,
}

impl Strangers {
    /// The process was judged.
    pub(super) fn forget(&mut self, process: ProcessId) {
        self.counts.remove(&process);
        self.suspects.remove(&process);
    }
}

impl Agent {
    /// Compares every living process whose number of descriptors has changed, 0.7 µs for one that
    /// has not.
    pub(super) fn find_strangers(&mut self) {
        let living: Vec<_> = self
            .ledger
            .processes
            .running()
            .filter_map(|(_, id)| id)
            .collect();
        for process in living {
            let Ok(count) = self.procfs.descriptor_count(process.tgid) else {
                continue;
            };
            let unchanged = self.strangers.counts.insert(process, count) == Some(count);
            if !unchanged || self.strangers.suspects.contains_key(&process) {
                self.compare(process);
            }
        }
    }

    fn compare(&mut self, process: ProcessId) {
        let Some(known) = self.ledger.processes.get(process) else {
            return;
        };
        let exec_id = known.exec_id.unwrap_or(0);
        let standin = TableId::standin(process.tgid);
        let table = known.table.unwrap_or(standin);
        let Ok((open, false)) = self.procfs.descriptors(process.tgid, None, LISTED) else {
            return;
        };
        let mut recorded = self.ledger.numbers_of(table);
        recorded.extend(self.ledger.numbers_of(standin));
        let Some(baseline) = &known.baseline else {
            let first: HashSet<u32> = open
                .into_iter()
                .filter(|fd| !recorded.contains(fd))
                .collect();
            return self.ledger.processes.set_baseline(process, first);
        };
        let is_young = |fd: u32| self.kernel.nursery.youngest(table, fd).is_some();
        let strange = |fd: &u32| {
            *fd > 2 && !baseline.open.contains(fd) && !recorded.contains(fd) && !is_young(*fd)
        };
        let strangers: Vec<u32> = open.into_iter().filter(strange).collect();
        let now = kernel::now();
        let before = self.strangers.suspects.remove(&process).unwrap_or_default();
        let mut suspects = HashMap::new();
        for fd in strangers {
            match before.get(&fd) {
                Some(seen) => self.adopt(process, table, fd, *seen, exec_id),
                _ => drop(suspects.insert(fd, now)),
            }
        }
        if !suspects.is_empty() {
            self.strangers.suspects.insert(process, suspects);
        }
    }

    fn adopt(&mut self, process: ProcessId, table: TableId, fd: u32, seen: Stamp, exec_id: u32) {
        let tgid = process.tgid;
        let Ok(Some(file)) = self.procfs.look(tgid, tgid, fd) else {
            return;
        };
        self.ledger.apply(Event::Acquired(Acquired {
            stamp: seen,
            table,
            fd,
            process,
            tid: tgid,
            exec_id,
            call: Call::Unknown,
            detail: file_detail((file.mode & libc::S_IFMT) as u16, 0),
        }));
    }
}
