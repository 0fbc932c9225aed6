//! Memory of processes: address spaces, ranges of addresses, and what happens to them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{
    ids::{ProcessId, Stamp},
    interned::Name,
    origin::StackId,
    resource::{Call, Kind},
};

/// Bytes of a page on the architectures that memguard supports.
pub const PAGE: u64 = 4096;

/// Address of an `mm_struct`. The kernel reuses it at once, so it is an identity only together with
/// a stamp: whatever is older than an address space's end belongs to the one that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpaceId(pub u64);

/// Addresses from `start` up to, without, `end`: whole pages, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Range {
    /// First address.
    pub start: u64,
    /// First address behind.
    pub end: u64,
}

impl Range {
    /// Every address there is.
    pub const ALL: Self = Self {
        start: 0,
        end: u64::MAX,
    };

    /// Of `length` bytes at `start`, rounded up to whole pages as the kernel does; `None` where
    /// nothing is left, the start is not at a page, or the end is behind the last address.
    pub fn of(start: u64, length: u64) -> Option<Self> {
        let bytes = length.checked_next_multiple_of(PAGE)?;
        let end = start.checked_add(bytes)?;
        (bytes > 0 && start.is_multiple_of(PAGE)).then_some(Self { start, end })
    }

    /// How many bytes.
    pub fn bytes(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// What both have; `None` where that is nothing.
    pub fn common(self, other: Self) -> Option<Self> {
        let start = self.start.max(other.start);
        let end = self.end.min(other.end);
        (start < end).then_some(Self { start, end })
    }
}

/// Which acquisition: no two of an address space have both in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MappingId {
    /// Address space.
    pub space: SpaceId,
    /// First address of the range as it was acquired.
    pub start: u64,
    /// When it was acquired.
    pub stamp: Stamp,
}

/// Memory that a process acquired: `mmap`, the result of `mremap`, `shmat`, or a `brk` that grew.
/// Whatever lay in the range before is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapped {
    /// When the call returned.
    pub stamp: Stamp,
    /// Address space.
    pub space: SpaceId,
    /// What was acquired.
    pub range: Range,
    /// Who called; with `CLONE_VM` not necessarily the process that the address space is named
    /// after.
    pub process: ProcessId,
    /// Which of its threads.
    pub tid: u32,
    /// [`Call::Mmap`], [`Call::Mremap`], [`Call::Shmat`] or [`Call::Brk`].
    #[serde(with = "super::recorded_call")]
    pub call: Call,
    /// `PROT_*` of mmap(2); zero is `PROT_NONE`.
    pub protection: u8,
    /// `MAP_*` of mmap(2); zero for other calls than `mmap`.
    pub flags: u32,
}

/// `MAP_STACK` of mmap(2): the stack of a thread.
const MAP_STACK: u32 = libc::MAP_STACK as u32;
/// `MAP_NORESERVE`.
const MAP_NORESERVE: u32 = libc::MAP_NORESERVE as u32;

impl Mapped {
    /// What it is.
    pub fn kind(&self) -> Kind {
        if self.is_stack() {
            return Kind::Thread;
        }
        Kind::made_by(self.call, u64::from(self.flags))
    }

    /// The stack of a thread.
    pub fn is_stack(&self) -> bool {
        self.call == Call::Mmap && self.flags & MAP_STACK != 0
    }

    /// Address space that was only set aside, to be made accessible later.
    pub fn is_reservation(&self) -> bool {
        self.call == Call::Mmap && self.protection == 0
    }

    /// Memory that nothing is promised for until it is touched.
    pub fn is_unreserved(&self) -> bool {
        self.flags & MAP_NORESERVE != 0
    }
}

impl From<&Mapped> for MappingId {
    fn from(mapped: &Mapped) -> Self {
        Self {
            space: mapped.space,
            start: mapped.range.start,
            stamp: mapped.stamp,
        }
    }
}

/// Memory that a process gave back: `munmap`, what `mremap` left or cut off, or a `brk` that
/// shrank. Any range: parts of mappings, several of them, holes in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmapped {
    /// When the call began.
    pub stamp: Stamp,
    /// Address space.
    pub space: SpaceId,
    /// What was given back.
    pub range: Range,
    /// Who called.
    pub process: ProcessId,
}

/// `shmat(2)`: a segment is mapped, all of it. How large it is the call does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// When the call returned.
    pub stamp: Stamp,
    /// Address space.
    pub space: SpaceId,
    /// Where.
    pub address: u64,
    /// The segment's id.
    pub segment: i32,
    /// Who called.
    pub process: ProcessId,
    /// Which of its threads.
    pub tid: u32,
}

impl Attached {
    /// With the size of its segment in bytes; `None` where that is no range.
    pub fn sized(self, bytes: u64) -> Option<Mapped> {
        Some(Mapped {
            stamp: self.stamp,
            space: self.space,
            range: Range::of(self.address, bytes)?,
            process: self.process,
            tid: self.tid,
            call: Call::Shmat,
            protection: 0,
            flags: 0,
        })
    }

    /// Which acquisition it is.
    pub fn id(&self) -> MappingId {
        MappingId {
            space: self.space,
            start: self.address,
            stamp: self.stamp,
        }
    }
}

/// `shmget(2)`: there is a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentSize {
    /// Its id.
    pub id: i32,
    /// Bytes that were asked for; whoever makes it asks for all, others for that much at most.
    pub bytes: u64,
}

/// `shmdt(2)`: what `shmat` had returned `address` for is gone, as far as it is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detached {
    /// When the call began.
    pub stamp: Stamp,
    /// Address space.
    pub space: SpaceId,
    /// Where it was attached.
    pub address: u64,
    /// Who called.
    pub process: ProcessId,
}

/// A contiguous piece of an acquisition that is still mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldRange {
    /// What is left.
    pub range: Range,
    /// The acquisition as it was.
    pub mapped: Mapped,
    /// Where it was acquired, once that is unwound.
    pub stack: Option<StackId>,
}

/// What a process uses of memory and of countable things, as `/proc` shows it at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// `RssAnon` and `VmSwap` of `proc_pid_status(5)`: anonymous memory, wherever it lies.
    pub anonymous_bytes: u64,
    /// `RssShmem`: shared anonymous memory, memfd, tmpfs, `SysV`. `None` where it was not told
    /// apart from that of files.
    pub shmem_bytes: Option<u64>,
    /// All resident memory.
    pub resident_bytes: u64,
    /// Address space.
    pub size_bytes: u64,
    /// Threads; `None` where they were not asked for.
    pub threads: Option<u32>,
    /// POSIX timers, likewise.
    pub timers: Option<u32>,
}

/// A ceiling that memory, or a count, may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceiling {
    /// As `RLIMIT_AS`, `memory.max`, `vm.max_map_count`, `MemTotal`.
    #[serde(deserialize_with = "super::interned::name")]
    pub name: Name,
    /// Its value, in bytes or counts.
    pub value: u64,
    /// What is in use of it.
    pub used: u64,
}

/// How long until a ceiling is reached at the present growth, with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The nearest.
    pub ceiling: Ceiling,
    /// At the estimated slope.
    pub after: Duration,
    /// At the upper end of the slope's confidence interval.
    pub earliest: Duration,
    /// At the lower end; `None` where that is not growth.
    pub latest: Option<Duration>,
}
