//! What did not reach the agent, and what that does to results.

use hashbrown::HashMap;
use memguard_common::stats::Stat;

use crate::model::{
    finding::{Doubt, Evidence},
    ids::{ProcessId, Stamp},
};

/// Counters of the programs that mean that something was missed.
pub const LOST: [Stat; 9] = [
    Stat::LostAcquired,
    Stat::ReleasesLost,
    Stat::TakeBacksLost,
    Stat::OverlaidLost,
    Stat::SegmentsLost,
    Stat::LifecycleLost,
    Stat::SnapshotsLost,
    Stat::PidSetFull,
    Stat::LossUnattributed,
];

/// How often the kernel skipped a program because another one was running on the CPU.
pub const SKIPPED: &str = "programs.skipped";

/// What is known to be lost.
#[derive(Debug, Default)]
pub struct Losses {
    /// By process.
    by_process: HashMap<ProcessId, u64>,
    /// By counter, as told last.
    told: HashMap<String, u64>,
    /// When each counter last was found to have grown.
    grew: HashMap<String, Stamp>,
    /// Tracepoints that could not be attached although the kernel may pass them.
    blind: Vec<String>,
    /// Why the counters could not be read, if ever.
    unreadable: Option<String>,
}

impl Losses {
    /// Nothing is lost yet but what these tracepoints would tell.
    pub fn without(blind: impl IntoIterator<Item = String>) -> Self {
        Self {
            blind: blind.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Takes the counters as they are; returns what is lost since the last time, by name.
    pub fn read(&mut self, counters: Vec<(String, u64)>, now: Stamp) -> Vec<(String, u64)> {
        let mut fresh = Vec::new();
        for (name, count) in counters {
            let told = self.told.insert(name.clone(), count).unwrap_or(0);
            if count > told {
                self.grew.insert(name.clone(), now);
                fresh.push((name, count - told));
            }
        }
        fresh.sort_unstable();
        fresh
    }

    /// Whose events were lost, so far.
    pub fn attribute(&mut self, by_process: Vec<(ProcessId, u64)>) {
        self.by_process.extend(by_process);
    }

    /// Processes whose events were lost, in order.
    pub fn whose(&self) -> Vec<ProcessId> {
        let mut processes: Vec<_> = self.by_process.keys().copied().collect();
        processes.sort_unstable();
        processes
    }

    /// The counters could not be read: what was lost since is not known.
    pub fn unreadable(&mut self, why: String) {
        self.unreadable = Some(why);
    }

    /// Everything that was lost, by counter, in order.
    pub fn all(&self) -> Vec<(String, u64)> {
        let lost = self.told.iter().filter(|(_, count)| **count > 0);
        let mut lost: Vec<_> = lost.map(|(name, count)| (name.clone(), *count)).collect();
        lost.sort_unstable();
        lost
    }

    /// The process was judged.
    pub fn forget(&mut self, process: ProcessId) {
        self.by_process.remove(&process);
    }

    /// Whether anything is known of a process; for tests.
    pub fn mentions(&self, process: ProcessId) -> bool {
        self.by_process.contains_key(&process)
    }

    /// What losses do to a result about the whole observation.
    pub fn evidence(&self) -> Evidence {
        let lost = self
            .told
            .values()
            .fold(0, |sum: u64, n| sum.saturating_add(*n));
        let mut reasons = Vec::new();
        if lost > 0 {
            reasons.push(Doubt::EventsLost(lost));
        }
        self.blindness(&mut reasons);
        Evidence {
            events_lost: lost,
            reasons,
        }
    }

    /// What losses do to a result about this process, which was seen from this moment on: what
    /// nobody was charged with before does not concern it.
    pub fn evidence_of(&self, process: ProcessId, from: Stamp) -> Evidence {
        let lost = self.by_process.get(&process).copied().unwrap_or(0);
        let mut reasons = Vec::new();
        if lost > 0 {
            reasons.push(Doubt::EventsLost(lost));
        }
        let host = [Stat::PidSetFull, Stat::LossUnattributed];
        for name in host.map(Stat::name).into_iter().chain([SKIPPED]) {
            let count = self.told.get(name).copied().unwrap_or(0);
            if self.grew.get(name).is_some_and(|grew| from <= *grew) {
                let counter = name.to_owned();
                reasons.push(Doubt::Uncharged { counter, count });
            }
        }
        self.blindness(&mut reasons);
        Evidence {
            events_lost: lost,
            reasons,
        }
    }

    fn blindness(&self, reasons: &mut Vec<Doubt>) {
        if !self.blind.is_empty() {
            reasons.push(Doubt::NotTraced(self.blind.clone()));
        }
        if let Some(why) = &self.unreadable {
            reasons.push(Doubt::CountersUnreadable(why.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: ProcessId = ProcessId {
        tgid: 7,
        start_ticks: 1,
    };

    fn counters(lost: u64, unattributed: u64) -> Vec<(String, u64)> {
        vec![
            (Stat::ReleasesLost.name().to_owned(), lost),
            (Stat::LossUnattributed.name().to_owned(), unattributed),
        ]
    }

    #[test]
    fn a_loss_is_told_once_and_taints_whose_it_is() {
        let mut losses = Losses::default();
        assert!(losses.read(counters(0, 0), Stamp(5)).is_empty());
        let name = Stat::ReleasesLost.name().to_owned();
        assert_eq!(losses.read(counters(3, 0), Stamp(5)), [(name, 3)]);
        assert!(losses.read(counters(3, 0), Stamp(5)).is_empty(), "told");
        losses.attribute(vec![(PROCESS, 3)]);
        assert_eq!(losses.evidence_of(PROCESS, Stamp(1)).events_lost, 3);
        assert!(!losses.evidence().conclusive());
        losses.forget(PROCESS);
        assert!(
            losses.evidence_of(PROCESS, Stamp(1)).conclusive(),
            "another process"
        );
    }

    #[test]
    fn counters_that_cannot_be_read_are_a_doubt() {
        let mut losses = Losses::default();
        losses.unreadable("EPERM".to_owned());
        assert!(!losses.evidence().conclusive());
        assert!(!losses.evidence_of(PROCESS, Stamp(1)).conclusive());
    }

    #[test]
    fn what_nobody_was_charged_with_may_concern_everybody() {
        let mut losses = Losses::default();
        losses.read(counters(0, 1), Stamp(5));
        assert!(!losses.evidence_of(PROCESS, Stamp(1)).conclusive());
        assert!(
            losses.evidence_of(PROCESS, Stamp(6)).conclusive(),
            "born later"
        );
    }
}
