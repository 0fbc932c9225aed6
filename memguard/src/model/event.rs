//! What happened, as values: the kernel's records after `decode`.

use crate::model::{
    ids::{ProcessId, Stamp, TableId},
    memory::{Attached, Detached, Mapped, Segment, SpaceId, Unmapped},
    resource::Call,
};

/// One record of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A handle left the nursery.
    Acquired(Acquired),
    /// A release that the nursery could not pair.
    Released(Released),
    /// A process was born.
    Forked(Forked),
    /// A process became another program.
    Execed(Execed),
    /// A process, or a table, ended.
    Exited(Exited),
    /// A piece of a table's bitmap.
    Snapshot(Piece),
    /// Memory was acquired.
    Mapped(Mapped),
    /// Memory was given back.
    Unmapped(Unmapped),
    /// A shared memory segment was attached.
    Attached(Attached),
    /// A shared memory segment was detached.
    Detached(Detached),
    /// A process asked for a shared memory segment.
    Segment(Segment),
}

/// A descriptor that a process acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquired {
    /// When the call returned.
    pub stamp: Stamp,
    /// In which table.
    pub table: TableId,
    /// Descriptor number.
    pub fd: u32,
    /// Who acquired it.
    pub process: ProcessId,
    /// Which of its threads.
    pub tid: u32,
    /// Which program image of the process it was; rises by one with every exec.
    pub exec_id: u32,
    /// By which call.
    pub call: Call,
    /// What the call's arguments tell; see [`crate::model::resource::Kind::made_by`].
    pub detail: u64,
}

impl Acquired {
    /// Standard input, output and error: whatever was put there is meant to stay until the end, and
    /// to be handed over by exec.
    pub fn is_standard(&self) -> bool {
        self.fd <= 2
    }
}

/// A descriptor that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// When the call began, or the stamp of the acquisition where it was taken back.
    pub stamp: Stamp,
    /// In which table.
    pub table: TableId,
    /// Descriptor number.
    pub fd: u32,
    /// Who closed it.
    pub process: ProcessId,
}

/// A new process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forked {
    /// When it was made.
    pub stamp: Stamp,
    /// Its parent.
    pub parent: ProcessId,
    /// Its thread group id; its start is known from its first own record.
    pub child: u32,
    /// The parent's table.
    pub table: TableId,
    /// Whether the child uses the parent's table (`CLONE_FILES`) instead of a copy.
    pub shares_table: bool,
    /// The parent's address space; `None` where it has none.
    pub space: Option<SpaceId>,
    /// Whether the child uses the parent's address space (`CLONE_VM`) instead of a copy.
    pub shares_space: bool,
}

/// A process that became another program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execed {
    /// When the new image was in place.
    pub stamp: Stamp,
    /// Who.
    pub process: ProcessId,
    /// The table after exec, private to the process.
    pub table: TableId,
    /// The new image.
    pub exec_id: u32,
    /// Effective user id.
    pub uid: u32,
    /// Path as given to exec; bytes, not text.
    pub path: Vec<u8>,
    /// Arguments, separated by NUL, the first 256 bytes.
    pub args: Vec<u8>,
    /// Path or arguments were cut.
    pub text_cut: bool,
    /// Pieces of the table's snapshot were lost.
    pub snapshot_lost: bool,
    /// The new image's address space.
    pub space: Option<SpaceId>,
}

/// The end of a process, or of a table's last user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exited {
    /// When.
    pub stamp: Stamp,
    /// Who.
    pub process: ProcessId,
    /// The table it used.
    pub table: TableId,
    /// The image that ended.
    pub exec_id: u32,
    /// No thread of the process is left.
    pub group_dead: bool,
    /// The whole process is ending, not just the thread.
    pub group_exit: bool,
    /// Users of the table, the task that exits included; zero where it had none any more.
    pub users: u32,
    /// Pieces of the table's snapshot were lost.
    pub snapshot_lost: bool,
    /// Effective user id.
    pub uid: u32,
    /// `wait(2)` status.
    pub status: u32,
    /// Command name, NUL padded.
    pub comm: [u8; 16],
    /// Its address space; `None` before Linux 6.16, where it has given it up by now.
    pub space: Option<SpaceId>,
}

impl Exited {
    /// The task was the table's only user.
    pub fn is_last_user(&self) -> bool {
        self.users == 1
    }
}

/// Why a snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The table or the process ended.
    Death,
    /// The process became another program; close-on-exec descriptors are closed.
    Exec,
    /// The process has closed a range of descriptors.
    Range,
}

/// A piece of a descriptor table's bitmap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// When the whole snapshot was begun; the same in all its pieces.
    pub stamp: Stamp,
    /// Which table.
    pub table: TableId,
    /// In whose context.
    pub process: ProcessId,
    /// Why.
    pub occasion: Occasion,
    /// First descriptor of the piece.
    pub first: u32,
    /// Descriptors in the whole table.
    pub table_bits: u32,
    /// The kernel's table is longer than snapshots are.
    pub truncated: bool,
    /// One bit a descriptor, lowest first.
    pub bits: Vec<u8>,
}
