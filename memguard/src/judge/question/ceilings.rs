//! The limits that a process is heading for.

use serde::{Deserialize, Serialize};

use crate::model::memory::Ceiling;

/// Ceilings to look up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CeilingRequest {
    /// `RLIMIT_NOFILE`, and what is in use of it.
    pub descriptors: bool,
    /// Of memory.
    pub memory: bool,
    /// Of threads.
    pub threads: bool,
    /// Of mappings.
    pub mappings: bool,
    /// Of POSIX timers.
    pub timers: bool,
    /// Of watches of inotify.
    pub watches: bool,
    /// Of keys.
    pub keys: bool,
}

/// Ceilings of one process; those that were not asked for are missing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ceilings {
    /// `RLIMIT_NOFILE`.
    pub descriptors: Option<Ceiling>,
    /// Of memory.
    pub memory: Vec<Ceiling>,
    /// Of threads.
    pub threads: Vec<Ceiling>,
    /// Of mappings.
    pub mappings: Option<Ceiling>,
    /// Of POSIX timers.
    pub timers: Option<Ceiling>,
    /// Of watches of inotify.
    #[serde(default)]
    pub watches: Option<Ceiling>,
    /// Of keys.
    #[serde(default)]
    pub keys: Option<Ceiling>,
}
