//! Records on the ring buffer: flat, fixed-width, native-endian, multiples of eight bytes.
//!
//! Every record starts with a [`Head`]. Kinds and flags travel as integers and become enums at the
//! agent's door (`decode`), so that an unknown kind is a counted error and never undefined
//! behaviour. A *stamp* is `bpf_ktime_get_ns()`, that is `CLOCK_MONOTONIC` in nanoseconds.

use core::mem::{offset_of, size_of};

/// First sixteen bytes of every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Head {
    /// One of [`kind`].
    pub kind: u32,
    /// Bits of [`flag`].
    pub flags: u32,
    /// When it happened, in nanoseconds of `CLOCK_MONOTONIC`.
    pub stamp: u64,
}

/// Values of [`Head::kind`].
pub mod kind {
    /// An [`super::Acquired`]: a handle left the nursery.
    pub const ACQUIRED: u32 = 1;
    /// A [`super::Released`]: a release that found no partner in the nursery.
    pub const RELEASED: u32 = 2;
    /// A [`super::Forked`].
    pub const FORKED: u32 = 3;
    /// A [`super::Execed`], followed by path and arguments.
    pub const EXECED: u32 = 4;
    /// An [`super::Exited`].
    pub const EXITED: u32 = 5;
    /// A [`super::Snapshot`], followed by a piece of the table's bitmap.
    pub const SNAPSHOT: u32 = 6;
    /// A [`super::Unmapped`].
    pub const UNMAPPED: u32 = 7;
    /// A [`super::Unmapped`] by `shmdt`: of whatever was attached at its address.
    pub const DETACHED: u32 = 8;
    /// An [`super::Unmapped`] that is none, but a shared memory segment.
    ///
    /// Its id is the address, and its size, or less, the length: `shmat` does not tell how much it
    /// maps, and the segment may be gone when the agent asks.
    pub const SEGMENT: u32 = 9;
    /// An [`super::Acquired`] that is no descriptor, but an object that outlives its maker.
    ///
    /// Either a file that was made at the top of a file system in memory, as `shm_open` and
    /// `sem_open` do: its inode's number is the handle, and its device, as the kernel packs it, the
    /// detail. Or a key that `add_key` returned: its serial number is the handle.
    pub const CREATED: u32 = 10;
    /// An [`super::Acquired`] that is told, or was, by itself too: more of the stack at that
    /// moment, as [`crate::wide`] has it.
    pub const WIDE_WINDOW: u32 = 11;
}

/// Bits of [`Head::flags`].
pub mod flag {
    /// On a release: the acquirer found its own slot empty, the stamp is the acquisition's own.
    pub const TAKEN_BACK: u32 = 1;
    /// On a snapshot or exit: taken at the death of the table or of the thread group.
    pub const DEATH: u32 = 1 << 1;
    /// On a snapshot: taken at exec, after the close-on-exec descriptors were closed.
    pub const EXEC: u32 = 1 << 2;
    /// On an exit: no thread of the group is left.
    pub const GROUP_DEAD: u32 = 1 << 3;
    /// On an exit or exec: at least one piece of the snapshot did not fit into the ring.
    pub const SNAPSHOT_LOST: u32 = 1 << 4;
    /// On a snapshot: the table is longer than [`super::SNAPSHOT_MAX_BYTES`], the rest is missing.
    pub const TRUNCATED: u32 = 1 << 5;
    /// On an exec: path or arguments were longer than the record holds.
    pub const TEXT_CUT: u32 = 1 << 6;
    /// On a snapshot: taken after `close_range`.
    pub const RANGE: u32 = 1 << 7;
    /// On an exit: the whole group is ending, not just the thread.
    pub const GROUP_EXIT: u32 = 1 << 8;
}

/// Packs what names a socket: address family, type (flags removed) and protocol.
#[must_use]
pub const fn socket_detail(family: u16, kind: u16, protocol: u16) -> u64 {
    family as u64 | (kind as u64) << 16 | (protocol as u64) << 32
}

/// Packs what an open file is: the type bits of its inode's mode (`S_IFMT`) with the bits of
/// [`file_mark`], and for sockets [`socket_detail`]. Anonymous inodes (epoll, eventfd and the like)
/// have no type.
#[must_use]
pub const fn file_detail(mode: u16, socket: u64) -> u64 {
    (mode as u64) << 48 | socket
}

/// Packs what was opened: the flags of `open`, and above them what it is, as in [`file_detail`];
/// that is 0 where it was not to be seen any more.
#[must_use]
pub const fn opened_detail(flags: u32, mode: u16) -> u64 {
    file_detail(mode, flags as u64)
}

/// The type bits and marks that [`file_detail`] packed.
#[must_use]
pub const fn detail_mode(detail: u64) -> u16 {
    (detail >> 48) as u16
}

/// What the type bits of a mode do not tell, in place of its permissions.
pub mod file_mark {
    /// The character device is a terminal: console, virtual, serial, or either end of a pty.
    pub const TERMINAL: u16 = 1;
    /// The regular file is a namespace.
    pub const NAMESPACE: u16 = 1 << 1;
}

