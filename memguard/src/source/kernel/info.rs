//! Numbers that the kernel keeps of a program, in one system call: `fdinfo`, which says the same,
//! is opened, formatted and read, every second and for every program.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

/// `bpf_prog_info` in words:
/// <https://github.com/torvalds/linux/blob/v6.18/include/uapi/linux/bpf.h#L6639>
const WORDS: usize = 29;
/// `run_time_ns`.
pub(super) const RUN_TIME: usize = 24;
/// `recursion_misses`, since 5.12; for tracepoints counted since 6.7.
pub(super) const RECURSION_MISSES: usize = 26;

/// Attributes of `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct Attributes {
    fd: u32,
    length: u32,
    info: u64,
}

/// One of the words above.
pub(super) fn word(program: BorrowedFd<'_>, index: usize) -> io::Result<u64> {
    const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
    let mut info = [0_u64; WORDS];
    let attributes = Attributes {
        fd: program.as_raw_fd() as u32,
        length: size_of_val(&info) as u32,
        info: info.as_mut_ptr() as u64,
    };
    // SAFETY: the kernel writes at most `length` bytes to `info`, which lives as long as the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            OBJ_GET_INFO_BY_FD,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(info.get(index).copied().unwrap_or(0))
}
