//! The command of `run`: forked before anything is attached, held before its exec, let go when the
//! first thing it does can be seen.

mod child;
mod dispositions;

use std::{
    ffi::{CString, OsString},
    io::{self, Read as _},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::ffi::OsStringExt as _,
    },
};

use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, waitid};

use self::{child::Pipes, dispositions::Inherited};

/// Whom to run the command as: who called sudo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoker {
    uid: u32,
    gid: u32,
    name: CString,
}

impl Invoker {
    /// From what sudo leaves in the environment; `None` without sudo, or where root itself called.
    pub fn of_sudo() -> Option<Self> {
        let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
        let (uid, gid) = (number("SUDO_UID")?, number("SUDO_GID")?);
        let name = CString::new(std::env::var("SUDO_USER").ok()?).ok()?;
        (uid != 0 && rustix::process::geteuid().is_root()).then_some(Self { uid, gid, name })
    }
}

/// A command that waits for its exec.
#[derive(Debug)]
pub struct Gated {
    pid: Pid,
    gate: OwnedFd,
    report: OwnedFd,
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    pidfd: OwnedFd,
}

/// Why the command did not run.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// 127.
    #[error("command not found")]
    NotFound,
    /// 126.
    #[error("command cannot be executed: {0}")]
    NotExecutable(#[source] io::Error),
    /// 125.
    #[error("command could not be started: {0}")]
    Broken(#[from] io::Error),
}

impl ExecError {
    /// As shells, `env` and `timeout` have it.
    pub fn code(&self) -> u8 {
        match self {
            Self::NotFound => 127,
            Self::NotExecutable(_) => 126,
            Self::Broken(_) => 125,
        }
    }
}

/// Forks the command. To be called while the process has one thread, before it opens anything that
/// a child should not have.
pub fn fork(argv: &[OsString], invoker: Option<&Invoker>) -> io::Result<Gated> {
    let argv = argv.iter().map(|arg| CString::new(arg.clone().into_vec()));
    let argv: Vec<CString> = argv.collect::<Result<_, _>>()?;
    let flags = rustix::pipe::PipeFlags::CLOEXEC;
    let (wait, gate) = rustix::pipe::pipe_with(flags)?;
    let (report, fail) = rustix::pipe::pipe_with(flags)?;
    let inherited = Inherited::take()?;
    // SAFETY: one thread, so the child may do what it likes; it ends in exec or `_exit`.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop((gate, report));
            child::become_command(&argv, invoker, inherited, &Pipes { wait, fail })
        }
        pid => {
            let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
            Ok(Gated { pid, gate, report })
        }
    }
}

impl Gated {
    /// Its process id; the same before and after exec.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Lets it go, and waits until it is the command or could not become it.
    pub fn release(self) -> Result<Running, ExecError> {
        let Self { pid, gate, report } = self;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from)?;
        rustix::io::write(&gate, &[1]).map_err(io::Error::from)?;
        let mut errno = Vec::new();
        std::fs::File::from(report).read_to_end(&mut errno)?;
        let Ok(errno) = errno.as_slice().try_into().map(i32::from_ne_bytes) else {
            return Ok(Running { pid, pidfd });
        };
        wait(&pidfd, WaitIdOptions::EXITED)?;
        Err(match errno {
            libc::ENOENT => ExecError::NotFound,
            other => ExecError::NotExecutable(io::Error::from_raw_os_error(other)),
        })
    }
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) -> io::Result<()> {
        Ok(rustix::process::pidfd_send_signal(&self.pidfd, signal)?)
    }

    /// Its exit code, 128 + n where signal n killed it; `None` while it runs.
    pub fn try_wait(&self) -> io::Result<Option<i32>> {
        let status = wait(&self.pidfd, WaitIdOptions::EXITED | WaitIdOptions::NOHANG)?;
        status.as_ref().map(code).transpose()
    }
}

impl AsFd for Running {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl AsRawFd for Running {
    fn as_raw_fd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }
}

fn wait(pidfd: &OwnedFd, options: WaitIdOptions) -> io::Result<Option<WaitIdStatus>> {
    Ok(waitid(WaitId::PidFd(pidfd.as_fd()), options)?)
}

/// A shell's code for a status.
fn code(status: &WaitIdStatus) -> io::Result<i32> {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    let code = signal.or_else(|| status.exit_status());
    code.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "neither exited nor killed"))
}
