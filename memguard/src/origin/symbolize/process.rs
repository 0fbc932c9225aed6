//! The agent's end of a process that reads files: started when it is needed, asked with a deadline,
//! killed when it is late, and buried in every case.

use std::{
    fmt, io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{RecvFlags, SendFlags},
};

use crate::origin::sandbox::{
    Role,
    channel::{Message, send},
    unconfined,
};

/// Longest answer that is read; 128 addresses with ordinary names take some 20 KiB.
const ANSWER_BYTES: usize = 16 << 20;

/// How long a killed process may take to be gone; only a file system that does not answer, not even
/// to a kill, takes that long.
const GRACE: Duration = Duration::from_secs(1);

/// Most processes that were killed and are not gone; beyond it none is started.
const STUCK: usize = 8;

/// How the processes are started.
#[derive(Clone, Debug)]
pub struct Program {
    /// What to execute.
    pub path: PathBuf,
    /// The arguments before the role.
    pub arguments: Vec<String>,
}

impl Program {
    /// This very program.
    pub(super) fn own() -> Self {
        Self {
            path: "/proc/self/exe".into(),
            arguments: vec!["symbolize".to_owned()],
        }
    }

    /// With its end of the socket as standard input and output.
    fn command(&self, role: Role, socket: UnixStream) -> io::Result<Command> {
        let mut command = Command::new(&self.path);
        command
            .arg0("memguard")
            .args(&self.arguments)
            .arg(role.name())
            .stdin(OwnedFd::from(socket.try_clone()?))
            .stdout(OwnedFd::from(socket))
            .stderr(Stdio::null())
            .env_clear();
        Ok(command)
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no process.
    NotStarted(io::Error),
    /// It ended.
    Died {
        /// How, where it did so by itself.
        status: Option<ExitStatus>,
        /// How many questions it had answered before.
        answered: u64,
    },
    /// It was killed because it took too long.
    Late,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(error) => {
                write!(
                    formatter,
                    "the process that names could not be started: {error}"
                )
            }
            Self::Died { status: None, .. } => formatter.write_str("reading it broke off"),
            Self::Died {
                status: Some(status),
                ..
            } => write!(
                formatter,
                "reading it ended the process that names: {status}"
            ),
            Self::Late => formatter.write_str("reading it took too long"),
        }
    }
}

/// One of the two processes, where it runs.
#[derive(Debug)]
pub(super) struct Process {
    program: Program,
    role: Role,
    running: Option<Running>,
    /// Killed, and not gone yet.
    stuck: Vec<Child>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    socket: UnixStream,
    /// Questions answered.
    answered: u64,
}

impl Process {
    pub(super) fn new(program: Program, role: Role) -> Self {
        Self {
            program,
            role,
            running: None,
            stuck: Vec::new(),
        }
    }

    /// Starts it, unless it runs; nothing waits for it.
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        if self.running.is_none() {
            let running = self.launch().map_err(Failure::NotStarted)?;
            self.running = Some(running);
        }
        Ok(())
    }

    fn launch(&mut self) -> io::Result<Running> {
        self.reap();
        if STUCK <= self.stuck.len() {
            let stuck = self.stuck.len();
            return Err(io::Error::other(format!(
                "{stuck} of them were killed and hang in the kernel"
            )));
        }
        let (socket, its) = UnixStream::pair()?;
        Ok(Running {
            process: self.program.command(self.role, its)?.spawn()?,
            socket,
            answered: 0,
        })
    }

    /// Asks; a process that is gone because it had nothing to do is started again.
    pub(super) fn ask(
        &mut self,
        line: &[u8],
        files: &[BorrowedFd<'_>],
        until: Instant,
    ) -> Result<Message, Failure> {
        let idle = |failure: &Failure| match failure {
            Failure::Died { status, .. } => status.is_some_and(|status| status.success()),
            _ => false,
        };
        match self.ask_once(line, files, until) {
            Err(failure) if idle(&failure) => self.ask_once(line, files, until),
            answer => answer,
        }
    }

    fn ask_once(
        &mut self,
        line: &[u8],
        files: &[BorrowedFd<'_>],
        until: Instant,
    ) -> Result<Message, Failure> {
        self.start()?;
        let Some(mut running) = self.running.take() else {
            return Err(Failure::Late);
        };
        let answer = running.say(line, files).and_then(|()| running.hear(until));
        match answer {
            Ok(Some(answer)) => {
                running.answered += 1;
                self.running = Some(running);
                Ok(answer)
            }
            Ok(None) => {
                self.bury(running);
                Err(Failure::Late)
            }
            Err(_) => Err(self.died(running)),
        }
    }

    /// What it said was no answer.
    pub(super) fn discard(&mut self) -> Failure {
        match self.running.take() {
            Some(running) => {
                // That question was counted as answered.
                let answered = running.answered.saturating_sub(1);
                self.bury(running);
                let status = None;
                Failure::Died { status, answered }
            }
            None => Failure::Late,
        }
    }

    fn died(&mut self, mut running: Running) -> Failure {
        let answered = running.answered;
        // Its end of the socket closes a moment before it is gone.
        let status = wait(&mut running.process, GRACE / 10);
        if status.is_none() {
            self.bury(running);
        }
        if let Some(error) = status.and_then(|status| unconfined(status.code()?)) {
            return Failure::NotStarted(io::Error::new(
                error.kind(),
                format!("it cannot give up its rights, and reads nothing with them: {error}"),
            ));
        }
        Failure::Died { status, answered }
    }

    /// Ends it; the next question starts another.
    pub(super) fn rest(&mut self) {
        if let Some(running) = self.running.take() {
            self.bury(running);
        }
        self.reap();
    }

    fn bury(&mut self, running: Running) {
        let mut process = running.process;
        let killed = process.kill().is_ok();
        if killed && wait(&mut process, GRACE).is_none() {
            self.stuck.push(process);
        }
    }

    fn reap(&mut self) {
        self.stuck
            .retain_mut(|process| matches!(process.try_wait(), Ok(None)));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.rest();
    }
}

impl Running {
    /// A question is smaller than the buffer of a socket, and a process that does what it should
    /// has read all that came before.
    fn say(&self, line: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
        send(&self.socket, line, files, SendFlags::DONTWAIT)
    }

    /// The next answer; `None` where it does not come in time, an error where the process is gone
    /// or says too much.
    fn hear(&self, until: Instant) -> io::Result<Option<Message>> {
        let mut message = Message::default();
        while !message.is_whole() {
            if !self.readable(until)? {
                return Ok(None);
            }
            if !message.receive(&self.socket, RecvFlags::DONTWAIT, ANSWER_BYTES)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Some(message))
    }

    fn readable(&self, until: Instant) -> io::Result<bool> {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        match poll(&mut fds, Some(&left)) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => self.readable(until),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// How it ended; `None` where it has not yet, or somebody else has taken the answer.
fn wait(process: &mut Child, at_most: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + at_most;
    loop {
        match process.try_wait() {
            Ok(None) if Instant::now() < until => sleep(Duration::from_millis(1)),
            Ok(status) => return status,
            Err(_) => return None,
        }
    }
}
