//! Files in memory that have a name: what `shm_open(3)` and `sem_open(3)` make in `/dev/shm`. They
//! hold their memory until the name is removed, whoever ends.

use memguard_common::call::Call;
use serde::{Deserialize, Serialize};

use super::ids::{ProcessId, Stamp};

/// Which file: its file system and its number there, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SharedFileId {
    /// Its device, as `st_dev` of stat(2).
    pub device: u64,
    /// Its inode's number.
    pub inode: u64,
}

/// A file that a process has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedFile {
    /// When the call returned.
    pub stamp: Stamp,
    /// Which file.
    pub id: SharedFileId,
    /// Who made it.
    pub process: ProcessId,
    /// By which call.
    #[serde(with = "super::recorded_call")]
    pub call: Call,
}

/// A file that still has a name in `/dev/shm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedFile {
    /// Which file.
    pub id: SharedFileId,
    /// What it is called there.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Bytes of memory that it takes, in memory or swapped.
    pub used_bytes: u64,
    /// Whether some process has it open or mapped; `None` where that was not asked.
    pub held: Option<bool>,
}
