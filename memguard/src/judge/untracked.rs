//! Descriptors that no traced call made, found by comparing with `/proc` while a process lives.
//!
//! `io_uring`, 32-bit calls, `read` of a fanotify group, another process that puts one there: they
//! are open, were not open at the beginning, and have no record, twice in a row. From then on they
//! are held like any other, their origin unknown.

use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use memguard_common::event::file_detail;

use super::Context;
use crate::{
    judge::question::{DescriptorRequest, SurveyedProcess},
    model::{
        event::Acquired,
        ids::{ProcessId, Stamp, TableId},
        resource::Call,
    },
};

/// So long must a descriptor be open without a record: a young one may be in a table that is not
/// known yet, and is swept after a second.
const WITHOUT_RECORD: Duration = Duration::from_secs(2);

/// What the last comparison saw.
#[derive(Debug, Default)]
pub struct Untracked {
    counts: HashMap<ProcessId, u64>,
    suspects: HashMap<ProcessId, HashMap<u32, Stamp>>,
}

impl Untracked {
    /// What to ask of a process, 0.7 µs where the number of its descriptors has not changed.
    pub fn request(&self, process: ProcessId, context: &Context) -> Option<DescriptorRequest> {
        let known = context.ledger.processes.get(process)?;
        let suspects = self.suspects.get(&process);
        let mut suspects: Vec<u32> = suspects
            .into_iter()
            .flat_map(HashMap::keys)
            .copied()
            .collect();
        suspects.sort_unstable();
        let last_count = self.counts.get(&process).copied();
        Some(DescriptorRequest {
            last_count: last_count.filter(|_| suspects.is_empty()),
            table: table(process, known.table),
            suspects,
        })
    }

    /// Takes what is open; returns what is held from now on.
    pub fn compare(&mut self, found: &SurveyedProcess, context: &mut Context) -> Vec<Acquired> {
        let process = found.process;
        if let Some(count) = found.descriptor_count {
            self.counts.insert(process, count);
        }
        let Some(open) = &found.open else {
            return Vec::new();
        };
        let Some(strange) = strange(process, open, context) else {
            return Vec::new();
        };
        let before = self.suspects.remove(&process).unwrap_or_default();
        let modes: HashMap<u32, u32> = found.modes.iter().copied().collect();
        let (mut adopted, mut suspects) = (Vec::new(), HashMap::new());
        for fd in strange {
            match (before.get(&fd), modes.get(&fd)) {
                (Some(seen), Some(mode)) if context.now.since(*seen) >= WITHOUT_RECORD => {
                    adopted.extend(adopt(process, fd, *seen, *mode, context));
                }
                (seen, _) => drop(suspects.insert(fd, seen.copied().unwrap_or(context.now))),
            }
        }
        if !suspects.is_empty() {
            self.suspects.insert(process, suspects);
        }
        adopted
    }

    /// The process has ended.
    pub fn forget(&mut self, process: ProcessId) {
        self.counts.remove(&process);
        self.suspects.remove(&process);
    }

    /// Whether anything is known of a process; for tests.
    pub fn mentions(&self, process: ProcessId) -> bool {
        self.counts.contains_key(&process) || self.suspects.contains_key(&process)
    }
}

fn table(process: ProcessId, known: Option<TableId>) -> TableId {
    known.unwrap_or_else(|| TableId::placeholder(process.tgid))
}

/// What is open without a record, and was not at the beginning. `None` where the beginning is now.
fn strange(process: ProcessId, open: &[u32], context: &mut Context) -> Option<Vec<u32>> {
    let ledger = &mut context.ledger;
    let known = ledger.processes.get(process)?;
    let mut recorded = ledger.numbers_of(table(process, known.table));
    recorded.extend(ledger.numbers_of(TableId::placeholder(process.tgid)));
    let unrecorded = open.iter().copied().filter(|fd| !recorded.contains(fd));
    let Some(baseline) = &known.baseline else {
        let first: HashSet<u32> = unrecorded.collect();
        ledger.processes.set_baseline(process, first);
        return None;
    };
    let strange = unrecorded.filter(|fd| *fd > 2 && !baseline.open.contains(fd));
    Some(strange.collect())
}

fn adopt(
    process: ProcessId,
    fd: u32,
    seen: Stamp,
    mode: u32,
    context: &Context,
) -> Option<Acquired> {
    let known = context.ledger.processes.get(process)?;
    Some(Acquired {
        stamp: seen,
        table: table(process, known.table),
        fd,
        process,
        tid: process.tgid,
        exec_id: known.exec_id.unwrap_or(0),
        call: Call::Unknown,
        detail: file_detail((mode & libc::S_IFMT) as u16, 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::{PROCESS, holding};

    fn found(open: &[u32], modes: &[u32]) -> SurveyedProcess {
        SurveyedProcess {
            process: PROCESS,
            usage: None,
            ceilings: Vec::new(),
            info: None,
            descriptor_count: Some(open.len() as u64),
            open: Some(open.to_vec()),
            modes: modes.iter().map(|fd| (*fd, libc::S_IFREG)).collect(),
            watches: None,
        }
    }

    #[test]
    fn what_is_open_without_a_record_twice_is_held() {
        let mut context = holding(2, [(5, 10)]);
        let mut untracked = Untracked::default();
        let first = untracked.compare(&found(&[0, 1, 2, 3, 5], &[]), &mut context);
        assert!(first.is_empty(), "the first look is what is compared with");
        let second = untracked.compare(&found(&[0, 1, 2, 3, 5, 9], &[]), &mut context);
        assert!(second.is_empty(), "once");
        let request = untracked.request(PROCESS, &context).unwrap();
        assert_eq!(request.suspects, [9]);
        let early = untracked.compare(&found(&[0, 1, 2, 3, 5, 9], &[9]), &mut context);
        assert!(early.is_empty(), "its record may be under way");
        context.now = context.now.after(WITHOUT_RECORD);
        let third = untracked.compare(&found(&[0, 1, 2, 3, 5, 9], &[9]), &mut context);
        let held: Vec<_> = third.iter().map(|held| (held.fd, held.call)).collect();
        assert_eq!(held, [(9, Call::Unknown)], "twice");
        untracked.forget(PROCESS);
        assert!(!untracked.mentions(PROCESS));
    }
}
