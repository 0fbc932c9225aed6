//! Reads of kernel structures: the current task, its descriptor table, sockets.
//!
//! Fields reachable from `bpf_get_current_task_btf` are plain loads that the verifier checks
//! against the kernel's BTF; a faulting load gives zero. One takes a nanosecond, where [`probe`]
//! takes two, and thirty before Linux 6.2. But where the field is a pointer of the current task,
//! the verifier looks four names up among all types of the kernel, more than a millisecond, on
//! every path that loads it. So a program does that once, at its beginning, and programs that run
//! rarely use [`probe`].

use core::mem::MaybeUninit;

use aya_ebpf::helpers::{
    bpf_get_current_task_btf, bpf_probe_read_user, generated::bpf_probe_read_kernel,
};
use memguard_common::{
    event::{file_detail, file_mark, opened_detail, socket_detail},
    settings::RDONLY_CAST,
};

use crate::{
    maps::layout,
    memory::{read_volatile, write_volatile},
};

/// Follows a pointer field, or loads a number field, of a BTF-typed structure.
#[inline(always)]
fn load<T: Copy>(base: *const u8, offset: usize) -> T {
    read_volatile(base.wrapping_add(offset).cast())
}

/// Reads kernel memory at a plain address: one, two, four or eight bytes, zero where it cannot be
/// read.
#[inline(always)]
pub(crate) fn probe<T: Copy>(address: u64) -> T {
    let word_type = layout!(word_type) as u32;
    if word_type != 0 {
        return read_kernel_cast(address, word_type);
    }
    let mut value = MaybeUninit::<T>::uninit();
    let place = value.as_mut_ptr();
    // SAFETY: the helper fails cleanly on any address, and then writes zeros.
    unsafe {
        bpf_probe_read_kernel(place.cast(), size_of::<T>() as u32, address as *const _);
    }
    read_volatile(place)
}

/// Loads one, two, four or eight bytes at a plain address through a pointer to a structure that
/// begins with a number: `bpf_rdonly_cast`, which moves a register. A load that faults gives zero.
#[inline(always)]
fn read_kernel_cast<T: Copy>(address: u64, word_type: u32) -> T {
    // SAFETY: the agent replaces what the compiler makes of this by a call of the kernel's
    // function.
    let cast: unsafe extern "C" fn(u64, u32) -> *const T =
        unsafe { core::mem::transmute(RDONLY_CAST as usize) };
    // SAFETY: as above; the verifier checks every use of the result.
    read_volatile(unsafe { cast(address, word_type) })
}

/// The address behind a BTF pointer, which is no number: what is read from a slot of the stack that
/// was written in parts is any number to the verifier. Written once more is the byte at the top,
/// which all addresses of the kernel share.
#[inline(always)]
fn number(pointer: *const u8) -> u64 {
    const TOP: u8 = 0xff;
    let mut slot = pointer;
    let place = &raw mut slot;
    write_volatile(place, pointer);
    write_volatile(place.cast::<u8>().wrapping_add(7), TOP);
    read_volatile(place.cast())
}

/// Whose an event is: a thread group from its start to its end.
#[derive(Clone, Copy)]
pub(crate) struct Process {
    /// Thread group, in the initial PID namespace.
    pub(crate) tgid: u32,
    /// `start_boottime` of its leader.
    pub(crate) start: u64,
}

/// The current task.
#[derive(Clone, Copy)]
pub(crate) struct Task {
    pointer: *const u8,
    /// Thread group, in the initial PID namespace.
    pub(crate) tgid: u32,
    /// Thread.
    pub(crate) tid: u32,
    /// `group_leader->start_boottime`, constant over exec.
    pub(crate) start: u64,
}

