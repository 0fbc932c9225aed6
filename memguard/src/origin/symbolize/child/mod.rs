//! The child process: finds the files, reads them, and names addresses.
//!
//! It holds nothing but its two pipes and the files it was asked about, and is meant to be killed:
//! by the agent when it takes too long, by the kernel when it takes too much memory or a file is
//! truncated under it. Two threads take turns. This one opens files, each only after a look at
//! what it is; the other (`namer`) has all parsing of debug information, and sees nothing of the
//! file system but the files that are open.

mod binary;
mod debug;
mod elf;
mod locate;
mod namer;
mod perf_map;
mod process;
mod regular;
mod symbols;

use std::{
    io::{self, BufRead as _, Read as _, StdinLock, Write as _},
    process::ExitCode,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Resource, Rlimit, Signal},
};

use self::namer::{Job, Namer};
use super::wire::{Answer, Mapped, Process, Request, Subject, decode, encode};

/// Address space: files of 2 GiB can be mapped.
const ADDRESS_SPACE: u64 = 4 << 30;

/// Memory for what is built from them, or unpacked.
const MEMORY: u64 = 2 << 30;

/// After this time without a question it ends.
const IDLE: Duration = Duration::from_mins(1);

/// Longest question.
const REQUEST_BYTES: u64 = 1 << 20;

/// What the hidden command `symbolize` does: answers the questions on its standard input until
/// nobody asks any more.
pub fn child_main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        // The agent sees the status; there is nobody else to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> io::Result<()> {
    confine()?;
    let mut namer = Namer::start()?;
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    while let Some(line) = next_line(&mut input)? {
        let request = decode::<Request>(&line).ok_or(io::ErrorKind::InvalidData)?;
        let answer = answer(&request, &mut namer)?;
        output.write_all(&encode(&answer))?;
        output.flush()?;
    }
    Ok(())
}

/// Gives up what is not needed, and what could outlive the agent.
fn confine() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_no_new_privs(true)?;
    rustix::thread::set_name(c"memguard-names")?;
    for (resource, limit) in [
        (Resource::As, ADDRESS_SPACE),
        (Resource::Data, MEMORY),
        (Resource::Core, 0),
    ] {
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        rustix::process::setrlimit(resource, limit)?;
    }
    // Ctrl-C and its like are for the agent, which may want names before it ends.
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: a signal disposition of this process alone.
        unsafe {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
    // SAFETY: nothing has been opened yet but the standard descriptors.
    if unsafe { libc::close_range(3, libc::c_uint::MAX, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    rustix::process::nice(5)?;
    // Where memory is short this process is the first that may go. Not worth an error.
    std::fs::write("/proc/self/oom_score_adj", "1000").or(Ok(()))
}

/// The next question; `None` where there is none for a while, or the agent has gone.
fn next_line(input: &mut StdinLock<'_>) -> io::Result<Option<Vec<u8>>> {
    if !readable(&*input)? {
        return Ok(None);
    }
    let mut line = Vec::new();
    input.take(REQUEST_BYTES).read_until(b'\n', &mut line)?;
    Ok(Some(line).filter(|line| !line.is_empty()))
}

/// Questions come one by one, so nothing waits in the buffer.
fn readable(input: &StdinLock<'_>) -> io::Result<bool> {
    let idle = Timespec::try_from(IDLE).map_err(io::Error::other)?;
    let mut fds = [PollFd::new(input, PollFlags::IN)];
    match poll(&mut fds, Some(&idle)) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}

fn answer(request: &Request, namer: &mut Namer) -> io::Result<Answer> {
    let Request {
        process,
        subject,
        addresses,
    } = request;
    match subject {
        Subject::File(mapped) => answer_for_file(process, mapped, addresses, namer),
        Subject::Made => Ok(match perf_map::names(process, addresses) {
            Ok(names) => Answer::Named {
                build_id: None,
                names,
            },
            Err(reason) => Answer::Refused { reason },
        }),
    }
}

fn answer_for_file(
    process: &Process,
    mapped: &Mapped,
    addresses: &[u64],
    namer: &mut Namer,
) -> io::Result<Answer> {
    let located = match locate::locate(process, mapped) {
        Ok(located) => located,
        Err(reason) => return Ok(Answer::Refused { reason }),
    };
    let build_id = located.facts.build_id.map(|build_id| build_id.to_string());
    let find_debug = || debug::find(process, mapped, &located);
    let names = namer.name(Job {
        debug: mapped.lines.then(find_debug).flatten(),
        file: located.file,
        lines: mapped.lines,
        addresses: addresses.to_vec(),
    })?;
    Ok(Answer::Named { build_id, names })
}
