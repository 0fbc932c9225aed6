//! What `/proc` shows, as plain values.

use serde::{Deserialize, Serialize};

use super::{link_target::kind_of_target, memory::Range, process::ProcessInfo, resource::Kind};

/// An open descriptor as the kernel shows it.
///
/// Link and file are two look-ups, the link first: where the descriptor is replaced in between,
/// `dev` and `ino` are the new one's. They decide whether it is the same file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenFile {
    /// What its link says: a path, or for example `socket:[1779236]`.
    pub target: String,
    /// `st_dev` of the file.
    pub dev: u64,
    /// `st_ino` of the file. Fresh for every socket and pipe; all anonymous inodes share one.
    pub ino: u64,
    /// `st_mode` of the file.
    pub mode: u32,
}

impl OpenFile {
    /// What it is, as far as link and mode tell; see [`kind_of_target`].
    pub fn kind(&self) -> Kind {
        kind_of_target(&self.target, self.mode)
    }
}

/// What is in a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residency {
    /// The range, as asked.
    pub range: Range,
    /// Bytes that are still mapped.
    pub mapped_bytes: u64,
    /// Of them, bytes that may be read, written or executed: not `PROT_NONE`.
    pub accessible_bytes: u64,
    /// Of them, bytes for which no swap space was reserved: `MAP_NORESERVE`.
    pub noreserve_bytes: u64,
    /// Bytes that are resident, pages of `hugetlb` included; see [`Residency::estimated`].
    pub resident_bytes: u64,
    /// Bytes that are swapped out, likewise.
    pub swap_bytes: u64,
    /// Bytes that were written and are in no file, or not yet. Of a mapping that is only partly in
    /// the range, the same part of its bytes.
    pub dirty_bytes: u64,
    /// Bytes in transparent huge pages, likewise.
    pub huge_bytes: u64,
    /// A mapping that is partly resident or swapped is only partly in the range, and its pages
    /// were too many, or not allowed, to be asked one by one: of its bytes, the same part was
    /// taken.
    pub estimated: bool,
    /// What the first mapping that has a name is called: path of a file as the kernel prints it,
    /// or for example `[heap]`, `[stack]`, `[anon:x]`.
    pub name: Option<Vec<u8>>,
}

impl Residency {
    /// Bytes in use, in memory or swapped out.
    pub fn used_bytes(&self) -> u64 {
        self.resident_bytes.saturating_add(self.swap_bytes)
    }
}

/// A mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedRange {
    /// Where.
    pub range: Range,
    /// `PROT_*` of mmap(2); zero is `PROT_NONE`.
    pub protection: u8,
    /// `MAP_SHARED`: what is written there is not the process's own.
    pub shared: bool,
    /// It is of a file, or of a device.
    pub of_file: bool,
}

/// What a process watches through inotify.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InotifyWatches {
    /// In how many descriptors.
    pub descriptors: u64,
    /// How many watches they have together.
    pub watches: u64,
}

/// What runs a program, where that has a heap of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Runtime {
    /// Node, Deno, Chromium.
    V8,
    /// Bun.
    JavaScriptCore,
    /// `HotSpot`.
    Jvm,
    /// `CoreCLR`.
    Dotnet,
    /// Go.
    Go,
    /// `CPython`.
    Python,
    /// Ruby.
    Ruby,
    /// PHP.
    Php,
    /// Erlang.
    Beam,
}

/// A segment, which stays until it is removed, whoever ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShmSegment {
    /// Its id, as shmget(2) returned it.
    pub shmid: i32,
    /// Its key; 0 is `IPC_PRIVATE`.
    pub key: i32,
    /// Permissions, the lower nine bits.
    pub perms: u32,
    /// It has been removed and lives only as long as it is attached, shmctl(2).
    pub removed: bool,
    /// Bytes, as asked for.
    pub size: u64,
    /// Process that created it; it may have ended, and its number may be another's.
    pub creator: u32,
    /// Process that attached or detached it last; 0 where nobody did.
    pub last: u32,
    /// How often it is attached.
    pub attached: u64,
    /// User that owns it.
    pub uid: u32,
    /// Seconds since 1970 when it was created, or its owner or permissions were set.
    pub changed: i64,
    /// Bytes that are resident; `None` where the kernel does not tell.
    pub resident_bytes: Option<u64>,
}

/// What a sample of a process looks up beyond `statm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageDetail {
    /// Swapped memory, and shared memory apart from files: `status` instead of `statm`, twice as
    /// dear. Threads come with it.
    pub apart: bool,
    /// Threads.
    pub threads: bool,
    /// POSIX timers.
    pub timers: bool,
}

impl UsageDetail {
    /// `statm` alone.
    pub const LEAST: Self = Self {
        apart: false,
        threads: false,
        timers: false,
    };
    /// Everything.
    pub const ALL: Self = Self {
        apart: true,
        threads: true,
        timers: true,
    };
}

/// What a process held before memguard attached, as far as it is many of the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldBefore {
    /// Who.
    pub process: ProcessInfo,
    /// The largest first.
    pub piles: Vec<Pile>,
    /// Every descriptor was looked at.
    pub complete: bool,
}

/// Descriptors that lead to the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pile {
    /// What they are.
    pub kind: Kind,
    /// A path, or of sockets peer and state, with `#` for the end that differs.
    pub target: String,
    /// Their numbers, in order.
    pub fds: Vec<u32>,
    /// How many of the kind were held before, whatever they lead to.
    pub of_kind: u64,
}
