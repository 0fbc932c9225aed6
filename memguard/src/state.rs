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

use crate::model::ids::{ProcessId, Stamp};

/// Largest file that is read or written, in bytes.
pub const FILE_MAX: usize = 1024 * 1024;

/// Version of the file's format.
const SCHEMA: u32 = 1;

/// Name of the file.
const NAME: &str = "baselines.json";

/// What the file has besides processes, generously.
const FRAME: usize = 512;

/// From which size growth of a process is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineRecord {
    /// The size.
    pub bytes: u64,
    /// Of how many samples it was made.
    pub samples: u32,
    /// When, by the clock of this boot.
    pub taken_at: Stamp,
    /// Which program the process ran: after exec, it is another's baseline.
    pub executable: Option<String>,
}

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
    if unlinkat(directory, name, AtFlags::empty()).is_err() {
        // Mostly it is not there; where it stays, the next attempt to make it fails and says so.
    }
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
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use tempfile::TempDir;

    use super::*;

    fn baseline(tgid: u32) -> (ProcessId, BaselineRecord) {
        let process = ProcessId {
            tgid,
            start_ticks: u64::MAX,
        };
        let record = BaselineRecord {
            bytes: u64::MAX,
            samples: 7,
            taken_at: Stamp(5),
            executable: tgid
                .is_multiple_of(2)
                .then(|| "/usr/bin/\"two\nlines\u{fffd}".to_owned()),
        };
        (process, record)
    }

    fn state(boot_id: &str) -> (TempDir, StateDir) {
        let directory = TempDir::new().unwrap();
        let state = StateDir::new(directory.path(), boot_id);
        (directory, state)
    }

    #[test]
    fn what_was_saved_is_loaded_in_the_same_boot_alone() {
        let (directory, state) = state("one");
        assert_eq!(state.load().unwrap(), [], "no file yet");
        let baselines = [baseline(7), baseline(8)];
        for count in [2, 0, 2] {
            assert_eq!(state.save(&baselines[..count]).unwrap(), count);
            assert_eq!(state.load().unwrap(), baselines[..count]);
        }
        let other = StateDir::new(directory.path(), "two");
        assert_eq!(other.load().unwrap(), []);
    }

    #[test]
    fn the_file_is_ours_alone_and_nothing_else_stays() {
        let (directory, state) = state("one");
        let elsewhere = directory.path().join("elsewhere");
        fs::write(&elsewhere, "precious").unwrap();
        symlink(&elsewhere, state.file()).unwrap();
        let temporary = format!(".{NAME}.{}", std::process::id());
        symlink(&elsewhere, directory.path().join(temporary)).unwrap();
        state.save(&[baseline(7)]).unwrap();
        let metadata = fs::symlink_metadata(state.file()).unwrap();
        assert!(metadata.is_file());
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_to_string(elsewhere).unwrap(), "precious");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_memguard_did_not_write_is_an_error_that_names_the_file() {
        for (content, expected) in [
            ("", "no baselines of memguard: EOF"),
            ("{", "no baselines of memguard: EOF"),
            ("[]", "no baselines of memguard: invalid"),
            (
                r#"{"schema":2,"new":1}"#,
                "schema 2, and this memguard reads 1",
            ),
            (
                r#"{"schema":1,"boot_id":"one"}"#,
                "missing field `processes`",
            ),
            (
                r#"{"schema":1,"boot_id":"one","processes":[{"pid":-1}]}"#,
                "invalid value",
            ),
            (&" ".repeat(FILE_MAX + 1), "over 1048576 bytes"),
            (&"[".repeat(FILE_MAX), "no baselines of memguard: "),
        ] {
            let (_directory, state) = state("one");
            fs::write(state.file(), content).unwrap();
            let message = state.load().unwrap_err().to_string();
            let name = state.file().display().to_string();
            assert!(message.starts_with(&name), "{message}");
            assert!(message.contains(expected), "{message}");
            assert!(message.ends_with("with --state-dir"), "{message}");
        }
    }

    #[test]
    fn links_fifos_and_missing_directories_are_errors() {
        let (directory, state) = state("one");
        symlink("/dev/zero", state.file()).unwrap();
        assert!(matches!(state.load(), Err(StateError::Io { .. })));
        fs::remove_file(state.file()).unwrap();
        let fifo = FileType::Fifo;
        rustix::fs::mknodat(CWD, state.file(), fifo, Mode::RUSR, 0).unwrap();
        let message = state.load().unwrap_err().to_string();
        assert!(message.contains("not a regular file"), "{message}");
        let missing = StateDir::new(directory.path().join("nowhere"), "one");
        for message in [missing.load().unwrap_err(), missing.save(&[]).unwrap_err()] {
            assert!(
                message.to_string().contains("/nowhere: No such file"),
                "{message}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_the_end() {
        let (_directory, state) = state("one");
        let many: Vec<_> = (0..20_000).map(baseline).collect();
        let kept = state.save(&many).unwrap();
        assert!(kept > 5000 && kept < many.len(), "{kept}");
        assert!(fs::metadata(state.file()).unwrap().len() <= FILE_MAX as u64);
        assert_eq!(state.load().unwrap(), many[..kept]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_the_reader(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
            at in 0..200_usize,
        ) {
            let (mut valid, _) = compose(&[baseline(7)], "one").unwrap();
            if let Some(byte) = valid.get_mut(at) {
                *byte = bytes.first().copied().unwrap_or_default();
            }
            for bytes in [bytes, valid] {
                proptest::prop_assert!(parse(&bytes, "one").is_ok_and(|found| found.len() < 2)
                    || parse(&bytes, "one").is_err_and(|reason| !reason.is_empty()));
            }
        }
    }
}
