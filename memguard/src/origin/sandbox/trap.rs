//! Opening files without opening files.
//!
//! blazesym opens what it reads by its path, and may open what a file names besides. The parser
//! may open nothing. So its filter turns the calls that open a file, or look at one by its path,
//! into a signal, whose handler answers in their place: a path of ours, made by [`path`], is a
//! copy of a descriptor that is open already, and any other does not exist.

use std::{
    ffi::{CStr, c_char, c_int, c_long, c_void},
    io,
    os::fd::{BorrowedFd, RawFd},
    path::PathBuf,
    sync::atomic::{AtomicI32, Ordering},
};

use rustix::{fs::Stat, io::Errno};

use super::channel::FILES;

/// What the paths begin with that lead to open files.
const FOLDER: &str = "/open-file/";

/// Longest of these paths.
const PATH_BYTES: usize = FOLDER.len() + "2147483647".len();

/// The files that may be opened now: those of the question at hand, so that a file cannot have
/// another one read for it.
static AVAILABLE: [AtomicI32; FILES] = [const { AtomicI32::new(-1) }; FILES];

/// The path that leads to an open file.
pub(super) fn path(file: RawFd) -> PathBuf {
    format!("{FOLDER}{file}").into()
}

/// From now on these files may be opened, and no others.
pub(super) fn make_available(files: [Option<RawFd>; FILES]) {
    for (available, file) in AVAILABLE.iter().zip(files) {
        available.store(file.unwrap_or(-1), Ordering::Relaxed);
    }
}

/// Has the signal handled. The filter follows.
pub(super) fn install() -> io::Result<()> {
    type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
    let handler: Handler = answer;
    // SAFETY: all zero is a valid value of this structure of integers.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: the action is valid, and its handler does nothing that a handler may not do.
    let done = unsafe { libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Puts a result into the register where the caller expects that of the kernel.
extern "C" fn answer(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the kernel gives a handler the context that it returns to, and
    // nobody else knows of it.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let registers = &mut context.uc_mcontext.gregs;
    let register = |name: c_int| registers.get(name as usize).copied().unwrap_or_default();
    let [rax, rdi, rsi, rdx, r10] = [
        libc::REG_RAX,
        libc::REG_RDI,
        libc::REG_RSI,
        libc::REG_RDX,
        libc::REG_R10,
    ]
    .map(register);
    let result = match rax {
        libc::SYS_open => open(rdi),
        libc::SYS_openat => open(rsi),
        libc::SYS_stat => stat(rdi, rsi),
        libc::SYS_newfstatat if r10 & c_long::from(libc::AT_EMPTY_PATH) != 0 => {
            stat_file(rdi as RawFd, rdx)
        }
        libc::SYS_newfstatat => stat(rsi, rdx),
        _ => Err(Errno::PERM),
    };
    let result = result.unwrap_or_else(|errno| -c_long::from(errno.raw_os_error()));
    if let Some(rax) = registers.get_mut(libc::REG_RAX as usize) {
        *rax = result;
    }
}

fn open(path: c_long) -> Result<c_long, Errno> {
    let file = available(path)?;
    // SAFETY: that the number is one of an open file is checked by the kernel.
    let file = unsafe { BorrowedFd::borrow_raw(file) };
    let copy = rustix::io::fcntl_dupfd_cloexec(file, 0)?;
    Ok(std::os::fd::IntoRawFd::into_raw_fd(copy).into())
}

fn stat(path: c_long, into: c_long) -> Result<c_long, Errno> {
    stat_file(available(path)?, into)
}

fn stat_file(file: RawFd, into: c_long) -> Result<c_long, Errno> {
    if file < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: that the number is one of an open file is checked by the kernel.
    let file = unsafe { BorrowedFd::borrow_raw(file) };
    let found = rustix::fs::fstat(file)?;
    let into = into as *mut Stat;
    // SAFETY: this is the structure that the call is to fill, of the kernel's layout.
    unsafe {
        into.write(found);
    }
    Ok(0)
}

/// The file that a path leads to.
fn available(path: c_long) -> Result<RawFd, Errno> {
    let path = path as *const c_char;
    // SAFETY: the caller wanted the kernel to read a string there.
    let length = unsafe { libc::strnlen(path, PATH_BYTES + 1) };
    if PATH_BYTES < length {
        return Err(Errno::NOENT);
    }
    // SAFETY: the string has just been found to end.
    let path = unsafe { CStr::from_ptr(path) };
    let file = number(path.to_bytes()).ok_or(Errno::NOENT)?;
    let mut all = AVAILABLE.iter();
    let found = all.any(|available| available.load(Ordering::Relaxed) == file);
    found.then_some(file).ok_or(Errno::NOENT)
}

/// The descriptor that a path names.
fn number(path: &[u8]) -> Option<RawFd> {
    let digits = path.strip_prefix(FOLDER.as_bytes())?;
    let is_plain = digits.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_plain)?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_have_a_number() {
        for (path, expected) in [
            ("/open-file/7", Some(7)),
            ("/open-file/2147483647", Some(i32::MAX)),
            ("/open-file/2147483648", None),
            ("/open-file/-1", None),
            ("/open-file/+1", None),
            ("/open-file/", None),
            ("/open-file/7/x", None),
            ("open-file/7", None),
            ("/etc/passwd", None),
            ("", None),
        ] {
            assert_eq!(number(path.as_bytes()), expected, "{path}");
        }
        assert_eq!(number(path(7).to_str().unwrap().as_bytes()), Some(7));
    }
}
