//! Objects that outlive their makers: files in memory, and keys of the kernel, `keyrings(7)`.
//!
//! The files are what `shm_open(3)` and `sem_open(3)` make in `/dev/shm`. Either takes what it
//! takes until somebody removes it, whoever ends.

use memguard_common::call::Call;
use serde::{Deserialize, Serialize};

use super::{
    ids::{ProcessId, Stamp},
    resource::Kind,
};

/// Which file: its file system and its number there, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SharedFileId {
    /// Its device, as `st_dev` of stat(2).
    pub device: u64,
    /// Its inode's number.
    pub inode: u64,
}

/// Which object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ObjectId {
    /// A file in memory.
    File(SharedFileId),
    /// A key, by its serial number, which is never given to another one while it is there.
    Key(u32),
}

impl ObjectId {
    /// What findings call it.
    pub fn kind(self) -> Kind {
        match self {
            Self::File(_) => Kind::PosixShm,
            Self::Key(_) => Kind::Key,
        }
    }
}

/// An object that a process has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedObject {
    /// When the call returned.
    pub stamp: Stamp,
    /// Which object.
    pub id: ObjectId,
    /// Who made it.
    pub process: ProcessId,
    /// By which call.
    #[serde(with = "super::recorded_call")]
    pub call: Call,
    /// It stays when its maker ends. A key in the keyring of a thread, a process or a session goes
    /// with the last that has the keyring.
    pub outlives: bool,
}

/// An object that is still there: a file that has a name in `/dev/shm`, or a valid key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundObject {
    /// Which object.
    pub id: ObjectId,
    /// The file's name there, or type and description of the key, `user: session-17`, where
    /// memguard may see it.
    pub name: String,
    /// Its size in bytes; 0 of a key.
    pub size: u64,
    /// Bytes of memory that it takes, in memory or swapped; 0 of a key.
    pub used_bytes: u64,
    /// Whether some process has it open or mapped; `None` where that was not asked.
    pub held: Option<bool>,
}
