//! What is kept of a process between two runs of memguard.

use serde::{Deserialize, Serialize};

use super::ids::Stamp;

/// From which size growth of a process is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
