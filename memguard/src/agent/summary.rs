//! How it went and what it cost.

use std::collections::BTreeMap;

use memguard_common::stats::Stat;

use super::{Agent, LOSSES};
use crate::{
    cost, heap,
    judge::context::losses::SKIPPED,
    model::report::{Cost, Summary},
    source::kernel,
};

impl Agent {
    /// How it went and what it cost.
    pub(super) fn summary(&self) -> Summary {
        let (stamp, engine) = (kernel::now(), &self.core.engine);
        let mut summary = Summary {
            stamp,
            observed: stamp.since(self.attached_at),
            processes_judged: engine.judged(),
            processes_running: engine.running() as u64,
            findings: engine.finding_counts(),
            left: engine.left(),
            left_untold: None,
            suppressions: Vec::new(),
            known: None,
            counters: self.counters(),
            evidence: engine.evidence(),
            cost: self.cost(),
            exit: None,
        };
        self.core.out.selection().apply(&mut summary);
        summary
    }

    /// What memguard itself used so far.
    pub(super) fn cost(&self) -> Cost {
        let (cpu, tally) = (cost::cpu(), self.core.tally);
        Cost {
            cpu,
            cpu_observing: Some(cpu.saturating_sub(self.cpu_at_start)),
            rss_bytes: cost::anonymous_rss(&self.procfs),
            kernel_bytes: self.kernel_bytes(),
            events_read: Some(tally.read + tally.swept),
            bpf_time: self.own.estimate(&self.kernel),
        }
    }

    pub(super) fn kernel_bytes(&self) -> u64 {
        let faults = self.faults.as_ref();
        self.kernel.bytes() + faults.map_or(0, kernel::faults::Faults::bytes)
    }

    /// Every counter there is, kernel's and agent's.
    fn counters(&self) -> Vec<(String, u64)> {
        let mut all: BTreeMap<String, u64> = BTreeMap::new();
        if let Ok(counters) = self.kernel.counters() {
            let named = Stat::ALL.iter();
            all.extend(named.map(|(stat, name)| ((*name).to_owned(), counters.get(*stat))));
            all.insert(SKIPPED.to_owned(), counters.skipped);
        }
        let (tally, refused) = (self.core.tally, self.core.facts.refused());
        let own = [
            ("acquisitions.swept", tally.swept),
            ("acquisitions.held", self.kernel.nursery.live()),
            ("records.read", tally.read),
            ("records.undecodable", tally.undecodable),
            ("heap.bytes", heap::bytes()),
            ("heap.blocks", heap::blocks()),
        ];
        let rare = [
            ("facts.refused", refused),
            ("windows.wide_refused", self.kernel.wide.refused()),
        ];
        let rare = rare.into_iter().filter(|(_, count)| *count > 0);
        let own = own.into_iter().chain(rare);
        all.extend(own.map(|(name, count)| (name.to_owned(), count)));
        all.extend(self.core.engine.counters());
        all.extend(self.core.origins.counters());
        all.into_iter().collect()
    }

    /// The exit code of what went wrong, and why: events were lost, or the gate was reached, which
    /// has a code of its own.
    pub(super) fn failing(
        &self,
        strict: bool,
        gate_code: u8,
        summary: &Summary,
    ) -> Option<(u8, String)> {
        if strict && !summary.evidence.conclusive() {
            return Some((LOSSES, losses(summary.evidence.events_lost)));
        }
        let reached = self.core.out.selection().reached();
        reached.map(|reason| (gate_code, reason))
    }

    /// Leaves the kernel without waiting for it.
    pub(super) fn leave(self) {
        let Self { kernel, core, .. } = self;
        core.out.complain();
        if let Err(error) = kernel.leave() {
            crate::complain(&format!("ends slowly: {:#}", anyhow::Error::from(error)));
        }
    }
}

/// Why `--strict` makes it fail.
fn losses(events: u64) -> String {
    match events {
        0 => "the result is not certain, --strict".to_owned(),
        1 => "1 event was lost, --strict".to_owned(),
        _ => format!("{events} events were lost, --strict"),
    }
}
