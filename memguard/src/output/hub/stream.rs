//! A descriptor that reports are written to, without a buffer in between.
//!
//! Not `std::io::stdout()`: its lock would be held by a writer that is stuck, and whoever wants to
//! say one more thing at the end would wait for it.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Write},
    os::fd::{AsFd as _, BorrowedFd},
    sync::Arc,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{FileType, fstat},
    io::Errno,
};

use super::{line::SharedLine, vital::Vital};
use crate::config::output::Stream;

/// Most bytes of one write into a pipe or a socket. A longer one returns only once the reader has
/// taken nearly all of it, and until then a slow reader looks like one that has stopped.
const PIECE: usize = 16 << 10;

/// Where bytes go.
#[derive(Debug)]
pub(super) enum Target {
    Standard(Stream),
    File(File),
}

/// See the module.
#[derive(Debug)]
pub(super) struct StreamWriter {
    target: Target,
    /// Most bytes of one write.
    piece: usize,
    vital: Arc<Vital>,
    /// What else is shown on the same terminal.
    line: SharedLine,
}

impl StreamWriter {
    pub(super) fn new(target: Target, vital: Arc<Vital>) -> Self {
        let kind = fstat(target.fd()).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let whole = !matches!(kind, Ok(FileType::Fifo | FileType::Socket));
        Self {
            target,
            piece: if whole { usize::MAX } else { PIECE },
            vital,
            line: SharedLine::default(),
        }
    }

    /// For a terminal: clears this line before each write, and shows it again.
    pub(super) fn beside(self, line: SharedLine) -> Self {
        Self { line, ..self }
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.target.fd().is_terminal()
    }

    fn put(&self, bytes: &[u8]) -> io::Result<usize> {
        let piece = bytes.get(..self.piece).unwrap_or(bytes);
        loop {
            match rustix::io::write(self.target.fd(), piece) {
                // Somebody who shares the descriptor does not want to wait; we do.
                Err(Errno::AGAIN) => self.wait()?,
                result => return Ok(result?),
            }
        }
    }

    fn wait(&self) -> io::Result<()> {
        let fd = self.target.fd();
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Target {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::File(file) => file.as_fd(),
            Self::Standard(stream) => stream.fd(),
        }
    }
}

impl Write for StreamWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.line.aside(|| self.put(bytes))?;
        self.vital.beat();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
