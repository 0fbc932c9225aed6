//! What SIGCHLD and SIGPIPE did when memguard was started. memguard needs its own way with both;
//! the command gets the inherited one back, and sees what it would see without memguard.

use std::{
    io,
    mem::MaybeUninit,
    ptr,
    sync::atomic::{AtomicBool, Ordering},
};

/// Whether SIGPIPE was ignored. Rust's runtime ignores it before `main` begins, so it has to be
/// asked for earlier.
static SIGPIPE_WAS_IGNORED: AtomicBool = AtomicBool::new(false);

#[used]
// The attribute is sound here: the C runtime calls every entry of this section once, on the only
// thread there is, and the function needs nothing that Rust's runtime sets up.
#[unsafe(link_section = ".init_array")]
static BEFORE_RUST: extern "C" fn() = look_at_sigpipe;

extern "C" fn look_at_sigpipe() {
    let ignored = is_ignored(libc::SIGPIPE).unwrap_or(false);
    SIGPIPE_WAS_IGNORED.store(ignored, Ordering::Relaxed);
}

/// Dispositions that were inherited over exec, where only "ignored" and "default" survive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inherited {
    sigchld_ignored: bool,
    sigpipe_ignored: bool,
}

impl Inherited {
    /// Notes them, and sets SIGCHLD to its default: where it is ignored the kernel reaps children
    /// itself, and nobody learns how they ended.
    pub(super) fn take() -> io::Result<Self> {
        let sigchld_ignored = is_ignored(libc::SIGCHLD)?;
        ignore(libc::SIGCHLD, false)?;
        Ok(Self {
            sigchld_ignored,
            sigpipe_ignored: SIGPIPE_WAS_IGNORED.load(Ordering::Relaxed),
        })
    }

    /// Gives them back, in the child before its exec.
    pub(super) fn restore(self) -> io::Result<()> {
        ignore(libc::SIGCHLD, self.sigchld_ignored)?;
        ignore(libc::SIGPIPE, self.sigpipe_ignored)
    }
}

fn is_ignored(signal: libc::c_int) -> io::Result<bool> {
    let mut now = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: asks only; the result is written to a place that is large enough.
    if unsafe { libc::sigaction(signal, ptr::null(), now.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above succeeded, so it is written.
    let now = unsafe { now.assume_init() };
    Ok(now.sa_sigaction == libc::SIG_IGN)
}

fn ignore(signal: libc::c_int, ignored: bool) -> io::Result<()> {
    let action = if ignored {
        libc::SIG_IGN
    } else {
        libc::SIG_DFL
    };
    // SAFETY: a signal disposition of this process alone, without a handler.
    match unsafe { libc::signal(signal, action) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
