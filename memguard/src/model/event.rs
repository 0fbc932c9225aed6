//! What happened, as values: the kernel's records after `decode`.

use serde::{Deserialize, Serialize};

use crate::model::{
    ids::{ProcessId, Stamp, TableId},
    memory::{Attached, Detached, Mapped, SegmentSize, SpaceId, Unmapped},
    persistent::CreatedObject,
    resource::{Call, Kind},
};

/// One record of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    Snapshot(SnapshotPart),
    /// Memory was acquired.
    Mapped(Mapped),
    /// Memory was given back.
    Unmapped(Unmapped),
    /// A shared memory segment was attached.
    Attached(Attached),
    /// A shared memory segment was detached.
    Detached(Detached),
    /// A process asked for a shared memory segment.
    Segment(SegmentSize),
    /// A process made a file in memory.
    Created(CreatedObject),
}

/// A descriptor that a process acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(with = "super::recorded_call")]
    pub call: Call,
    /// What the call's arguments tell; see [`crate::model::resource::Kind::made_by`].
    pub detail: u64,
}

impl Acquired {
    /// Its number is that of standard input, output or error.
    pub fn has_standard_number(&self) -> bool {
        self.fd <= 2
    }

    /// Was put there as standard input, output or error, to stay until the end: a copy, a device, a
    /// pipe, or a file that is written to. Whatever else has such a number has it because that was
    /// free.
    pub fn is_standard(&self) -> bool {
        self.has_standard_number()
            && match self.call {
                Call::Open | Call::Openat | Call::Openat2 | Call::Creat => self.redirects(),
                Call::Dup | Call::Dup2 | Call::Dup3 | Call::Fcntl => true,
                Call::IoUring | Call::Unknown => true,
                _ => false,
            }
    }

    /// What was opened with a standard number is of use as what that stands for.
    fn redirects(&self) -> bool {
        match Kind::made_by(self.call, self.detail) {
            Kind::File => self.fd != 0 && self.may_write(),
            Kind::Dir | Kind::Other => false,
            _ => true,
        }
    }

    /// By the flags of `open`; those of `openat2` are not known.
    fn may_write(&self) -> bool {
        let access = self.detail as libc::c_int & libc::O_ACCMODE;
        access != libc::O_RDONLY || matches!(self.call, Call::Openat2 | Call::Creat)
    }
}

/// A descriptor that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Occasion {
    /// The table or the process ended.
    Death,
    /// The process became another program; close-on-exec descriptors are closed.
    Exec,
    /// The process has closed a range of descriptors.
    Range,
}

/// A piece of a descriptor table's bitmap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPart {
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

#[cfg(test)]
mod tests {
    use memguard_common::event::opened_detail;

    use super::*;

    /// What was opened is a regular file, unless another type is said.
    #[test]
    fn a_low_number_alone_makes_no_standard_stream() {
        let (read, write) = (libc::O_RDONLY as u32, libc::O_WRONLY as u32);
        let of = |flags, kind| opened_detail(flags, kind as u16);
        for (fd, call, detail, expected, why) in [
            (1, Call::Dup2, 0, true, "a shell's redirection"),
            (
                0,
                Call::Openat,
                of(read, libc::S_IFCHR),
                true,
                "a daemon's /dev/null",
            ),
            (1, Call::Openat, of(write, libc::S_IFREG), true, "its log"),
            (2, Call::Creat, of(0, libc::S_IFREG), true, "likewise"),
            (
                0,
                Call::Openat,
                of(read, libc::S_IFREG),
                false,
                "the next free number",
            ),
            (
                1,
                Call::Openat,
                of(read, libc::S_IFREG),
                false,
                "cannot be written to",
            ),
            (
                0,
                Call::Openat,
                of(write, libc::S_IFREG),
                false,
                "nothing comes from it",
            ),
            (
                2,
                Call::Openat,
                of(read, libc::S_IFDIR),
                false,
                "a directory",
            ),
            (
                0,
                Call::Socket,
                0,
                false,
                "a socket of a program started without",
            ),
            (3, Call::Dup2, 0, false, "no standard number"),
        ] {
            let acquired = Acquired {
                stamp: Stamp(1),
                table: TableId(1),
                fd,
                process: ProcessId {
                    tgid: 7,
                    start_ticks: 1,
                },
                tid: 7,
                exec_id: 1,
                call,
                detail,
            };
            assert_eq!(acquired.is_standard(), expected, "{fd} by {call:?}: {why}");
        }
    }
}
