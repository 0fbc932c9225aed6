//! Is this very handle still open? Asked of the kernel before anything is said of a living process.
//!
//! The protocol: the nursery must hold no younger record of the same number, `/proc` must show the
//! number open in a thread that lives, and the nursery is asked again, for a close and a reopen may
//! have come between. What `/proc` shows is *sealed* the first time and must be the same a
//! judgement later: only then the handle counts as verified. A close under way, one that came in
//! between, and a number given to another handle are all found by the second look.

use crate::{
    ledger::{Held, Seal},
    model::ids::ProcessId,
    source::{
        kernel::Nursery,
        procfs::{Procfs, Seen, fold_target},
    },
};

/// What came out of one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same handle as at the last look.
    Verified(Seen),
    /// Open; to be looked at once more.
    Sealed(Seal),
    /// Not open any more, or another handle by now.
    Refuted,
    /// `/proc` cannot say: the process has gone, or may not be read.
    Unknown,
}

/// A living process, ready to be looked at.
#[derive(Debug)]
pub struct Witness<'a> {
    procfs: &'a Procfs,
    nursery: &'a Nursery,
    process: ProcessId,
}

impl<'a> Witness<'a> {
    /// `None` where the process has gone, or its number is another's.
    pub fn of(procfs: &'a Procfs, nursery: &'a Nursery, process: ProcessId) -> Option<Self> {
        procfs.is_alive(process).then_some(Self {
            procfs,
            nursery,
            process,
        })
    }

    /// Looks at one handle, in the table of the thread that acquired it where that lives, else in
    /// that of any other: they share it, unless one of them left (`unshare(2)`).
    pub fn look(&self, held: &Held) -> Verdict {
        if self.is_outdated(held) {
            return Verdict::Refuted;
        }
        let tgid = self.process.tgid;
        let Ok(Some(tid)) = self.procfs.live_thread(tgid, held.acquired.tid) else {
            return Verdict::Unknown;
        };
        match self.procfs.look(tgid, tid, held.acquired.fd) {
            Err(_) => Verdict::Unknown,
            Ok(None) => Verdict::Refuted,
            Ok(Some(_)) if self.is_outdated(held) => Verdict::Refuted,
            Ok(Some(seen)) => compare(held.seal, seen),
        }
    }

    fn is_outdated(&self, held: &Held) -> bool {
        let youngest = self.nursery.youngest(held.acquired.table, held.acquired.fd);
        youngest.is_some_and(|youngest| youngest > held.acquired.stamp)
    }
}

/// What scripts of an interpreter open at one native place is told apart by this: the target with
/// its digits folded, so that `/tmp/a1` and `/tmp/a2` are one.
fn topic(seen: &Seen) -> u64 {
    crate::findings::fingerprint::hash([fold_target(&seen.target)])
}

fn compare(seal: Option<Seal>, seen: Seen) -> Verdict {
    match seal {
        None => Verdict::Sealed(Seal {
            device: seen.dev,
            inode: seen.ino,
            topic: topic(&seen),
        }),
        Some(seal) if (seal.device, seal.inode) == (seen.dev, seen.ino) => Verdict::Verified(seen),
        Some(_) => Verdict::Refuted,
    }
}
