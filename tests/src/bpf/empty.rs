//! A program that does nothing, on a tracepoint: what every program there costs before it does
//! anything, the kernel's own two readings of the clock included.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use super::{bpf, info};
use crate::statistics::Runs;

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_TYPE_TRACEPOINT: u32 = 5;
/// `r0 = 0; exit`, eight bytes each.
const NOTHING: [u64; 2] = [0xb7, 0x95];
const LICENSE: &[u8] = b"GPL\0";

const PERF_TYPE_TRACEPOINT: u64 = 2;
/// `PERF_ATTR_SIZE_VER0`.
const PERF_ATTRIBUTES: usize = 64;
const PERF_EVENT_IOC_ENABLE: libc::Ioctl = 0x2400;
const PERF_EVENT_IOC_SET_BPF: libc::Ioctl = 0x4004_2408;

/// The part of `union bpf_attr` that loads a program.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log: [u32; 2],
    log_place: u64,
    version: u32,
    flags: u32,
    name: [u8; 16],
}

/// Attached as long as it lives.
#[derive(Debug)]
pub struct Empty {
    program: OwnedFd,
    _event: OwnedFd,
}

impl Empty {
    /// On the tracepoint `syscalls/NAME`. Needs root and tracefs.
    pub fn attach(tracepoint: &str) -> io::Result<Self> {
        let path = format!("/sys/kernel/tracing/events/syscalls/{tracepoint}/id");
        let id = fs::read_to_string(path)?;
        let id = id.trim().parse().map_err(io::Error::other)?;
        let program = load()?;
        let event = open(id)?;
        control(&event, PERF_EVENT_IOC_SET_BPF, program.as_raw_fd())?;
        control(&event, PERF_EVENT_IOC_ENABLE, 0)?;
        Ok(Self {
            program,
            _event: event,
        })
    }

    /// How often it ran, and for how long.
    pub fn runs(&self) -> io::Result<Runs> {
        Ok(info::about_fd(&self.program)?.runs)
    }
}

fn load() -> io::Result<OwnedFd> {
    let mut load = Load {
        kind: BPF_PROG_TYPE_TRACEPOINT,
        count: NOTHING.len() as u32,
        instructions: NOTHING.as_ptr() as u64,
        license: LICENSE.as_ptr() as u64,
        ..Load::default()
    };
    load.name[..5].copy_from_slice(b"empty");
    // SAFETY: the instructions and the license, with its NUL, live for ever.
    let fd = unsafe { bpf(BPF_PROG_LOAD, &mut load) }?;
    // SAFETY: the call has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// An event of CPU 0 is enough: the program runs on all of them.
fn open(tracepoint: u64) -> io::Result<OwnedFd> {
    let mut attributes = [0_u64; PERF_ATTRIBUTES / size_of::<u64>()];
    attributes[0] = PERF_TYPE_TRACEPOINT | (PERF_ATTRIBUTES as u64) << u32::BITS;
    attributes[1] = tracepoint;
    let (anybody, cpu, group, flags) = (-1, 0, -1, 8_u64); // 8: PERF_FLAG_FD_CLOEXEC
    // SAFETY: the kernel reads as many bytes as the attributes themselves say, which is their size.
    let fd = unsafe {
        let place = attributes.as_ptr();
        libc::syscall(libc::SYS_perf_event_open, place, anybody, cpu, group, flags)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

fn control(event: &OwnedFd, what: libc::Ioctl, argument: RawFd) -> io::Result<()> {
    // SAFETY: the argument is a number, not a place.
    let result = unsafe { libc::ioctl(event.as_raw_fd(), what, argument) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
