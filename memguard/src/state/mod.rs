//! What memguard keeps between two of its runs: the sizes that it measures growth of processes
//! from, in `--state-dir`.
//!
//! One JSON file that only its owner reads and writes. It counts for one boot: no process outlives
//! it. So the file is replaced as a whole but not forced to disk.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, openat, renameat, unlinkat},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use crate::model::{
    baseline::BaselineRecord,
    ids::{ProcessId, Stamp},
};

/// Largest file that is read or written, in bytes.
pub const FILE_MAX: usize = 1024 * 1024;

/// Version of the file's format.
const SCHEMA: u32 = 1;

/// Name of the file.
const NAME: &str = "baselines.json";

/// What the file has besides processes, generously.
const FRAME: usize = 512;

/// Why baselines could not be read or written; always names the file.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The kernel said no.
    #[error("{path}: {source}")]
    Io {
        /// The file, or the directory.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// The file is not what memguard writes.
    #[error("{path}: {reason}; remove it, or name another directory with --state-dir")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The directory, for one boot of the host.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    boot_id: String,
}

impl StateDir {
    /// A directory that exists; `boot_id` is that of `/proc/sys/kernel/random/boot_id`.
    pub fn new(path: impl Into<PathBuf>, boot_id: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            boot_id: boot_id.into(),
        }
    }

    /// The file.
    pub fn file(&self) -> PathBuf {
        self.path.join(NAME)
    }

    /// The baselines of this boot; none where there is no file, or one of another boot.
    pub fn load(&self) -> Result<Vec<(ProcessId, BaselineRecord)>, StateError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(self.directory()?, NAME, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(Vec::new()),
            opened => opened.map_err(|errno| failed(self.file(), errno))?,
        };
        self.own(&file)?;
        let mut bytes = Vec::new();
        let limit = FILE_MAX as u64 + 1;
        let read = File::from(file).take(limit).read_to_end(&mut bytes);
        read.map_err(|error| failed(self.file(), error))?;
        parse(&bytes, &self.boot_id).map_err(|reason| self.corrupt(reason))
    }

    /// Replaces the file. As many are kept as fit into [`FILE_MAX`], the first ones; how many that
    /// is.
    pub fn save(&self, baselines: &[(ProcessId, BaselineRecord)]) -> Result<usize, StateError> {
        let (bytes, kept) =
            compose(baselines, &self.boot_id).map_err(|error| failed(self.file(), error))?;
        let directory = self.directory()?;
        // Two of memguard's processes do not write the same file.
        let temporary = format!(".{NAME}.{}", std::process::id());
        remove(&directory, &temporary);
        let written = write(&directory, &temporary, &bytes)
            .and_then(|()| Ok(renameat(&directory, &temporary, &directory, NAME)?));
        written.map_err(|error| {
            remove(&directory, &temporary);
            failed(self.file(), error)
        })?;
        Ok(kept)
    }

    fn directory(&self) -> Result<OwnedFd, StateError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(CWD, &self.path, flags, Mode::empty()).map_err(|errno| failed(&self.path, errno))
    }

    /// What somebody else put there is not read.
    fn own(&self, file: &OwnedFd) -> Result<(), StateError> {
        let stat = fstat(file).map_err(|errno| failed(self.file(), errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.corrupt("not a regular file".to_owned()));
        }
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(self.corrupt(format!("belongs to user {}", stat.st_uid)));
        }
        Ok(())
    }

    fn corrupt(&self, reason: String) -> StateError {
        StateError::Corrupt {
            path: self.file(),
            reason,
        }
    }
}

fn failed(path: impl AsRef<Path>, source: impl Into<io::Error>) -> StateError {
    StateError::Io {
        path: path.as_ref().to_owned(),
        source: source.into(),
    }
}

/// A new file: nothing that lies there is opened.
fn write(directory: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?;
    File::from(file).write_all(bytes)
}

fn remove(directory: &OwnedFd, name: &str) {
    // Mostly it is not there; where it stays, making it anew fails and says so.
    let _ignored = unlinkat(directory, name, AtFlags::empty());
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    schema: u32,
    boot_id: String,
    processes: Vec<Row>,
}

/// Its version, whatever else there is.
#[derive(Debug, Deserialize)]
struct Version {
    schema: u32,
}

/// A process in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    pid: u32,
    start_ticks: u64,
    exe: Option<String>,
    baseline_bytes: u64,
    samples: u32,
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    taken_at: u64,
}

impl From<&(ProcessId, BaselineRecord)> for Row {
    fn from((process, record): &(ProcessId, BaselineRecord)) -> Self {
        Self {
            pid: process.tgid,
            start_ticks: process.start_ticks,
            exe: record.executable.clone(),
            baseline_bytes: record.bytes,
            samples: record.samples,
            taken_at: record.taken_at.0,
        }
    }
}

impl From<Row> for (ProcessId, BaselineRecord) {
    fn from(row: Row) -> Self {
        let process = ProcessId {
            tgid: row.pid,
            start_ticks: row.start_ticks,
        };
        let record = BaselineRecord {
            bytes: row.baseline_bytes,
            samples: row.samples,
            taken_at: Stamp(row.taken_at),
            executable: row.exe,
        };
        (process, record)
    }
}

fn compose(
    baselines: &[(ProcessId, BaselineRecord)],
    boot_id: &str,
) -> serde_json::Result<(Vec<u8>, usize)> {
    let (mut processes, mut left) = (Vec::new(), FILE_MAX - FRAME);
    for row in baselines.iter().map(Row::from) {
        let bytes = serde_json::to_vec(&row)?.len() + 1;
        let Some(rest) = left.checked_sub(bytes) else {
            break;
        };
        left = rest;
        processes.push(row);
    }
    let kept = processes.len();
    let document = Document {
        schema: SCHEMA,
        boot_id: boot_id.to_owned(),
        processes,
    };
    Ok((serde_json::to_vec(&document)?, kept))
}

fn parse(bytes: &[u8], boot_id: &str) -> Result<Vec<(ProcessId, BaselineRecord)>, String> {
    if bytes.len() > FILE_MAX {
        return Err(format!("over {FILE_MAX} bytes"));
    }
    let Version { schema } = read(bytes)?;
    if schema != SCHEMA {
        return Err(format!("schema {schema}, and this memguard reads {SCHEMA}"));
    }
    let document: Document = read(bytes)?;
    if document.boot_id != boot_id {
        return Ok(Vec::new());
    }
    Ok(document.processes.into_iter().map(Row::into).collect())
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("no baselines of memguard: {error}"))
}

#[cfg(test)]
mod tests;
