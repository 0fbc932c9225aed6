//! A `/proc` in a temporary directory, and the real one, for tests.

use std::{
    fs,
    os::{fd::AsRawFd, unix::fs::symlink},
    path::{Path, PathBuf},
    process::id,
};

use tempfile::TempDir;

use super::Procfs;
use crate::model::observed::OpenFile;

/// Writes the files that [`Procfs`] reads. What is not written does not exist.
#[derive(Debug)]
pub(crate) struct TestProcfs {
    directory: TempDir,
}

impl TestProcfs {
    pub(crate) fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn procfs(&self) -> Procfs {
        Procfs::new(self.directory.path())
    }

    pub(crate) fn path(&self, place: &str) -> PathBuf {
        self.directory.path().join(place)
    }

    /// A process with one thread, its leader, whose state letter is `state`.
    pub(crate) fn process(&self, tgid: u32, name: &[u8], state: char, parent: u32) -> &Self {
        let stat = stat_line(tgid, name, state, parent);
        self.file(&format!("{tgid}/stat"), &stat)
            .thread(tgid, tgid, state)
    }

    pub(crate) fn thread(&self, tgid: u32, tid: u32, state: char) -> &Self {
        fs::create_dir_all(self.path(&format!("{tgid}/task/{tid}/fd"))).unwrap();
        let stat = stat_line(tid, b"thread", state, 1);
        self.file(&format!("{tgid}/task/{tid}/stat"), &stat)
    }

    pub(crate) fn file(&self, place: &str, content: &[u8]) -> &Self {
        let path = self.path(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// An open descriptor of a thread. What is no path, like `socket:[7]`, points to a file of that
    /// name beside the link, so that it can be asked for its inode like the kernel's.
    pub(crate) fn descriptor(&self, tgid: u32, tid: u32, fd: u32, target: &str) -> &Self {
        self.link(&format!("{tgid}/task/{tid}/fd/{fd}"), target)
    }

    pub(crate) fn link(&self, place: &str, target: &str) -> &Self {
        let path = self.path(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, &path).unwrap();
        if !target.starts_with('/') {
            fs::write(path.with_file_name(target), b"").unwrap();
        }
        self
    }

    /// The process ends between two readings.
    pub(crate) fn remove(&self, place: &str) -> &Self {
        fs::remove_dir_all(self.path(place)).unwrap();
        self
    }
}

/// Started 100 ticks after boot for every number of the id.
fn stat_line(id: u32, name: &[u8], state: char, parent: u32) -> Vec<u8> {
    let rest = format!(
        ") {state} {parent} 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {} 0 0\n",
        id * 100
    );
    [format!("{id} (").as_bytes(), name, rest.as_bytes()].concat()
}

pub(crate) fn target(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn real() -> Procfs {
    Procfs::new("/proc")
}

/// What the kernel shows of a descriptor of this process.
pub(crate) fn look(fd: &impl AsRawFd) -> OpenFile {
    real().look(id(), id(), number(fd)).unwrap().unwrap()
}

pub(crate) fn number(fd: &impl AsRawFd) -> u32 {
    u32::try_from(fd.as_raw_fd()).unwrap()
}
