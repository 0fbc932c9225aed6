//! What did not reach the agent: read from the programs' counters, told as health and as evidence.

use hashbrown::HashMap;
use memguard_common::stats::Stat;

use super::{Agent, sorted};
use crate::{
    heap,
    model::{
        finding::Evidence,
        ids::ProcessId,
        report::{Health, Report},
    },
    source::kernel::{self, Counters},
};

/// Counters that mean that something was missed.
const LOST: [Stat; 9] = [
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

/// What is known to be lost.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// By thread group.
    by_tgid: HashMap<u32, u64>,
    /// By counter, as told last.
    told: HashMap<String, u64>,
    /// Tracepoints that could not be attached although the kernel may pass them.
    blind: Vec<String>,
}

impl Losses {
    /// Nothing is lost yet but what these tracepoints would tell.
    pub(super) fn without(blind: impl Iterator<Item = String>) -> Self {
        Self {
            blind: blind.collect(),
            ..Self::default()
        }
    }

    /// The process was judged; its number may go to another.
    pub(super) fn forget(&mut self, process: ProcessId) {
        self.by_tgid.remove(&process.tgid);
    }
}

impl Agent {
    /// Reads the counters; reports what is lost since the last time, and looks for ends that were
    /// missed.
    pub(super) fn note_losses(&mut self) {
        let Some(counters) = self.kernel.counters().ok() else {
            return;
        };
        let lost = lost(&counters);
        let mut fresh = HashMap::new();
        for (name, count) in &lost {
            let told = self.losses.told.insert(name.clone(), *count).unwrap_or(0);
            if *count > told {
                fresh.insert(name.clone(), count - told);
            }
        }
        if fresh.is_empty() {
            return;
        }
        self.losses.by_tgid = self.kernel.losses().into_iter().collect();
        let ends_missed = fresh.contains_key(Stat::LifecycleLost.name());
        let mut processes: Vec<_> = self.losses.by_tgid.keys().copied().collect();
        processes.sort_unstable();
        let known = |tgid: u32| self.procfs.identity(tgid).ok();
        let processes = processes.into_iter().take(100).filter_map(known).collect();
        let stamp = kernel::now();
        self.out.report(&Report::Health(Health {
            stamp,
            lost: sorted(fresh),
            processes,
        }));
        if ends_missed {
            self.reconcile();
        }
    }

    /// What losses do to a result about this process.
    pub(super) fn evidence(&self, process: Option<ProcessId>) -> Evidence {
        let total: u64 = self.losses.told.values().sum();
        let own = match process {
            Some(process) => self.losses.by_tgid.get(&process.tgid).copied().unwrap_or(0),
            None => total,
        };
        let mut reasons = Vec::new();
        if own > 0 {
            reasons.push(format!("events lost: {own}"));
        }
        let host = [Stat::PidSetFull, Stat::LossUnattributed];
        for name in host.map(Stat::name).into_iter().chain([SKIPPED]) {
            let count = self.losses.told.get(name).copied().unwrap_or(0);
            if count > 0 && process.is_some() {
                reasons.push(format!("{name}: {count}, which may concern this process"));
            }
        }
        if !self.losses.blind.is_empty() {
            reasons.push(format!("not traced: {}", self.losses.blind.join(", ")));
        }
        Evidence {
            events_lost: own,
            reasons,
        }
    }

    /// Every counter there is, kernel's and agent's.
    pub(super) fn counters(&self) -> Vec<(String, u64)> {
        let mut all = HashMap::new();
        if let Ok(counters) = self.kernel.counters() {
            all.extend(
                Stat::ALL
                    .iter()
                    .map(|(stat, name)| ((*name).to_owned(), counters.get(*stat))),
            );
            all.insert(SKIPPED.to_owned(), counters.skipped);
        }
        let oddities = self.ledger.oddities;
        for (name, count) in [
            ("acquisitions.swept", self.tally.swept),
            ("acquisitions.held", self.kernel.nursery.live()),
            ("records.read", self.tally.read),
            ("records.undecodable", self.tally.undecodable),
            ("heap.bytes", heap::bytes()),
            ("heap.blocks", heap::blocks()),
            ("ledger.state", self.ledger.state_count() as u64),
            ("ledger.held", self.ledger.held_count() as u64),
            ("ledger.replaced", oddities.replaced),
            ("ledger.marks_dropped", oddities.marks_dropped),
            ("ledger.snapshots_broken", oddities.snapshots_broken),
            ("ledger.ends_missed", oddities.ends_missed),
            ("ledger.unjudged", oddities.unjudged),
            ("ledger.refuted", oddities.refuted),
        ]
        .into_iter()
        .chain(self.ledger.memory.counters())
        {
            all.insert(name.to_owned(), count);
        }
        all.extend(self.stacks.counters());
        all.extend(self.faults.counters());
        sorted(all)
    }
}

const SKIPPED: &str = "programs.skipped";

fn lost(counters: &Counters) -> Vec<(String, u64)> {
    let kernel = LOST
        .iter()
        .map(|stat| (stat.name().to_owned(), counters.get(*stat)));
    kernel
        .chain([(SKIPPED.to_owned(), counters.skipped)])
        .collect()
}
