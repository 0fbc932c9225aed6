//! What the agent tells the programs: once at load ([`Layout`], frozen), and at any time
//! ([`Settings`], in a mapped array, so that a store is enough).

/// Offsets, in bytes, of the kernel fields the programs read; from the running kernel's BTF.
/// `.rodata`, frozen before load: the verifier sees constants.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// `task_struct.files`.
    pub task_files: u32,
    /// `task_struct.tgid`.
    pub task_tgid: u32,
    /// `task_struct.pid`.
    pub task_tid: u32,
    /// `task_struct.group_leader`.
    pub task_group_leader: u32,
    /// `task_struct.start_boottime`.
    pub task_start: u32,
    /// `task_struct.self_exec_id`.
    pub task_exec_id: u32,
    /// `task_struct.exit_code`.
    pub task_exit_code: u32,
    /// `task_struct.mm`.
    pub task_mm: u32,
    /// `task_struct.signal`.
    pub task_signal: u32,
    /// `signal_struct.live`.
    pub signal_live: u32,
    /// `signal_struct.flags`.
    pub signal_flags: u32,
    /// `signal_struct.group_exec_task`; before 5.17 `group_exit_task`.
    pub signal_exec_task: u32,
    /// `mm_struct.arg_start`.
    pub mm_arg_start: u32,
    /// `mm_struct.arg_end`.
    pub mm_arg_end: u32,
    /// `mm_struct.start_brk`.
    pub mm_start_brk: u32,
    /// `mm_struct.brk`.
    pub mm_brk: u32,
    /// `files_struct.count`.
    pub files_count: u32,
    /// `files_struct.fdt`.
    pub files_fdt: u32,
    /// `fdtable.max_fds`.
    pub fdt_max_fds: u32,
    /// `fdtable.fd`.
    pub fdt_fd: u32,
    /// `fdtable.open_fds`.
    pub fdt_open_fds: u32,
    /// `file.private_data`.
    pub file_private_data: u32,
    /// `file.f_inode`.
    pub file_inode: u32,
    /// `inode.i_mode`.
    pub inode_mode: u32,
    /// `socket.sk`.
    pub socket_sk: u32,
    /// `sock.__sk_common.skc_family`.
    pub sock_family: u32,
    /// `sock.sk_type`.
    pub sock_type: u32,
    /// `sock.sk_protocol`.
    pub sock_protocol: u32,
    /// `io_open.file_slot`; the structure lies at the start of a request. [`ABSENT`] where the
    /// kernel's BTF has no such type.
    pub uring_open_slot: u32,
    /// `io_accept.file_slot`, likewise.
    pub uring_accept_slot: u32,
    /// `io_socket.file_slot`, likewise.
    pub uring_socket_slot: u32,
    /// `io_close.fd`, likewise.
    pub uring_close_fd: u32,
    /// `io_close.file_slot`, likewise.
    pub uring_close_slot: u32,
    /// Offset of `group_dead` in the record of `sched_process_exit`; 0 where the kernel (before
    /// 6.16) has none, and `signal->live` is read instead.
    pub exit_group_dead: u32,
    /// Offset of `clone_flags` in the record of `task_newtask`.
    pub newtask_clone_flags: u32,
    /// BTF id of a structure that begins with a number of eight bytes; 0 where the kernel has no
    /// `bpf_rdonly_cast` (before 6.2).
    pub word_type: u32,
    /// BTF id of `bpf_rdonly_cast`, likewise.
    pub rdonly_cast: u32,
}

/// Stands for `bpf_rdonly_cast` in the compiled programs: the number of a helper that no kernel
/// has. Functions of the kernel are called by their BTF id, which the agent knows at load only.
pub const RDONLY_CAST: u32 = 0x6d67_0001;

/// System call numbers that the programs know, in `.rodata`: the [`crate::call::Call`] at its
/// number, or zero. Longer than any architecture's table.
pub const CALLS: usize = 512;

/// The entry that stands for `io_uring`: a number that no system call has.
pub const IO_URING_NUMBER: u32 = CALLS as u32 - 1;

/// Offset of a field that the running kernel has not.
pub const ABSENT: u32 = u32::MAX;

/// Which tasks are watched.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those in the set of process ids, which follows forks.
    Pids = 0,
    /// Those under one of [`Settings::cgroups`].
    Cgroups = 1,
    /// All of the host.
    All = 2,
}

/// Most cgroups, and most command names, that one agent filters by.
pub const FILTERS: usize = 8;

/// A cgroup v2 directory and everything below it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupFilter {
    /// Inode number of the directory, which is the kernel's cgroup id.
    pub id: u64,
    /// Depth below the root of the hierarchy; the root has level 0.
    pub level: u32,
    /// Explicit padding.
    pub pad: u32,
}

/// Changed at run time; one element of a mapped array.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Not zero: every program returns at once. Set before the slow detach, and zero-initialised
    /// maps start as [`Scope::Pids`] with an empty set, so that nothing is seen before the
    /// agent says so.
    pub stopped: u32,
    /// A [`Scope`].
    pub scope: u32,
    /// Thread group of the agent, never watched.
    pub agent: u32,
    /// How many of `cgroups` are in use.
    pub cgroup_count: u32,
    /// How many of `comms` are in use: an exec under one of these names makes a process watched.
    pub comm_count: u32,
    /// Acquisitions are dropped once the ring holds more bytes than this.
    pub ring_watermark: u32,
    /// Acquisitions travel without their stack once the ring holds more bytes than this.
    pub window_watermark: u32,
    /// Explicit padding.
    pub pad: u32,
    /// Watched cgroups.
    pub cgroups: [CgroupFilter; FILTERS],
    /// Watched command names, NUL padded.
    pub comms: [[u8; 16]; FILTERS],
}

const _: () = assert!(size_of::<Layout>() == 37 * 4, "Layout has a hole");
const _: () = assert!(
    size_of::<Settings>() == 32 + 16 * FILTERS * 2,
    "Settings has a hole"
);
