//! What `/proc` tells: who runs, what it holds, what a descriptor is, how much memory is resident.
//!
//! [`Procfs`] opens, reads and lists below a root that is an argument; the files beside it add what
//! is known about one family of `/proc` files each: `family`, `process`, `threads` and `children`
//! who runs, `descriptors`, `look` and `sockets` and `watches` what is open, `usage` sizes and
//! counts, `ranges`, `shared`, `smaps` and `runtime` what is mapped, `limits`, `ceilings`,
//! `controllers` and `host` what stops growth, `sysv` what outlives processes. [`census()`] counts
//! all descriptors of one process. Everything found there is untrusted: names are bytes that a
//! process chose, files vanish in the middle, and none of it panics. Text is lossy UTF-8 (`U+FFFD`)
//! and may hold control characters; sinks escape them.

mod ceilings;
mod census;
mod cgroup;
mod children;
mod controllers;
mod descriptors;
mod error;
mod family;
mod host;
mod keys;
mod limits;
mod lines;
mod look;
pub mod maps;
mod pagemap;
mod piles;
mod process;
mod ranges;
mod runtime;
mod shared;
mod shared_files;
mod smaps;
mod sockets;
mod stat;
mod sysv;
mod tally;
mod threads;
mod usage;
mod watches;

#[cfg(test)]
mod growth;
#[cfg(test)]
mod parity;
#[cfg(test)]
pub(crate) mod testing;

use std::{
    cell::{Cell, OnceCell},
    fmt,
    ops::ControlFlow,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    buffer::spare_capacity,
    fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw},
    io::{Errno, read, retry_on_intr},
};

pub use self::{
    census::{CENSUS_DESCRIPTORS, CensusRound, Counted, census},
    cgroup::container_id,
    error::ProcError,
    host::HostMemory,
    limits::Limits,
    sockets::{SOCKET_ROWS, SocketTable},
};

/// Size of the reused buffer: one `getdents64` lists about a thousand descriptors, and nearly every
/// file read here fits.
const BUFFER: usize = 32 * 1024;

/// The most that is read of one file. `cmdline` alone may be larger, and only its start is used.
const FILE: usize = 256 * 1024;

/// Stands for the target of a link that is longer than a page; the kernel does not print those.
const LONG_LINK: &[u8] = b"(path too long)";

/// procfs at a root, `/proc` in production; see proc(5).
///
/// Ids are those of the mount's PID namespace; memguard needs the initial one's, whose ids the
/// kernel's records have. Paths below the root are resolved from one descriptor of it, opened at
/// the first reading. One buffer serves all readings, so a value belongs to one thread; make
/// another for another.
pub struct Procfs {
    path: PathBuf,
    root: OnceCell<OwnedFd>,
    buffer: Cell<Vec<u8>>,
    counts_descriptors: OnceCell<bool>,
}

impl Procfs {
    /// procfs at `root`; nothing is opened yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            path: root.into(),
            root: OnceCell::new(),
            buffer: Cell::default(),
            counts_descriptors: OnceCell::new(),
        }
    }

    /// The root, as given.
    pub fn root(&self) -> &Path {
        &self.path
    }

    /// A missing root is no vanished process, so it is not [`ProcError::Gone`].
    fn root_fd(&self) -> Result<BorrowedFd<'_>, ProcError> {
        if let Some(root) = self.root.get() {
            return Ok(root.as_fd());
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root =
            openat(CWD, &self.path, flags, Mode::empty()).map_err(|errno| ProcError::Io {
                path: self.path.clone(),
                source: errno.into(),
            })?;
        Ok(self.root.get_or_init(|| root).as_fd())
    }

    fn open(&self, place: &str, flags: OFlags) -> Result<OwnedFd, ProcError> {
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC;
        openat(self.root_fd()?, place, flags, Mode::empty())
            .map_err(|errno| self.fail(place, errno))
    }

    fn fail(&self, place: &str, errno: Errno) -> ProcError {
        ProcError::new(self.path.join(place), errno)
    }

    fn gone(&self, place: &str) -> ProcError {
        ProcError::Gone {
            path: self.path.join(place),
        }
    }

    /// Lends the buffer, empty, with room for [`BUFFER`] bytes. A nested call gets one of its own.
    fn with_buffer<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut buffer = self.buffer.take();
        buffer.reserve(BUFFER);
        let result = work(&mut buffer);
        buffer.clear();
        buffer.shrink_to(BUFFER);
        self.buffer.set(buffer);
        result
    }

    /// Hands the first [`FILE`] bytes of a file to `parse`.
    fn read<T>(&self, place: &str, parse: impl FnOnce(&[u8]) -> T) -> Result<T, ProcError> {
        let file = self.open(place, OFlags::empty())?;
        self.with_buffer(|buffer| match fill(&file, buffer) {
            Ok(()) => Ok(parse(buffer)),
            Err(errno) => Err(self.fail(place, errno)),
        })
    }

    /// Like [`Procfs::read`]; what `parse` cannot make sense of is an error about `what`.
    fn parse<T>(
        &self,
        place: &str,
        what: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, ProcError> {
        let parsed = self.read(place, parse)?;
        parsed.ok_or_else(|| ProcError::Parse {
            path: self.path.join(place),
            what,
        })
    }

    /// Where a symbolic link points.
    fn link(&self, place: &str) -> Result<String, ProcError> {
        let root = self.root_fd()?;
        self.with_buffer(
            |buffer| match readlinkat_raw(root, place, spare_capacity(buffer)) {
                Ok(_) => Ok(text(buffer)),
                Err(Errno::NAMETOOLONG) => Ok(text(LONG_LINK)),
                Err(errno) => Err(self.fail(place, errno)),
            },
        )
    }

    /// Calls `each` for every entry of a directory whose name is a number.
    fn each_number(
        &self,
        place: &str,
        mut each: impl FnMut(u32) -> ControlFlow<()>,
    ) -> Result<(), ProcError> {
        let directory = self.open(place, OFlags::DIRECTORY)?;
        self.with_buffer(|buffer| {
            let mut entries = RawDir::new(&directory, buffer.spare_capacity_mut());
            while let Some(entry) = entries.next() {
                let entry = entry.map_err(|errno| self.fail(place, errno))?;
                let number = entry
                    .file_name()
                    .to_str()
                    .ok()
                    .and_then(|name| name.parse().ok());
                if number.is_some_and(|number| each(number).is_break()) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// At most `limit` of a directory's numbers, sorted, and whether there are more.
    fn numbers(&self, place: &str, limit: usize) -> Result<(Vec<u32>, bool), ProcError> {
        let (mut numbers, mut more) = (Vec::new(), false);
        self.each_number(place, |number| {
            more = numbers.len() == limit;
            if more {
                return ControlFlow::Break(());
            }
            numbers.push(number);
            ControlFlow::Continue(())
        })?;
        numbers.sort_unstable();
        Ok((numbers, more))
    }
}

impl fmt::Debug for Procfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Procfs").field(&self.path).finish()
    }
}

fn fill(file: &OwnedFd, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    while buffer.len() < FILE {
        if buffer.len() == buffer.capacity() {
            buffer.reserve(BUFFER);
        }
        if retry_on_intr(|| read(file, spare_capacity(buffer)))? == 0 {
            break;
        }
    }
    buffer.truncate(FILE);
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
