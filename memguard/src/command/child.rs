//! The forked child until its exec.

use std::{ffi::CString, io, os::fd::OwnedFd, ptr};

use super::{Invoker, dispositions::Inherited};

/// The child's ends of two pipes: one byte opens the gate, four tell the errno of what failed.
pub(super) struct Pipes {
    pub(super) wait: OwnedFd,
    pub(super) fail: OwnedFd,
}

/// Waits at the gate, then becomes the command, or says why not.
pub(super) fn become_command(
    argv: &[CString],
    invoker: Option<&Invoker>,
    inherited: Inherited,
    pipes: &Pipes,
) -> ! {
    let opened = rustix::io::read(&pipes.wait, &mut [0u8]);
    if !matches!(opened, Ok(1)) {
        // memguard has gone without opening the gate.
        exit_now(125);
    }
    let error = exec(argv, invoker, inherited);
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    match rustix::io::write(&pipes.fail, &errno.to_ne_bytes()) {
        Ok(_) => exit_now(127),
        Err(_) => exit_now(125),
    }
}

/// Returns only where it fails.
fn exec(argv: &[CString], invoker: Option<&Invoker>, inherited: Inherited) -> io::Error {
    drop_ambient_capabilities();
    let prepared = inherited
        .restore()
        .and_then(|()| invoker.map_or(Ok(()), become_user));
    if let Err(error) = prepared {
        return error;
    }
    let mut pointers: Vec<_> = argv.iter().map(|arg| arg.as_ptr()).collect();
    pointers.push(ptr::null());
    // SAFETY: a null-terminated array of strings that live until exec.
    unsafe {
        libc::execvp(pointers[0], pointers.as_ptr());
    }
    io::Error::last_os_error()
}

/// Where memguard was given capabilities instead of root, they are not the command's.
fn drop_ambient_capabilities() {
    const NONE: libc::c_ulong = 0;
    let clear = libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong;
    // SAFETY: changes this process's own capabilities alone; fails only where there are none.
    unsafe {
        libc::prctl(libc::PR_CAP_AMBIENT, clear, NONE, NONE, NONE);
    }
}

/// Groups first: without the user id of root nothing else can be changed.
fn become_user(invoker: &Invoker) -> io::Result<()> {
    let Invoker { uid, gid, name } = invoker;
    // SAFETY: a string that lives; the group list is this process's own.
    succeeded(unsafe { libc::initgroups(name.as_ptr(), *gid) })?;
    // SAFETY: no preconditions.
    succeeded(unsafe { libc::setresgid(*gid, *gid, *gid) })?;
    // SAFETY: no preconditions.
    succeeded(unsafe { libc::setresuid(*uid, *uid, *uid) })
}

fn succeeded(result: libc::c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn exit_now(code: i32) -> ! {
    // SAFETY: no destructors are wanted in the forked child.
    unsafe { libc::_exit(code) }
}
