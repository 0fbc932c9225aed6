//! The state of memguard at a moment, for whoever shows it: a terminal, a page, metrics.
//!
//! Whoever publishes makes a new one; whoever reads keeps what it got for as long as it likes, and
//! neither waits for the other longer than a pointer takes to copy.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::vital::lock;
use crate::model::{
    finding::Finding, ids::Stamp, process::ProcessInfo, report::Cost, status::ComponentStatus,
};

/// The state at a moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When.
    pub stamp: Stamp,
    /// Time observed so far.
    pub observed: Duration,
    /// Processes that are watched.
    pub targets: Vec<Target>,
    /// Findings so far, those that are over included.
    pub found: u64,
    /// Findings that are open, as they were told last.
    pub findings: Vec<Arc<Finding>>,
    /// What memguard itself used so far.
    pub cost: Cost,
    /// Events that were lost so far, by counter.
    pub losses: Vec<(String, u64)>,
    /// Sources and other parts of memguard.
    pub components: Vec<ComponentStatus>,
    /// Where reports go.
    pub sinks: Vec<SinkStatus>,
}

/// A process that is watched.
#[derive(Clone, Debug)]
pub struct Target {
    /// Who.
    pub process: Arc<ProcessInfo>,
    /// Handles it holds.
    pub held: u64,
    /// Its resident memory, where it was looked at.
    pub rss_bytes: Option<u64>,
}

/// How far a sink has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkStatus {
    /// What it is called in messages.
    pub name: String,
    /// Reports that wait to be written.
    pub waiting: u64,
    /// Reports that did not fit into its queue so far.
    pub dropped: u64,
    /// It takes nothing any more.
    pub ended: bool,
}

/// Where the newest snapshot is; clones share it.
#[derive(Clone, Debug, Default)]
pub struct SnapshotCell(Arc<Mutex<Arc<Snapshot>>>);

impl SnapshotCell {
    /// Replaces the newest.
    pub fn publish(&self, snapshot: Snapshot) {
        let new = Arc::new(snapshot);
        let old = std::mem::replace(&mut *lock(&self.0), new);
        // After the lock is free: this may be the last one who has it.
        drop(old);
    }

    /// Whether anybody else has the cell: without a reader none need be made.
    pub fn has_readers(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// The newest; of stamp 0 where there was none.
    pub fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&lock(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_keep_what_they_got() {
        let cell = SnapshotCell::default();
        let reader = cell.clone();
        let first = reader.latest();
        cell.publish(Snapshot {
            stamp: Stamp(7),
            ..Snapshot::default()
        });
        assert_eq!((first.stamp, reader.latest().stamp), (Stamp(0), Stamp(7)));
    }
}
