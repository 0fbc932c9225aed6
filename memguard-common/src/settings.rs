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
    /// `file.f_mode`.
    pub file_mode: u32,
    /// `file.f_path.dentry`.
    pub file_dentry: u32,
    /// `dentry.d_parent`.
    pub dentry_parent: u32,
    /// `inode.i_mode`.
    pub inode_mode: u32,
    /// `inode.i_rdev`.
    pub inode_rdev: u32,
    /// `inode.i_ino`.
    pub inode_number: u32,
    /// `inode.i_sb`.
    pub inode_super: u32,
    /// `super_block.s_magic`.
    pub super_magic: u32,
    /// `super_block.s_dev`.
    pub super_device: u32,
    /// `super_block.s_root`.
    pub super_root: u32,
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

/// Which tasks are watched. Zero-initialised settings mean the first, with an empty set, so that
/// nothing is seen before the agent says so.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those in the set of process ids, which follows forks.
    Pids = 0,
    /// Those under one of [`TargetList::cgroups`].
    Cgroups = 1,
    /// All of the host.
    All = 2,
    /// None: every program returns at once. Set before the slow detach.
    Stopped = 3,
}

/// How many [`TargetList`]s there are: the one that applies, and the one that is being written.
pub const TARGET_SLOTS: usize = 2;

/// A [`Scope`] and the [`TargetList`] that belongs to it, in one word: a program that reads it once
/// sees all of a change or nothing of it.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selector(pub u32);

impl Selector {
    const SCOPE_BITS: u32 = 8;

    /// The scope, with the list in this slot.
    #[must_use]
    pub const fn new(scope: Scope, slot: u32) -> Self {
        Self(scope as u32 | slot << Self::SCOPE_BITS)
    }

    /// Number of the scope.
    #[inline(always)]
    #[must_use]
    pub const fn scope(self) -> u32 {
        self.0 & ((1 << Self::SCOPE_BITS) - 1)
    }

    /// Whether that is the scope.
    #[inline(always)]
    #[must_use]
    pub const fn is(self, scope: Scope) -> bool {
        self.scope() == scope as u32
    }

    /// Slot of the list.
    #[inline(always)]
    #[must_use]
    pub const fn slot(self) -> u32 {
        self.0 >> Self::SCOPE_BITS & (TARGET_SLOTS as u32 - 1)
    }
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

/// What is watched beside the set of process ids. Never written while a [`Selector`] names it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetList {
    /// How many of `cgroups` are in use.
    pub cgroup_count: u32,
    /// How many of `comms` are in use: an exec under one of these names makes a process watched.
    pub comm_count: u32,
    /// Watched cgroups.
    pub cgroups: [CgroupFilter; FILTERS],
    /// Watched command names, NUL padded.
    pub comms: [[u8; 16]; FILTERS],
}

/// Changed at run time; one element of a mapped array.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What is watched. The only word that is changed while programs run.
    pub selector: Selector,
    /// Thread group of the agent, never watched.
    pub agent: u32,
    /// Acquisitions are dropped once the ring holds more bytes than this.
    pub ring_watermark: u32,
    /// Acquisitions travel without their stack once the ring holds more bytes than this.
    pub window_watermark: u32,
    /// Whether wide windows are copied anywhere; 0 where no word of [`crate::wide`] is in use.
    pub wide_sites: u32,
    /// Explicit padding.
    pub pad: u32,
    /// See [`Selector`].
    pub targets: [TargetList; TARGET_SLOTS],
}

const _: () = assert!(size_of::<Layout>() == 46 * 4, "Layout has a hole");
const _: () = assert!(
    size_of::<TargetList>() == 8 + 16 * FILTERS * 2,
    "TargetList has a hole"
);
const _: () = assert!(
    size_of::<Settings>() == 24 + TARGET_SLOTS * size_of::<TargetList>(),
    "Settings has a hole"
);
const _: () = assert!(TARGET_SLOTS.is_power_of_two(), "a slot is a mask");
