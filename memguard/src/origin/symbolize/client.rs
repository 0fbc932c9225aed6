//! The agent's end of the child: started when it is needed, asked with a deadline, killed when it
//! is late.

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::wire::{Answer, Request, decode, encode};

/// Longest answer that is read; 128 addresses with ordinary names take some 20 KiB.
const ANSWER_BYTES: usize = 16 << 20;

/// How long a killed child may take to be gone; only a file system that does not answer, not even
/// to a kill, takes that long.
const GRACE: Duration = Duration::from_secs(1);

/// The process that reads files of others.
#[derive(Debug)]
pub(super) struct Client {
    command: Command,
    deadline: Duration,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// Requests answered.
    answered: u64,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no child.
    NotStarted(io::Error),
    /// It ended.
    Died {
        /// How, where it did so by itself.
        status: Option<ExitStatus>,
        /// How many requests it had answered before.
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

impl Client {
    pub(super) fn new(mut command: Command, deadline: Duration) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .env_clear();
        Self {
            command,
            deadline,
            running: None,
        }
    }

    /// Asks; a child that is gone because it had nothing to do is started again.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Answer, Failure> {
        let idle = |failure: &Failure| match failure {
            Failure::Died { status, .. } => status.is_some_and(|status| status.success()),
            _ => false,
        };
        match self.ask_once(request) {
            Err(failure) if idle(&failure) => self.ask_once(request),
            answer => answer,
        }
    }

    /// Ends the child; the next request starts another.
    pub(super) fn rest(&mut self) {
        self.running = None;
    }

    fn ask_once(&mut self, request: &Request) -> Result<Answer, Failure> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => Running::start(&mut self.command).map_err(Failure::NotStarted)?,
        };
        let until = Instant::now() + self.deadline;
        let line = running
            .say(&encode(request))
            .and_then(|()| running.hear(until));
        match line {
            Ok(Some(answer)) => {
                running.answered += 1;
                self.running = Some(running);
                Ok(answer)
            }
            Ok(None) => Err(Failure::Late),
            Err(_) => Err(Failure::Died {
                answered: running.answered,
                status: running.end(),
            }),
        }
    }
}

impl Running {
    fn start(command: &mut Command) -> io::Result<Self> {
        let mut process = command.spawn()?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        Ok(Self {
            process,
            input: input.ok_or_else(missing)?,
            output: output.ok_or_else(missing)?,
            answered: 0,
        })
    }

    /// A request is smaller than a pipe, and the child has read all that came before: this does
    /// not block.
    fn say(&mut self, line: &[u8]) -> io::Result<()> {
        self.input.write_all(line)
    }

    /// The next answer; `None` where it does not come in time, an error where the child is gone or
    /// says what is no answer.
    fn hear(&mut self, until: Instant) -> io::Result<Option<Answer>> {
        let mut line = Vec::new();
        let mut chunk = [0; 16 << 10];
        while line.last() != Some(&b'\n') {
            if !self.readable(until)? {
                return Ok(None);
            }
            let count = self.output.read(&mut chunk)?;
            if count == 0 || line.len() > ANSWER_BYTES {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            line.extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
        decode(&line)
            .map(Some)
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn readable(&self, until: Instant) -> io::Result<bool> {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(&self.output, PollFlags::IN)];
        match poll(&mut fds, Some(&left)) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => self.readable(until),
            Err(errno) => Err(errno.into()),
        }
    }

    /// How it ended, where it did so by itself.
    fn end(&mut self) -> Option<ExitStatus> {
        // Its end of the pipe closes a moment before it is gone.
        let status = self.wait(GRACE / 10);
        status.or_else(|| {
            self.kill();
            None
        })
    }

    fn kill(&mut self) {
        if self.process.kill().is_ok() {
            // What is still there after this is stuck in the kernel, and init inherits it.
            self.wait(GRACE);
        }
    }

    fn wait(&mut self, at_most: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + at_most;
        loop {
            match self.process.try_wait() {
                Ok(None) if Instant::now() < until => sleep(Duration::from_millis(1)),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