impl Task {
    /// The one that runs the program; once in a program, see the module.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: no preconditions.
        let pointer = unsafe { bpf_get_current_task_btf() };
        let pointer = pointer.cast::<u8>().cast_const();
        let leader: *const u8 = load(pointer, layout!(task_group_leader));
        Self {
            pointer,
            tgid: load(pointer, layout!(task_tgid)),
            tid: load(pointer, layout!(task_tid)),
            start: load(leader, layout!(task_start)),
        }
    }

    /// Whose its events are.
    #[inline(always)]
    pub(crate) fn process(self) -> Process {
        Process {
            tgid: self.tgid,
            start: self.start,
        }
    }

    /// The BTF pointer, for helpers that take one.
    #[inline(always)]
    pub(crate) fn pointer(self) -> *const u8 {
        self.pointer
    }

    /// `self_exec_id`; its low half where the kernel has 64 bits.
    #[inline(always)]
    pub(crate) fn exec_id(self) -> u32 {
        load(self.pointer, layout!(task_exec_id))
    }

    /// `exit_code`, as `wait(2)` gives it.
    #[inline(always)]
    pub(crate) fn exit_code(self) -> u32 {
        load(self.pointer, layout!(task_exit_code))
    }

    /// Threads of the group that have not begun to exit.
    #[inline(always)]
    pub(crate) fn live_threads(self) -> u32 {
        self.signal(layout!(signal_live))
    }

    /// Whether the whole group is ending, by `exit_group` or a fatal signal: `SIGNAL_GROUP_EXIT`,
    /// <https://github.com/torvalds/linux/blob/v6.18/include/linux/sched/signal.h#L254>
    #[inline(always)]
    pub(crate) fn is_group_exiting(self) -> bool {
        const SIGNAL_GROUP_EXIT: u32 = 4;
        self.signal::<u32>(layout!(signal_flags)) & SIGNAL_GROUP_EXIT != 0
    }

    /// Whether another thread of the group waits for all others to end, to become another program:
    /// <https://github.com/torvalds/linux/blob/v6.18/fs/exec.c#L887>
    #[inline(always)]
    pub(crate) fn is_exec_awaited(self) -> bool {
        self.signal::<u64>(layout!(signal_exec_task)) != 0
    }

    /// A field of the `signal_struct`, for programs that run rarely.
    #[inline(always)]
    fn signal<T: Copy>(self, offset: usize) -> T {
        let signal = self.read(layout!(task_signal));
        field(signal, offset)
    }

    /// A pointer field as a number, zero where it is null, for programs that run rarely.
    #[inline(always)]
    fn read(self, offset: usize) -> u64 {
        probe(self.pointer.wrapping_add(offset) as u64)
    }

    /// The address space; `None` for a task that has given it up.
    #[inline(always)]
    pub(crate) fn space(self) -> Option<Space> {
        let pointer: *const u8 = load(self.pointer, layout!(task_mm));
        if pointer.is_null() {
            return None;
        }
        Some(Space {
            pointer,
            address: number(pointer),
        })
    }

    /// Address of the address space as a number; zero for a task that has none.
    #[inline(always)]
    pub(crate) fn space_address(self) -> u64 {
        self.read(layout!(task_mm))
    }

    /// `arg_start` and `arg_end`: where the arguments lie in user memory.
    #[inline(always)]
    pub(crate) fn arguments(self) -> (u64, u64) {
        let space = self.space_address();
        (
            field(space, layout!(mm_arg_start)),
            field(space, layout!(mm_arg_end)),
        )
    }

    /// The descriptor table; `None` for a task that has given it up.
    #[inline(always)]
    pub(crate) fn table(self) -> Option<Table> {
        let pointer: *const u8 = load(self.pointer, layout!(task_files));
        if pointer.is_null() {
            return None;
        }
        Some(Table {
            pointer,
            address: number(pointer),
        })
    }
}

/// An `mm_struct`.
#[derive(Clone, Copy)]
pub(crate) struct Space {
    pointer: *const u8,
    /// Its address as a number: the address space's name in records.
    pub(crate) address: u64,
}

impl Space {
    /// `start_brk` and `brk`: the heap proper, to the byte.
    #[inline(always)]
    pub(crate) fn heap(self) -> (u64, u64) {
        (
            load(self.pointer, layout!(mm_start_brk)),
            load(self.pointer, layout!(mm_brk)),
        )
    }
}

/// A `files_struct`.
#[derive(Clone, Copy)]
pub(crate) struct Table {
    pointer: *const u8,
    /// Its address as a number: the table's name in records.
    pub(crate) address: u64,
}

impl Table {
    /// `count`: tasks (and, on kernels before 5.11, readers of procfs) that use the table.
    #[inline(always)]
    pub(crate) fn users(self) -> u32 {
        load(self.pointer, layout!(files_count))
    }

    /// Address of the open file in slot `fd`, without flags bits; `None` where the slot is empty.
    ///
    /// The kernel clears the slot at the very start of `close`, before it flushes or releases
    /// anything: <https://github.com/torvalds/linux/blob/v6.18/fs/file.c#L665>
    #[inline(always)]
    pub(crate) fn file(self, fd: u32) -> Option<u64> {
        let fdt: *const u8 = load(self.pointer, layout!(files_fdt));
        let slots: u32 = load(fdt, layout!(fdt_max_fds));
        if fd >= slots {
            return None;
        }
        let array: u64 = load(fdt, layout!(fdt_fd));
        let file: u64 = probe(array.wrapping_add(u64::from(fd) * 8));
        (file != 0).then_some(file)
    }

