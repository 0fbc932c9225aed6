//! One life of a descriptor table: from the first record after its memory's last death to the next.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::bitmap::Bitmap;
use crate::model::{
    event::{Acquired, Exited},
    ids::{ProcessId, Stamp},
    origin::StackId,
};

/// What the kernel showed of a handle when it was first looked at: device and inode of the open
/// file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`; for sockets and pipes never used twice.
    pub inode: u64,
    /// What its path or kind had in common with others, as a number; may change while it is open.
    pub topic: u64,
}

/// A handle that was acquired and, as far as is known, not released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldFd {
    /// Its acquisition.
    pub acquired: Acquired,
    /// Set when it became a candidate for a finding.
    pub identity: Option<FileIdentity>,
    /// Where it was acquired, once that is unwound.
    pub stack: Option<StackId>,
}

impl From<Acquired> for HeldFd {
    fn from(acquired: Acquired) -> Self {
        Self {
            acquired,
            identity: None,
            stack: None,
        }
    }
}

/// What became of an acquisition.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is held.
    Held,
    /// It is held, in the place of an older one.
    Replaced(HeldFd),
    /// It was over before it came; when, where that is known.
    Stale(Option<Stamp>),
}

/// The end of an epoch.
#[derive(Debug)]
pub(super) struct Death {
    pub(super) exited: Exited,
    /// When the process was last seen to use the table: at the end, or a little before.
    pub(super) seen: Stamp,
    /// The table's bitmap of that moment, where it was not lost.
    pub(super) truth: Option<Bitmap>,
}

impl Death {
    /// Whether a handle may have been open at the end: unless the kernel says no, or the handle is
    /// younger than what it says.
    fn may_hold(&self, fd: u32, stamp: Stamp) -> bool {
        let truth = self.truth.as_ref().filter(|_| stamp <= self.seen);
        truth.and_then(|bitmap| bitmap.is_open(fd)).unwrap_or(true)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    pub(super) held: HashMap<u32, HeldFd>,
    /// Stamp of the youngest release of a number.
    closed: HashMap<u32, Stamp>,
    /// What was open after an exec.
    execs: Vec<(Stamp, Bitmap)>,
    /// Thread groups that use the table together (`CLONE_FILES`); empty while it is one.
    groups: Vec<u32>,
    /// It was used by several at some time: what one of them acquired is not its alone.
    pub(super) was_shared: bool,
    pub(super) death: Option<Death>,
}

impl Epoch {
    pub(super) fn acquire(&mut self, held: HeldFd) -> Outcome {
        let Acquired { fd, stamp, .. } = held.acquired;
        if let Some(closed_at) = self.over(fd, stamp) {
            return Outcome::Stale(Some(closed_at));
        }
        if let Some(death) = self
            .death
            .as_ref()
            .filter(|death| !death.may_hold(fd, stamp))
        {
            return Outcome::Stale(Some(death.exited.stamp));
        }
        if let Some(younger) = self
            .held
            .get(&fd)
            .filter(|other| other.acquired.stamp >= stamp)
        {
            return Outcome::Stale(Some(younger.acquired.stamp));
        }
        self.held
            .insert(fd, held)
            .map_or(Outcome::Held, Outcome::Replaced)
    }

    /// When a handle acquired at `stamp` ended, as far as the marks tell.
    fn over(&self, fd: u32, stamp: Stamp) -> Option<Stamp> {
        let closed = self
            .closed
            .get(&fd)
            .copied()
            .filter(|closed| stamp <= *closed);
        let gone = |(at, open): &&(Stamp, Bitmap)| stamp <= *at && open.is_open(fd) == Some(false);
        let exec = self.execs.iter().find(gone).map(|(at, _)| *at);
        closed.into_iter().chain(exec).min()
    }

    pub(super) fn release(&mut self, fd: u32, stamp: Stamp) -> Option<HeldFd> {
        let mark = self.closed.entry(fd).or_insert(stamp);
        *mark = (*mark).max(stamp);
        if self.held.get(&fd)?.acquired.stamp > stamp {
            return None;
        }
        self.held.remove(&fd)
    }

