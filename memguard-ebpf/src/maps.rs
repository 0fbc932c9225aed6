//! Every map, with its capacity and why.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use memguard_common::{
    event::{self, Acquired, POOL_ELEMENT, SNAPSHOT_PIECE_BYTES, Snapshot, WINDOW_SHIFTS},
    nursery::{SETS, WAYS},
    settings::{CALLS, Layout, Settings},
    stats::{ProcessLosses, Stat},
    wide::WIDE_SITES,
};

use crate::memory::read_volatile;

/// State words of the nursery, a cache line a set. The agent may change the number of sets at load.
#[map]
pub(crate) static WORDS: Array<[u64; WAYS as usize]> =
    Array::with_max_entries(SETS, BPF_F_MMAPABLE);

/// Records of the nursery, at set × 8 + way.
#[map]
pub(crate) static RECORDS: Array<Acquired> = Array::with_max_entries(SETS * WAYS, BPF_F_MMAPABLE);

/// Stacks of the nursery's records: slot after slot, in elements as large as the verifier needs to
/// see that a slot lies inside. 8 MiB whatever the size of a window: the number of slots follows.
#[map]
pub(crate) static WINDOWS: Array<[u8; POOL_ELEMENT]> = Array::with_max_entries(8, BPF_F_MMAPABLE);

/// To the agent. 4 MiB hold 58 000 evictions: half a second at the highest rate two cores make.
#[map]
pub(crate) static RING: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Counters, one array a CPU: incremented without atomics, summed by the agent.
#[map]
pub(crate) static STATS: PerCpuArray<[u64; Stat::COUNT as usize]> =
    PerCpuArray::with_max_entries(1, 0);

/// What the agent may change while the programs run.
#[map]
pub(crate) static SETTINGS: Array<Settings> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Where wide windows are copied, and how often still; the agent's to fill.
#[map]
pub(crate) static WIDE: Array<u64> = Array::with_max_entries(WIDE_SITES, BPF_F_MMAPABLE);

/// Watched thread groups, a bit each: a look at it takes 2 ns where a hash map takes 40. The agent
/// makes it as long as the kernel's `pid_max` asks for, 4 KiB for 32 768, 512 KiB for the most
/// there can be; a number beyond is counted.
#[map]
pub(crate) static WATCHED: Array<u64> = Array::with_max_entries(512, BPF_F_MMAPABLE);

/// Events lost, by thread group: whose results are in doubt. The agent removes who has ended, so
/// that the table holds those that live and have lost something; a loss of more than these at once
/// is doubt about everybody who lives then.
#[map]
pub(crate) static LOSSES: HashMap<u32, ProcessLosses> = HashMap::with_max_entries(2048, 0);

/// Requests of `io_uring` under way that will make a descriptor. A request that is never completed
/// falls out at the end of the list.
#[map]
pub(crate) static REQUESTS: LruHashMap<u64, u32> = LruHashMap::with_max_entries(2048, 0);

/// Calls under way that change memory and are understood at their exit only, by thread: no more
/// than tasks that were interrupted inside `brk` or `mremap`. One that never returns falls out at
/// the end of the list.
#[map]
pub(crate) static UNDER_WAY: LruHashMap<u32, UnderWay> = LruHashMap::with_max_entries(1024, 0);

/// For an entry of a table that may be missing anyway, because it fell out at the end of the list:
/// whoever looks for it knows what to do without.
#[inline(always)]
pub(crate) fn may_be_missing(_error: i32) {}

/// What a call was like when it began.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct UnderWay {
    /// When.
    pub(crate) stamp: u64,
    /// The end of the heap.
    pub(crate) brk: u64,
}

/// How often something was mapped over in the address spaces that share an element by the hash of
/// their address: 16 KiB. One that counts for others makes them tell the agent more than they need.
#[map]
pub(crate) static OVERLAYS: Array<u32> = Array::with_max_entries(4096, 0);

