//! A process that keeps the links open until memguard has ended, and detaches by ending itself.
//!
//! Closing a classic tracepoint's last descriptor waits for every CPU to pass a grace period, 70 to
//! 100 ms each. Whoever waits for memguard, or for the other end of its pipes, shall not wait for
//! that. Nor shall a port, a file or a directory be in use because of the holder: it has the links
//! open, and nothing else.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, IntoRawFd as _, RawFd},
};

use rustix::{
    pipe::{PipeFlags, pipe_with},
    process::Pid,
};

/// Descriptors of this process that are links of BPF programs: whatever the library that made them
/// keeps to itself, the kernel names.
pub(super) fn links() -> io::Result<Vec<RawFd>> {
    const LINK: &str = "anon_inode:bpf_link";
    let mut links = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let name = entry.file_name();
        let number: Option<RawFd> = name.to_str().and_then(|name| name.parse().ok());
        // That of the directory itself has gone when it is asked for.
        let is_link = fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == LINK);
        links.extend(number.filter(|_| is_link));
    }
    Ok(links)
}

/// Forks the holder, which keeps these descriptors and no others, has a session of its own, and
/// ends as soon as the calling process has.
pub(super) fn hold(keep: &[RawFd]) -> io::Result<Pid> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut keep = [keep, &[read.as_raw_fd()]].concat();
    keep.sort_unstable();
    // SAFETY: the child calls nothing that is not async-signal-safe, and never returns.
    let child = unsafe { libc::fork() };
    if child == 0 {
        wait_in_child(read.as_raw_fd(), &keep);
    }
    let child = Pid::from_raw(child).filter(|_| child > 0);
    let child = child.ok_or_else(io::Error::last_os_error)?;
    // Both ends stay open here until the process ends: that is the sign the holder waits for.
    let (_read, _write) = (read.into_raw_fd(), write.into_raw_fd());
    Ok(child)
}

/// `keep` in ascending order.
fn wait_in_child(read: RawFd, keep: &[RawFd]) -> ! {
    close_others(keep);
    // SAFETY: no preconditions.
    unsafe {
        libc::setsid();
    }
    // SAFETY: a string that ends with a NUL.
    unsafe {
        libc::chdir(c"/".as_ptr());
    }
    let mut byte = 0u8;
    // SAFETY: one byte of room; returns zero when the parent has gone.
    unsafe {
        libc::read(read, (&raw mut byte).cast(), 1);
    }
    // SAFETY: no destructors are wanted; the kernel closes the links.
    unsafe { libc::_exit(0) }
}

/// The gaps between descriptors in ascending order.
fn close_others(keep: &[RawFd]) {
    let mut first = 0;
    for fd in keep {
        let fd = *fd as libc::c_uint;
        if first < fd {
            close_range(first, fd - 1);
        }
        first = fd + 1;
    }
    close_range(first, libc::c_uint::MAX);
}

/// It cannot fail with these arguments on a kernel that memguard runs on: `close_range(2)` came
/// with 5.9.
fn close_range(first: libc::c_uint, last: libc::c_uint) {
    // SAFETY: the child's own copies, used by nobody any more.
    unsafe {
        libc::syscall(libc::SYS_close_range, first, last, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        net::TcpListener,
        path::{Path, PathBuf},
        time::{Duration, Instant},
    };

    use rustix::process::{Signal, WaitOptions, kill_process, waitpid};

    use super::*;

    /// What a process has open.
    fn open(pid: Pid) -> Vec<PathBuf> {
        let directory = format!("/proc/{}/fd", pid.as_raw_nonzero());
        let entries = fs::read_dir(directory).unwrap();
        entries
            .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
            .collect()
    }

    /// The defect: it had everything, so that a port stayed in use and a reader of a pipe waited.
    #[test]
    fn the_holder_has_open_what_it_is_to_hold_and_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pipe = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let kept = File::open("/dev/zero").unwrap();
        let holder = hold(&[kept.as_raw_fd()]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut held = open(holder);
        while held.len() > 2 && Instant::now() < deadline {
            std::thread::yield_now();
            held = open(holder);
        }
        kill_process(holder, Signal::KILL).unwrap();
        waitpid(Some(holder), WaitOptions::empty()).unwrap();
        println!("{held:?} beside {listener:?} and {pipe:?}");
        let [zero, wait] = held.as_slice() else {
            panic!("{held:?} instead of two");
        };
        let (zero, wait) = if wait == Path::new("/dev/zero") {
            (wait, zero)
        } else {
            (zero, wait)
        };
        assert_eq!(zero, Path::new("/dev/zero"));
        assert!(wait.to_str().unwrap().starts_with("pipe:"), "{wait:?}");
    }
}
