//! The published state: at most a second old, for whoever shows it.

use std::time::Duration;

use super::Agent;
use crate::{
    config::WatchConfig,
    model::{ids::ProcessId, report::Progress},
    output::hub::{Snapshot, SnapshotCell, Target},
    source::kernel,
};

/// Most targets in a snapshot; those that hold the most.
const TARGETS: usize = 4096;

impl Agent {
    /// Publishes the state where somebody reads it.
    pub(super) fn publish_snapshot(&self) {
        if self.core.snapshots.has_readers() {
            self.core.snapshots.publish(self.snapshot());
        }
    }

    fn snapshot(&self) -> Snapshot {
        let engine = &self.core.engine;
        let stamp = kernel::now();
        Snapshot {
            stamp,
            observed: stamp.since(self.attached_at),
            found: engine.finding_counts().iter().map(|(_, count)| count).sum(),
            targets: self.targets(),
            findings: engine.open_findings(),
            cost: self.cost(),
            losses: engine.losses(),
            components: self.components(),
            sinks: self.core.out.status(),
        }
    }

    fn targets(&self) -> Vec<Target> {
        let engine = &self.core.engine;
        let target = |(process, held): (ProcessId, u64)| Target {
            process: engine.identity(process),
            held,
            rss_bytes: engine.resident_bytes(process),
        };
        let mut held = engine.held_by_process();
        held.sort_unstable_by_key(|(process, held)| (std::cmp::Reverse(*held), *process));
        held.into_iter().take(TARGETS).map(target).collect()
    }

    /// For whoever wants to see the state: from now on it is published.
    pub(super) fn snapshots(&self) -> SnapshotCell {
        self.core.snapshots.clone()
    }
}

/// From when on something may be suspected, of a process that is running when memguard comes.
const FIRST_VERDICT: Duration = Duration::from_secs(13);

/// How far a watch has come, by what was published last.
pub(super) fn progress(config: &WatchConfig, snapshot: &Snapshot) -> Progress {
    let (warm_up, min_age) = (config.detect.warm_up, config.detect.min_age);
    let lost = snapshot.losses.iter().map(|(_, count)| *count);
    Progress {
        observed: snapshot.observed,
        until: config.duration,
        warm_up,
        judged_from: if config.detect.learns_age {
            FIRST_VERDICT
        } else {
            warm_up.saturating_add(min_age)
        },
        held: snapshot.targets.iter().map(|target| target.held).sum(),
        findings: snapshot.found,
        lost: lost.fold(0, u64::saturating_add),
    }
}
