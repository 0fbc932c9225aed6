//! The two processes that read files of others, which may be broken, endless, replaced or truncated
//! while they are read, made to break their reader, or on a file system that never answers.
//!
//! * The **opener** finds the files and opens them, each only after a look at what it is. It reads
//!   no more of a file than its headers and notes, without mapping it. It keeps what that takes:
//!   the rights to see processes and to read files, and the calls for these.
//! * The **parser** reads tables of symbols and debug information, with blazesym, Go's tables of
//!   functions and lists of generated code, out of descriptors that it is given. It has no rights
//!   at all.
//!
//! The agent starts both, asks the one, hands the files to the other, and kills who is late; see
//! [`symbolize`](super::symbolize). Neither speaks to the other, and their sockets are all that
//! they have of the world:
//!
//! ```text
//!            question                     files, addresses
//!   opener <---------- names (thread) ----------------------> parser
//!          ----------> of the agent   <----------------------
//!          files beside the answer         names
//! ```
//!
//! # What the parser can still do, should a file take it over
//!
//! Read the files that it was given since it started (at most one minute after the last question
//! it ends), answer falsely about their names, and use memory and time within its limits. It runs
//! as `nobody` with no capability in any set, cannot gain any, sees an empty root directory, and
//! is not allowed the calls that open a file or a socket, start or signal or trace a process, map
//! memory to be executed, or change its own rights. Where the agent lacks the rights to become
//! `nobody` or to change the root directory, as in some containers, these two are missing; the
//! empty capability sets and the filter are there always, or nothing is named.
//!
//! What it says is data for the agent: one line of bounded length, checked before it is believed.
//!
//! # What the opener can still do
//!
//! Open and read any file of the host and look at any process: of the capabilities of the agent it
//! keeps `CAP_DAC_READ_SEARCH`, `CAP_SYS_PTRACE` and `CAP_CHECKPOINT_RESTORE` (or, where the agent
//! lacks that, `CAP_SYS_ADMIN`), as `nobody`. It cannot write to files, run programs, open sockets,
//! or signal or trace a process. What it decodes it decodes in safe Rust alone.

mod calls;
pub(in crate::origin) mod channel;
mod confine;
mod filter;
mod opener;
mod parser;
mod trap;

use std::{io, os::fd::BorrowedFd, process::ExitCode, time::Duration};

use rustix::net::{RecvFlags, SendFlags, sockopt};

use self::channel::{Message, send};

/// After this time without a question a process ends.
const IDLE: Duration = Duration::from_mins(1);

/// Longest question.
const REQUEST_BYTES: usize = 1 << 20;

/// Which of the two processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Finds files and opens them.
    Opener,
    /// Reads them.
    Parser,
}

impl Role {
    /// The word for it, on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opener => "opener",
            Self::Parser => "parser",
        }
    }
}

/// Exit code of a process that could not give up its rights, with the error number on top; it has
/// read nothing then.
const UNCONFINED: u8 = 110;

/// Why a process read nothing that ended with this exit code.
pub(in crate::origin) fn unconfined(code: i32) -> Option<io::Error> {
    let errno = code - i32::from(UNCONFINED);
    (0 < errno).then(|| io::Error::from_raw_os_error(errno))
}

/// What the hidden command `symbolize` does: answers the questions on its standard input, a socket,
/// until nobody asks any more.
pub fn process_main(role: Role) -> ExitCode {
    let agent = match confined(role) {
        Ok(agent) => agent,
        Err(error) => {
            let errno = error
                .raw_os_error()
                .and_then(|errno| u8::try_from(errno).ok());
            return ExitCode::from(UNCONFINED.saturating_add(errno.unwrap_or(u8::MAX)));
        }
    };
    let served = match role {
        Role::Opener => opener::serve(&agent),
        Role::Parser => parser::serve(&agent),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        // The agent sees the status; there is nobody else to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

/// The way to the agent, with all rights given up that the role does not need.
fn confined(role: Role) -> io::Result<Agent> {
    confine::begin(role)?;
    let agent = Agent::connect()?;
    match role {
        Role::Opener => confine::keep_reading(opener::ALLOWED)?,
        Role::Parser => confine::give_up_everything(parser::ALLOWED)?,
    }
    Ok(agent)
}

/// The agent's end of a process, in that process.
#[derive(Debug)]
struct Agent {
    socket: io::Stdin,
}

impl Agent {
    /// The standard input; to be called before rights are given up.
    fn connect() -> io::Result<Self> {
        let socket = io::stdin();
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(IDLE))?;
        Ok(Self { socket })
    }

    /// The next question; `None` where there is none for a while, or the agent has gone.
    fn next(&self) -> io::Result<Option<Message>> {
        let mut message = Message::default();
        while !message.is_whole() {
            match message.receive(&self.socket, RecvFlags::empty(), REQUEST_BYTES) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(message))
    }

    fn answer(&self, line: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
        send(&self.socket, line, files, SendFlags::empty())
    }
}
