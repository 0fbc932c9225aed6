//! The binaries that were read last.

use std::{
    fs::{File, Metadata},
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt as _},
};

use super::{super::trap, binary::Binary};

/// Binaries that are kept read.
const KEPT: usize = 16;

/// Bytes of the files that are kept read; what is built from one takes up to about as much again.
const KEPT_BYTES: u64 = 1 << 30;

/// What a binary is read from.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) file: File,
    /// The file that has its debug information, where that is another.
    pub(super) debug: Option<File>,
    /// Read debug information.
    pub(super) lines: bool,
}

/// The binaries that were read last, the youngest at the end.
#[derive(Default)]
pub(super) struct Recent {
    binaries: Vec<(Key, Binary)>,
}

impl Recent {
    /// A binary, whose files may be opened from now on.
    pub(super) fn binary(&mut self, files: Files) -> io::Result<&mut Binary> {
        let key = Key::of(&files)?;
        let found = self.binaries.iter().position(|(other, _)| *other == key);
        let found = found.map(|at| self.binaries.remove(at));
        let entry = found.unwrap_or_else(|| {
            self.make_room(key.bytes());
            trap::make_available([Some(&files.file), files.debug.as_ref()].map(number));
            (key, Binary::open(files))
        });
        self.binaries.push(entry);
        let last = self.binaries.last_mut().map(|(_, binary)| binary);
        let binary = last.ok_or(io::ErrorKind::NotFound)?;
        trap::make_available(binary.files().map(number));
        Ok(binary)
    }

    fn make_room(&mut self, bytes: u64) {
        let held =
            |binaries: &[(Key, Binary)]| binaries.iter().map(|(key, _)| key.bytes()).sum::<u64>();
        while !self.binaries.is_empty()
            && (KEPT <= self.binaries.len() || KEPT_BYTES < held(&self.binaries) + bytes)
        {
            self.binaries.remove(0);
        }
    }
}

fn number(file: Option<&File>) -> Option<i32> {
    file.map(AsRawFd::as_raw_fd)
}

/// Which files, as they are now, and what is read of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    file: Identity,
    debug: Option<Identity>,
    lines: bool,
}

impl Key {
    fn of(files: &Files) -> io::Result<Self> {
        let identity = |file: &File| file.metadata().map(|metadata| Identity::of(&metadata));
        Ok(Self {
            file: identity(&files.file)?,
            debug: files.debug.as_ref().map(identity).transpose()?,
            lines: files.lines,
        })
    }

    fn bytes(&self) -> u64 {
        let debug = self.debug.map_or(0, |debug| debug.bytes);
        self.file.bytes.saturating_add(debug)
    }
}

/// Which file, and which content of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