/// Where records longer than the stack are put together.
#[map]
pub(crate) static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// The longest record: an acquisition with the largest window, or a snapshot piece.
#[repr(C, align(8))]
pub(crate) struct Scratch(pub(crate) [u8; 1 << *WINDOW_SHIFTS.end()]);

const _: () = assert!(
    size_of::<Scratch>() >= size_of::<Snapshot>() + SNAPSHOT_PIECE_BYTES,
    "a piece does not fit"
);

/// Kernel offsets, set at load.
#[unsafe(no_mangle)]
pub(crate) static LAYOUT: Layout = Layout {
    task_files: 0,
    task_tgid: 0,
    task_tid: 0,
    task_group_leader: 0,
    task_start: 0,
    task_exec_id: 0,
    task_exit_code: 0,
    task_mm: 0,
    task_signal: 0,
    signal_live: 0,
    signal_flags: 0,
    signal_exec_task: 0,
    mm_arg_start: 0,
    mm_arg_end: 0,
    mm_start_brk: 0,
    mm_brk: 0,
    files_count: 0,
    files_fdt: 0,
    fdt_max_fds: 0,
    fdt_fd: 0,
    fdt_open_fds: 0,
    file_private_data: 0,
    file_inode: 0,
    file_mode: 0,
    file_dentry: 0,
    dentry_parent: 0,
    inode_mode: 0,
    inode_rdev: 0,
    inode_number: 0,
    inode_super: 0,
    super_magic: 0,
    super_device: 0,
    super_root: 0,
    socket_sk: 0,
    sock_family: 0,
    sock_type: 0,
    sock_protocol: 0,
    uring_open_slot: 0,
    uring_accept_slot: 0,
    uring_socket_slot: 0,
    uring_close_fd: 0,
    uring_close_slot: 0,
    exit_group_dead: 0,
    newtask_clone_flags: 0,
    word_type: 0,
    rdonly_cast: 0,
};

/// Which call a system call number is, set at load for the running architecture.
#[unsafe(no_mangle)]
static CALL_NUMBERS: [u8; CALLS] = [0; CALLS];

/// Logarithm of the bytes of a slot in [`WINDOWS`], set at load.
#[unsafe(no_mangle)]
static WINDOW_SHIFT: u32 = event::WINDOW_SHIFT;

/// Number of nursery sets, a power of two, set at load together with the size of the maps.
#[unsafe(no_mangle)]
static NURSERY_SETS: u32 = SETS;

/// Reads one field of the layout. Volatile: the compiler must not take the zeros above for the
/// values.
macro_rules! layout {
    ($field:ident) => {{ $crate::memory::read_volatile(&raw const $crate::maps::LAYOUT.$field) as usize }};
}
pub(crate) use layout;

/// How many sets the nursery has.
#[inline(always)]
pub(crate) fn nursery_sets() -> u32 {
    read_volatile(&raw const NURSERY_SETS)
}

/// Logarithm of [`window_bytes`].
#[inline(always)]
pub(crate) fn window_shift() -> u32 {
    read_volatile(&raw const WINDOW_SHIFT)
}

/// Whether stacks are copied at all.
#[inline(always)]
pub(crate) fn wants_windows() -> bool {
    window_shift() > *WINDOW_SHIFTS.start()
}

/// Bytes of a slot of the pool of windows.
#[inline(always)]
pub(crate) fn window_bytes() -> u64 {
    1 << window_shift()
}

/// The [`Call`](memguard_common::call::Call) of a system call number, zero for one that is none.
#[inline(always)]
pub(crate) fn call(number: u32) -> u32 {
    let index = number as usize & (CALLS - 1);
    let entry = (&raw const CALL_NUMBERS).cast::<u8>().wrapping_add(index);
    u32::from(read_volatile(entry))
}

/// The settings; `None` never happens, but the verifier wants the question asked.
#[inline(always)]
pub(crate) fn settings() -> Option<&'static Settings> {
    SETTINGS.get(0)
}
