//! `perf_event_open(2)`: what a software event is to tell, and its opening.
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
/// `PERF_FLAG_FD_CLOEXEC`.
const CLOEXEC: libc::c_ulong = 1 << 3;

/// What of an event is told: bits of the word behind `read_format`.
pub mod flag {
    #![expect(missing_docs, reason = "perf_event_open(2) has them all")]

    pub const EXCLUDE_KERNEL: u64 = 1 << 5;
    pub const EXCLUDE_HV: u64 = 1 << 6;
    pub const MMAP: u64 = 1 << 8;
    pub const COMM: u64 = 1 << 9;
    pub const TASK: u64 = 1 << 13;
    pub const WATERMARK: u64 = 1 << 14;
    pub const SAMPLE_ID_ALL: u64 = 1 << 18;
    pub const MMAP2: u64 = 1 << 23;
    pub const COMM_EXEC: u64 = 1 << 24;
    pub const USE_CLOCKID: u64 = 1 << 25;
    pub const BUILD_ID: u64 = 1 << 34;
}

/// What of a sample is told: bits of `sample_type`.
pub mod sample {
    #![expect(missing_docs, reason = "perf_event_open(2) has them all")]

    pub const TID: u64 = 1 << 1;
    pub const TIME: u64 = 1 << 2;
    pub const ADDR: u64 = 1 << 3;
    pub const REGS_USER: u64 = 1 << 12;
    pub const STACK_USER: u64 = 1 << 13;
}

/// `struct perf_event_attr` as long as it takes to name a clock (`PERF_ATTR_SIZE_VER3`); to the
/// kernel the rest is zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
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

impl Attributes {
    /// Of a software event, with stamps of `CLOCK_MONOTONIC` as every record of memguard has them,
    /// and a watermark instead of a count of records to be woken at.
    pub const fn software(config: u64, sample_type: u64, flags: u64) -> Self {
        Self {
            kind: SOFTWARE,
            size: size_of::<Self>() as u32,
            config,
            sample_period: 0,
            sample_type,
            read_format: 0,
            flags: flags | flag::WATERMARK | flag::USE_CLOCKID,
            wakeup_watermark: 0,
            bp_type: 0,
            config1: 0,
            config2: 0,
            branch_sample_type: 0,
            sample_regs_user: 0,
            sample_stack_user: 0,
            clockid: libc::CLOCK_MONOTONIC,
        }
    }

    /// With a sample of every so many events.
    #[must_use]
    pub const fn every(self, sample_period: u64) -> Self {
        Self {
            sample_period,
            ..self
        }
    }

    /// With these registers of user space, and so many bytes of its stack.
    #[must_use]
    pub const fn copying(self, sample_regs_user: u64, sample_stack_user: u32) -> Self {
        Self {
            sample_regs_user,
            sample_stack_user,
            ..self
        }
    }

    /// So many bytes in the ring wake who waits for it.
    pub(super) const fn waking_at(self, wakeup_watermark: u32) -> Self {
        Self {
            wakeup_watermark,
            ..self
        }
    }

    /// Opens the event on a CPU, for every process; it is on from now on.
    pub(super) fn open(&self, cpu: u32) -> io::Result<OwnedFd> {
        const EVERY_PROCESS: libc::pid_t = -1;
        const NO_GROUP: RawFd = -1;
        // SAFETY: the kernel reads as many bytes of `self` as its field `size` says it has.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const *self,
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
}
