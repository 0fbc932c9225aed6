//! A process that keeps the links open until memguard has ended, and detaches by ending itself.
//!
//! Closing a classic tracepoint's last descriptor waits for every CPU to pass a grace period, 70 to
//! 100 ms each. Whoever waits for memguard, or for the other end of its pipes, shall not wait for
//! that.

use std::{io, os::fd::RawFd};

/// Forks the holder. It has closed the standard descriptors and `close`, has a session of its own,
/// and ends as soon as the calling process has.
pub(super) fn hold(close: &[RawFd]) -> io::Result<()> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for both ends.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let [read, write] = ends;
    // SAFETY: the child calls nothing that is not async-signal-safe, and never returns.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => wait_in_child(read, write, close),
        // Both ends stay open here until the process ends: that is the sign the holder waits for.
        _ => Ok(()),
    }
}

fn wait_in_child(read: RawFd, write: RawFd, close: &[RawFd]) -> ! {
    for fd in [0, 1, 2, write].iter().chain(close) {
        // SAFETY: the child's own copies, used by nobody any more.
        unsafe {
            libc::close(*fd);
        }
    }
    // SAFETY: no preconditions.
    unsafe {
        libc::setsid();
    }
    let mut byte = 0u8;
    // SAFETY: one byte of room; returns zero when the parent has gone.
    unsafe {
        libc::read(read, (&raw mut byte).cast(), 1);
    }
    // SAFETY: no destructors are wanted; the kernel closes the links.
    unsafe { libc::_exit(0) }
}
