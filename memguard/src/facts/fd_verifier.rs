//! Is this very handle still open? Asked of the kernel before anything is said of a living process.
//!
//! The protocol: the nursery must hold no younger record of the same number, `/proc` must show the
//! number open in a thread that lives, and the nursery is asked again, for a close and a reopen may
//! have come between. What `/proc` shows the first time must be the same file at a second look:
//! only then the handle counts as verified. A close under way, one that came in between, and a
//! number given to another handle are all found by the second look.

use crate::{
    ledger::{FileIdentity, HeldFd},
    model::{ids::ProcessId, link_target::fold_target, observed::OpenFile},
    source::{kernel::NurseryReader, procfs::Procfs},
};

/// What came out of one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The same file as at the last look.
    Verified {
        /// What it is.
        seen: OpenFile,
        /// How it is recognised at the next look.
        identity: FileIdentity,
    },
    /// Open; to be looked at once more.
    Identified(FileIdentity),
    /// Not open any more, or another handle by now.
    Refuted,
    /// `/proc` cannot say: the process has gone, or may not be read.
    Unknown,
}

/// A living process, ready to be looked at.
#[derive(Debug)]
pub(super) struct FdVerifier<'a> {
    procfs: &'a Procfs,
    nursery: &'a NurseryReader,
    process: ProcessId,
}

impl<'a> FdVerifier<'a> {
    /// `None` where the process has gone, or its number is another's.
    pub(super) fn of(
        procfs: &'a Procfs,
        nursery: &'a NurseryReader,
        process: ProcessId,
    ) -> Option<Self> {
        procfs.is_alive(process).then_some(Self {
            procfs,
            nursery,
            process,
        })
    }

    /// Looks at one handle, in the table of the thread that acquired it where that lives, else in
    /// that of any other: they share it, unless one of them left (`unshare(2)`).
    pub(super) fn look(&self, held: &HeldFd) -> Outcome {
        if self.is_outdated(held) {
            return Outcome::Refuted;
        }
        let tgid = self.process.tgid;
        let Ok(Some(tid)) = self.procfs.live_thread(tgid, held.acquired.tid) else {
            return Outcome::Unknown;
        };
        match self.procfs.look(tgid, tid, held.acquired.fd) {
            Err(_) => Outcome::Unknown,
            Ok(None) => Outcome::Refuted,
            Ok(Some(_)) if self.is_outdated(held) => Outcome::Refuted,
            Ok(Some(seen)) => compare(held.identity, seen),
        }
    }

    fn is_outdated(&self, held: &HeldFd) -> bool {
        let youngest = self.nursery.youngest(held.acquired.table, held.acquired.fd);
        youngest.is_some_and(|youngest| youngest > held.acquired.stamp)
    }
}

/// What scripts of an interpreter open at one native place is told apart by this: the target with
/// its digits folded, so that `/tmp/a1` and `/tmp/a2` are one.
fn topic(seen: &OpenFile) -> u64 {
    crate::findings::fingerprint::hash([fold_target(&seen.target)])
}

fn compare(known: Option<FileIdentity>, seen: OpenFile) -> Outcome {
    match known {
        None => Outcome::Identified(FileIdentity {
            device: seen.dev,
            inode: seen.ino,
            topic: topic(&seen),
        }),
        Some(identity) if (identity.device, identity.inode) == (seen.dev, seen.ino) => {
            Outcome::Verified { seen, identity }
        }
        Some(_) => Outcome::Refuted,
    }
}
