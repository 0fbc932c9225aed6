//! `perf_event_open(2)`: an event that counts nothing and tells which code is mapped.
//!
//! `libc` has none of these definitions; they are those of
//! <https://github.com/torvalds/linux/blob/v6.18/include/uapi/linux/perf_event.h>.

use std::{
    io,
    mem::offset_of,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
};

/// `PERF_TYPE_SOFTWARE`.
const SOFTWARE: u32 = 1;
/// `PERF_COUNT_SW_DUMMY`.
const DUMMY: u64 = 9;
/// `PERF_SAMPLE_TIME`: with `sample_id_all` every record ends with its stamp, and nothing else.
const TIME: u64 = 1 << 2;
/// `PERF_FLAG_FD_CLOEXEC`.
const CLOEXEC: libc::c_ulong = 1 << 3;

/// What the event tells, as bits of the word behind `read_format`. Two of the kinds are asked for
/// twice: without `mmap` the kernel does not look at mappings at all, whatever `mmap2` says
/// (`nr_mmap_events` in `account_event`), and `comm` is what `comm_exec` marks.
const FLAGS: u64 = EXCLUDE_KERNEL
    | EXCLUDE_HV
    | MMAP
    | COMM
    | TASK
    | WATERMARK
    | SAMPLE_ID_ALL
    | MMAP2
    | COMM_EXEC
    | USE_CLOCKID
    | BUILD_ID;

/// Nothing is sampled; an event that could sample the kernel needs more permission.
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HV: u64 = 1 << 6;
const MMAP: u64 = 1 << 8;
const COMM: u64 = 1 << 9;
const TASK: u64 = 1 << 13;
const WATERMARK: u64 = 1 << 14;
const SAMPLE_ID_ALL: u64 = 1 << 18;
const MMAP2: u64 = 1 << 23;
const COMM_EXEC: u64 = 1 << 24;
const USE_CLOCKID: u64 = 1 << 25;
const BUILD_ID: u64 = 1 << 34;

/// `struct perf_event_attr` as long as it takes to name a clock (`PERF_ATTR_SIZE_VER3`); to the
/// kernel the rest is zero.
#[repr(C)]
#[derive(Debug, Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_watermark: u32,
    bp_type: u32,
    config1: u64,
    config2: u64,
    branch_sample_type: u64,
    sample_regs_user: u64,
    sample_stack_user: u32,
    clockid: i32,
}

const _: () = assert!(
    size_of::<Attributes>() == 96
        && offset_of!(Attributes, flags) == 40
        && offset_of!(Attributes, clockid) == 92,
    "perf_event_attr is not laid out as the kernel has it"
);

/// Opens the event on a CPU, for every process; it is on from now on. `watermark` bytes in its ring
/// wake who waits for it.
pub(super) fn open(cpu: u32, watermark: u32) -> io::Result<OwnedFd> {
    const EVERY_PROCESS: libc::pid_t = -1;
    const NO_GROUP: RawFd = -1;
    let attributes = Attributes {
        kind: SOFTWARE,
        size: size_of::<Attributes>() as u32,
        config: DUMMY,
        sample_type: TIME,
        flags: FLAGS,
        wakeup_watermark: watermark,
        clockid: libc::CLOCK_MONOTONIC,
        ..Attributes::default()
    };
    // SAFETY: the kernel reads as many bytes of `attributes` as its field `size` says it has.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            EVERY_PROCESS,
            cpu as libc::c_int,
            NO_GROUP,
            CLOEXEC,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