/// Logarithm of the bytes of a page.
pub const PAGE_SHIFT: u32 = 12;
/// Bits of a page's number: 56 bits of user addresses at most, without those inside a page.
const PAGE_NUMBER_BITS: u32 = 44;
/// From this many pages on, 4 GiB, the length of a range is not all in its handle, and its record
/// does not stay in the nursery.
pub const LONG_RANGE: u64 = 1 << (64 - PAGE_NUMBER_BITS);

/// A range of pages as the handle of a record: two ranges of one address space below
/// [`LONG_RANGE`] have the same handle only where they are the same. No descriptor's number is
/// that large.
#[must_use]
pub const fn range_handle(address: u64, pages: u64) -> u64 {
    address >> PAGE_SHIFT | pages << PAGE_NUMBER_BITS
}

/// First address and pages of the range that [`range_handle`] and [`map_detail`] packed.
#[must_use]
pub const fn handle_range(handle: u64, detail: u64) -> (u64, u64) {
    let page = handle & ((1 << PAGE_NUMBER_BITS) - 1);
    let pages = (handle >> PAGE_NUMBER_BITS) + (detail >> 40) * LONG_RANGE;
    (page << PAGE_SHIFT, pages)
}

/// Packs what `mmap` was asked for: flags below, protection above, and above that what the handle
/// has no room for of the length.
#[must_use]
pub const fn map_detail(protection: u64, flags: u64, pages: u64) -> u64 {
    flags & 0xffff_ffff | (protection & 0xff) << 32 | (pages / LONG_RANGE) << 40
}

/// A handle acquired, as it lies in the nursery and as it travels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Acquired {
    /// [`kind::ACQUIRED`], [`kind::CREATED`] or [`kind::WIDE_WINDOW`]; stamped at the exit of the
    /// call.
    pub head: Head,
    /// Address of the `files_struct`, or of the `mm_struct` where it is memory; reused by the
    /// kernel at once, see the ledger's epochs.
    pub table: u64,
    /// Thread group of the acquirer, in the initial PID namespace: the *owner* of the record.
    pub tgid: u32,
    /// Thread of the acquirer.
    pub tid: u32,
    /// Descriptor number, or [`range_handle`].
    pub handle: u64,
    /// `start_boottime` of the group leader, nanoseconds of `CLOCK_BOOTTIME`.
    pub start: u64,
    /// A [`crate::call::Call`].
    pub call: u32,
    /// `self_exec_id` of the acquirer: which program image of the process it was. Of memory, how
    /// often something was mapped over in its address space: what ends a record in the nursery
    /// must know that nothing younger lies inside.
    pub exec_id: u32,
    /// Depends on the call: [`opened_detail`], [`file_detail`], [`socket_detail`] or
    /// [`map_detail`]. Zero where the call has none.
    pub detail: u64,
}

/// Where the acquirer was, directly behind an [`Acquired`]: registers as they were when it entered
/// the kernel, and, following, [`Window::length`] bytes of its stack.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Instruction pointer.
    pub ip: u64,
    /// Stack pointer: address of the first byte that follows.
    pub sp: u64,
    /// Frame pointer register.
    pub bp: u64,
    /// Bytes of stack that follow.
    pub length: u32,
    /// Not zero: there was more stack than room.
    pub cut: u32,
}

/// Bytes of an acquisition before the stack.
pub const ACQUIRED_BYTES: usize = size_of::<Acquired>() + size_of::<Window>();
/// Sizes of the space for an acquisition with its piece of stack, as logarithms: from 128 bytes,
/// which leave no stack, to 16 KiB.
pub const WINDOW_SHIFTS: core::ops::RangeInclusive<u32> = 7..=14;
/// The usual size, 2 KiB.
pub const WINDOW_SHIFT: u32 = 11;
/// Bytes of one element of the pool that windows lie in.
pub const POOL_ELEMENT: usize = 1 << 20;

/// A release that the nursery could not pair.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// [`kind::RELEASED`]; stamped at the entry of the call.
    pub head: Head,
    /// Address of the `files_struct`.
    pub table: u64,
    /// Thread group that released, not necessarily the one that acquired.
    pub tgid: u32,
    /// Thread that released.
    pub tid: u32,
    /// Descriptor number.
    pub handle: u64,
    /// `start_boottime` of the group leader.
    pub start: u64,
}

/// Memory that was given back, or that something else was mapped over.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unmapped {
    /// [`kind::UNMAPPED`] or [`kind::DETACHED`]; stamped at the entry of the call, or just before
    /// what was mapped over it.
    pub head: Head,
    /// Address of the `mm_struct`; reused by the kernel at once.
    pub space: u64,
    /// Thread group that called.
    pub tgid: u32,
    /// Thread that called.
    pub tid: u32,
    /// `start_boottime` of the group leader.
    pub start: u64,
    /// First address.
    pub address: u64,
    /// Bytes, as the call was given them; zero where it was detached.
    pub length: u64,
}

