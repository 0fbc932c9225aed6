//! What the terminal can show: colours, characters, width, and a line that changes.

use std::{
    env,
    io::{self, IsTerminal as _},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, fstat},
};

use super::text::TextStyle;
use crate::config::output::{ColourWhen, OutputConfig, OutputFormat, Stream};

impl Stream {
    /// Its descriptor, without the lock and the buffer of the standard library.
    pub(super) fn fd(self) -> BorrowedFd<'static> {
        // SAFETY: memguard never closes its standard streams, and the standard library opens those
        // that it was started without.
        unsafe { BorrowedFd::borrow_raw(self.number()) }
    }

    fn number(self) -> i32 {
        match self {
            Self::Stdout => libc::STDOUT_FILENO,
            Self::Stderr => libc::STDERR_FILENO,
        }
    }
}

/// How text looks on a stream.
pub fn style(when: ColourWhen, stream: Stream) -> TextStyle {
    let colour = match when {
        ColourWhen::Always => true,
        ColourWhen::Never => false,
        ColourWhen::Auto => stream.fd().is_terminal() && !is_plain(),
    };
    plain(colour)
}

/// How text looks in a file.
pub(super) fn file_style() -> TextStyle {
    plain(false)
}

fn plain(colour: bool) -> TextStyle {
    TextStyle {
        colour,
        columns: columns(),
        unicode: is_unicode(),
    }
}

/// Whether a short message to standard error would be taken at once, or within the second.
pub fn listens(stream: Stream) -> bool {
    let second = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::from_borrowed_fd(stream.fd(), PollFlags::OUT)];
    poll(&mut fds, Some(&second)).is_ok_and(|ready| ready > 0)
}

/// Whether standard error is a terminal and nothing else may print there unasked.
pub(super) fn has_progress_line(config: &OutputConfig) -> bool {
    config.progress
        && !config.quiet
        && io::stderr().is_terminal()
        && !is_dumb()
        && !disturbs(config)
}

/// Whether what goes to standard output may appear on the same terminal in its own time: lines for
/// machines on the terminal itself, or anything through a pipe.
fn disturbs(config: &OutputConfig) -> bool {
    if config.path.is_some() {
        return false;
    }
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return config.format() == OutputFormat::Jsonl;
    }
    let kind = fstat(&stdout).map(|stat| FileType::from_raw_mode(stat.st_mode));
    !matches!(kind, Ok(FileType::RegularFile | FileType::CharacterDevice))
}

/// What the locale says about characters: the first of its variables that is set decides.
fn is_unicode() -> bool {
    let variables = ["LC_ALL", "LC_CTYPE", "LANG"].map(env::var_os);
    let mut set = variables.into_iter().flatten();
    let locale = set.find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_string_lossy().to_ascii_uppercase();
    locale.contains("UTF-8") || locale.contains("UTF8")
}

fn is_plain() -> bool {
    env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || is_dumb()
}

fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Width of the terminal; 80 where there is none.
fn columns() -> u16 {
    let width = |fd: &dyn AsFd| rustix::termios::tcgetwinsize(fd.as_fd()).ok();
    let size = width(&io::stdout()).or_else(|| width(&io::stderr()));
    size.map(|size| size.ws_col)
        .filter(|columns| *columns >= 40)
        .unwrap_or(80)
}