    pub(super) fn exec(&mut self, stamp: Stamp, open: Bitmap) -> Vec<HeldFd> {
        let gone = |fd: &u32, held: &mut HeldFd| {
            held.acquired.stamp <= stamp && open.is_open(*fd) == Some(false)
        };
        let closed = self.held.extract_if(gone).map(|(_, held)| held).collect();
        self.execs.push((stamp, open));
        closed
    }

    pub(super) fn die(&mut self, death: Death) -> Vec<HeldFd> {
        let gone = |fd: &u32, held: &mut HeldFd| !death.may_hold(*fd, held.acquired.stamp);
        let closed = self.held.extract_if(gone).map(|(_, held)| held).collect();
        self.death = Some(death);
        closed
    }

    /// The end, and what was held at it, by number.
    pub(super) fn finish(self) -> Option<(Death, Vec<HeldFd>)> {
        let mut held: Vec<_> = self.held.into_values().collect();
        held.sort_by_key(|held| held.acquired.fd);
        Some((self.death?, held))
    }

    pub(super) fn share(&mut self, tgid: u32) {
        self.was_shared = true;
        if !self.groups.contains(&tgid) {
            self.groups.push(tgid);
        }
    }

    /// A group stops using the table; true where it was the last, or the only one.
    pub(super) fn unshare(&mut self, tgid: u32) -> bool {
        self.groups.retain(|group| *group != tgid);
        self.groups.is_empty()
    }

    /// Whether it is known that several thread groups use the table.
    pub(super) fn is_shared(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Whether a thread group is one of several that use the table.
    pub(super) fn is_shared_by(&self, tgid: u32) -> bool {
        self.groups.contains(&tgid)
    }

    /// How many entries are about a process.
    pub(super) fn mentions(&self, process: ProcessId) -> usize {
        let held = self.held.values();
        let own = held.filter(|held| held.acquired.process == process).count();
        let death = self.death.as_ref().map(|death| death.exited.process);
        own.saturating_add(usize::from(death == Some(process)))
    }

    pub(super) fn unmark(&mut self, fd: u32, stamp: Stamp) {
        if self.closed.get(&fd).is_some_and(|closed| *closed <= stamp) {
            self.closed.remove(&fd);
        }
    }

    pub(super) fn forget_execs(&mut self, cutoff: Stamp) {
        self.execs.retain(|(stamp, _)| *stamp > cutoff);
    }

    pub(super) fn get_mut(&mut self, fd: u32, stamp: Stamp) -> Option<&mut HeldFd> {
        self.held
            .get_mut(&fd)
            .filter(|held| held.acquired.stamp == stamp)
    }

    pub(super) fn remove(&mut self, fd: u32, stamp: Stamp) -> Option<HeldFd> {
        if self.held.get(&fd)?.acquired.stamp != stamp {
            return None;
        }
        self.held.remove(&fd)
    }

    /// What a process acquired here up to this moment is closed.
    pub(super) fn give_up(&mut self, process: ProcessId, at: Stamp) -> Vec<HeldFd> {
        let own = |_: &u32, held: &mut HeldFd| {
            held.acquired.process == process && held.acquired.stamp <= at
        };
        if self.death.is_some() {
            return Vec::new();
        }
        self.held.extract_if(own).map(|(_, held)| held).collect()
    }

    pub(super) fn drop_owned_by(&mut self, process: ProcessId) -> u64 {
        if self.death.is_some() {
            return 0;
        }
        self.groups.retain(|group| *group != process.tgid);
        self.held
            .extract_if(|_, held| held.acquired.process == process)
            .count() as u64
    }

    /// Nothing hangs on this epoch any more.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            held,
            closed,
            execs,
            groups,
            was_shared: _,
            death,
        } = self;
        let live = held.is_empty() && closed.is_empty() && execs.is_empty() && groups.is_empty();
        live && death.is_none()
    }
}