/// A new task that is not a thread of its parent's group.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forked {
    /// [`kind::FORKED`].
    pub head: Head,
    /// The parent's table; the child shares it where [`Forked::clone_flags`] has `CLONE_FILES`.
    pub table: u64,
    /// Parent's thread group.
    pub tgid: u32,
    /// Parent's thread.
    pub tid: u32,
    /// Child's thread group.
    pub child: u32,
    /// Explicit padding.
    pub pad: u32,
    /// `start_boottime` of the parent's group leader.
    pub start: u64,
    /// Flags of `clone(2)`.
    pub clone_flags: u64,
    /// The parent's `mm_struct`; the child's too where [`Forked::clone_flags`] has `CLONE_VM`.
    pub space: u64,
}

/// A process became another program. Followed by [`TEXT_BYTES`] of path and as many of arguments,
/// of which the first `path_len` and `args_len` count; arguments are separated by NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Execed {
    /// [`kind::EXECED`].
    pub head: Head,
    /// Address of the `files_struct` after exec.
    pub table: u64,
    /// Thread group.
    pub tgid: u32,
    /// Thread that called exec; it goes on under the group's id.
    pub tid: u32,
    /// `start_boottime` of the group leader; constant over exec.
    pub start: u64,
    /// `self_exec_id` of the new image.
    pub exec_id: u32,
    /// Effective user id, in the initial user namespace.
    pub uid: u32,
    /// Bytes of the path that follow.
    pub path_len: u32,
    /// Bytes of the arguments that follow the path.
    pub args_len: u32,
    /// Address of the new image's `mm_struct`.
    pub space: u64,
}

/// A process ended, or a table did.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exited {
    /// [`kind::EXITED`].
    pub head: Head,
    /// Address of the `files_struct` of the task that exits.
    pub table: u64,
    /// Thread group.
    pub tgid: u32,
    /// Thread that exits.
    pub tid: u32,
    /// `start_boottime` of the group leader.
    pub start: u64,
    /// `self_exec_id` of the image that ends.
    pub exec_id: u32,
    /// Users of the table, the task that exits included.
    pub table_users: u32,
    /// Effective user id.
    pub uid: u32,
    /// `exit_code` of the task: status << 8 | signal, as `wait(2)` gives it.
    pub exit_code: u32,
    /// Command name.
    pub comm: [u8; 16],
    /// Address of the `mm_struct`; zero before 6.16, where the task has given it up by now.
    pub space: u64,
}

/// A piece of a descriptor table's own bitmap, followed by `bits / 8` bytes, one bit a descriptor,
/// lowest first. Pieces of one snapshot carry one stamp.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// [`kind::SNAPSHOT`] with [`flag::DEATH`], [`flag::EXEC`] or [`flag::RANGE`].
    pub head: Head,
    /// Address of the `files_struct`.
    pub table: u64,
    /// Thread group in whose context it was taken.
    pub tgid: u32,
    /// Thread likewise.
    pub tid: u32,
    /// `start_boottime` of the group leader.
    pub start: u64,
    /// First descriptor of this piece, a multiple of eight.
    pub first: u32,
    /// Descriptors in this piece.
    pub bits: u32,
    /// Descriptors in the whole table.
    pub table_bits: u32,
    /// Explicit padding.
    pub pad: u32,
}

/// Most bytes of path, and of arguments, that an [`Execed`] carries.
pub const TEXT_BYTES: usize = 256;
/// Most bytes of bitmap in one [`Snapshot`] record.
pub const SNAPSHOT_PIECE_BYTES: usize = 8192;
/// Most pieces of one snapshot.
pub const SNAPSHOT_PIECES: usize = 16;
/// Most bytes of bitmap in one snapshot: 1 048 576 descriptors, the kernel's default `fs.nr_open`.
pub const SNAPSHOT_MAX_BYTES: usize = SNAPSHOT_PIECE_BYTES * SNAPSHOT_PIECES;

const _: () = assert!(size_of::<Head>() == 16, "Head moved");
const _: () = assert!(
    size_of::<Acquired>() == 64
        && offset_of!(Acquired, table) == 16
        && offset_of!(Acquired, tgid) == 24
        && offset_of!(Acquired, handle) == 32
        && offset_of!(Acquired, start) == 40
        && offset_of!(Acquired, call) == 48
        && offset_of!(Acquired, detail) == 56,
    "Acquired moved: it is one cache line of the nursery"
);
const _: () = assert!(
    size_of::<Window>() == 32 && offset_of!(Window, length) == 24,
    "Window moved"
);
const _: () = assert!(
    size_of::<Released>() == 48 && offset_of!(Released, handle) == 32,
    "Released moved"
);
const _: () = assert!(
    size_of::<Unmapped>() == 56 && offset_of!(Unmapped, length) == 48,
    "Unmapped moved"
);
const _: () = assert!(
    size_of::<Forked>() == 64 && offset_of!(Forked, space) == 56,
    "Forked moved"
);
const _: () = assert!(
    size_of::<Execed>() == 64 && offset_of!(Execed, space) == 56,
    "Execed moved"
);
const _: () = assert!(
    size_of::<Exited>() == 80 && offset_of!(Exited, space) == 72,
    "Exited moved"
);
const _: () = assert!(
    size_of::<Snapshot>() == 56 && offset_of!(Snapshot, first) == 40,
    "Snapshot moved"
);