    /// Address of the bitmap of open descriptors and its length in bits.
    #[inline(always)]
    pub(crate) fn bitmap(self) -> (u64, u32) {
        let fdt: *const u8 = load(self.pointer, layout!(files_fdt));
        (
            load(fdt, layout!(fdt_open_fds)),
            load(fdt, layout!(fdt_max_fds)),
        )
    }
}

/// What an open file is, see [`file_detail`].
#[inline(always)]
pub(crate) fn describe(file: u64) -> u64 {
    let kind = marked_kind(file);
    let socket = if kind == S_IFSOCK { socket(file) } else { 0 };
    file_detail(kind, socket)
}

/// What was opened with these flags, see [`opened_detail`].
#[inline(always)]
pub(crate) fn describe_opened(file: u64, flags: u32) -> u64 {
    opened_detail(flags, marked_kind(file))
}

const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;
const S_IFREG: u16 = 0o100_000;
const S_IFCHR: u16 = 0o020_000;

/// Whether messages received on it are known to carry no descriptors: only Unix sockets' do, see
/// `__scm_send`, <https://github.com/torvalds/linux/blob/v6.18/net/core/scm.c#L163>. Not asked where
/// it takes longer than a look at the message.
#[inline(always)]
pub(crate) fn carries_no_descriptors(file: u64) -> bool {
    const AF_UNIX: u16 = 1;
    if layout!(word_type) == 0 {
        return false;
    }
    let kind = kind(file);
    let family: u16 = field(sock(file), layout!(sock_family));
    kind == S_IFSOCK && family > AF_UNIX
}

/// The type bits of an open file's inode.
#[inline(always)]
fn kind(file: u64) -> u16 {
    let inode: u64 = field(file, layout!(file_inode));
    field::<u16>(inode, layout!(inode_mode)) & S_IFMT
}

/// Likewise, with what they do not tell, see [`file_mark`]. Inodes of namespaces have this mode,
/// `__ns_get_path`, <https://github.com/torvalds/linux/blob/v6.18/fs/nsfs.c#L530>; few others have.
#[inline(always)]
fn marked_kind(file: u64) -> u16 {
    const OF_NAMESPACES: u16 = S_IFREG | 0o444;
    let inode: u64 = field(file, layout!(file_inode));
    let mode: u16 = field(inode, layout!(inode_mode));
    let mark = match mode & S_IFMT {
        S_IFCHR if is_terminal(inode) => file_mark::TERMINAL,
        S_IFREG if mode == OF_NAMESPACES && is_namespace(inode) => file_mark::NAMESPACE,
        _ => 0,
    };
    mode & S_IFMT | mark
}

/// `TTY_MAJOR`, `TTYAUX_MAJOR`, and the eight of `UNIX98_PTY_SLAVE_MAJOR`:
/// <https://github.com/torvalds/linux/blob/v6.18/include/uapi/linux/major.h#L20>
#[inline(always)]
fn is_terminal(inode: u64) -> bool {
    const MINOR_BITS: u32 = 20;
    let device: u32 = field(inode, layout!(inode_rdev));
    matches!(device >> MINOR_BITS, 4 | 5 | 136..=143)
}

/// On a file system of `NSFS_MAGIC`.
#[inline(always)]
fn is_namespace(inode: u64) -> bool {
    const NSFS_MAGIC: u64 = 0x6e73_6673;
    let super_block: u64 = field(inode, layout!(inode_super));
    field::<u64>(super_block, layout!(super_magic)) == NSFS_MAGIC
}

/// Address of the `struct sock` of an open socket.
#[inline(always)]
fn sock(file: u64) -> u64 {
    let socket: u64 = field(file, layout!(file_private_data));
    field(socket, layout!(socket_sk))
}

#[inline(always)]
fn socket(file: u64) -> u64 {
    let sock = sock(file);
    let kind = field(sock, layout!(sock_type));
    let protocol = field(sock, layout!(sock_protocol));
    socket_detail(field(sock, layout!(sock_family)), kind, protocol)
}

/// A field of a structure that is known by its address.
#[inline(always)]
pub(crate) fn field<T: Copy>(structure: u64, offset: usize) -> T {
    probe(structure.wrapping_add(offset as u64))
}

/// Reads the caller's memory; `None` where it cannot be read.
#[inline(always)]
pub(crate) fn user<T: Copy>(address: u64) -> Option<T> {
    // SAFETY: the helper fails cleanly on any address.
    unsafe { bpf_probe_read_user(address as *const T) }.ok()
}
