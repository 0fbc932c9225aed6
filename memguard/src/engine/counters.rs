//! What the engine can be asked at any time; asking changes nothing.

use std::{collections::BTreeMap, sync::Arc};

use super::Engine;
use crate::{
    ledger::Ledger,
    model::{
        finding::{Evidence, Finding, Verdict},
        ids::ProcessId,
        process::ProcessInfo,
    },
};

impl Engine {
    /// Every counter of the engine, by name.
    pub fn counters(&self) -> Vec<(String, u64)> {
        let ledger = &self.context.ledger;
        let anomalies = ledger.anomalies;
        let named = [
            ("ledger.state", ledger.state_count() as u64),
            ("ledger.held", ledger.held_count() as u64),
            ("ledger.replaced", anomalies.replaced),
            ("ledger.marks_dropped", anomalies.marks_dropped),
            ("ledger.snapshots_broken", anomalies.snapshots_broken),
            ("ledger.ends_missed", anomalies.ends_missed),
            ("ledger.unjudged", anomalies.unjudged),
            ("ledger.refuted", anomalies.refuted),
        ];
        // Rare, and said only where they are.
        let rare = [
            ("judge.surveys_skipped", self.tally.surveys_skipped),
            ("judge.short_lives_refused", self.short_lives.refused),
            ("judge.ends_dropped", self.zombies.dropped()),
            ("judge.hoards_dropped", self.hoards.dropped()),
            ("judge.watchers_dropped", self.watches.dropped()),
            ("judge.objects_dropped", self.persistent.dropped()),
            (
                "judge.whole_stacks_refused",
                self.context.whole_stacks.refused(),
            ),
            ("ledger.ends_untold", anomalies.ends_untold),
        ];
        let named = named.into_iter().chain(ledger.memory.counters());
        let named = named.chain(rare.into_iter().filter(|(_, count)| *count > 0));
        let mut counters: Vec<_> = named
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        counters.extend(self.fault_sites.counters());
        counters
    }

    /// What is held.
    pub fn ledger(&self) -> &Ledger {
        &self.context.ledger
    }

    /// Processes that are watched and have not ended.
    pub fn running(&self) -> usize {
        self.context.ledger.processes.running().count()
    }

    /// Whether processes have ended that are not told yet.
    pub fn has_ended(&self) -> bool {
        self.ended.len() > 0
    }

    /// Whether something is suspected, and what `/proc` shows or stacks are called is waited for.
    pub fn is_judging(&self) -> bool {
        self.passes.len() > 0
            || self.telling.len() > 0
            || self.survey.is_some()
            || self.persistent.is_busy()
    }

    /// Processes that were judged at their exit.
    pub fn judged(&self) -> u64 {
        self.tally.judged
    }

    /// Descriptors left at exit, of all processes together.
    pub fn left(&self) -> u64 {
        self.tally.left
    }

    /// Findings opened, by verdict.
    pub fn finding_counts(&self) -> Vec<(Verdict, u64)> {
        self.groups.findings().counts()
    }

    /// Findings that were opened with a verdict, or came to it.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.groups.count(verdict)
    }

    /// What losses do to a result about the whole observation.
    pub fn evidence(&self) -> Evidence {
        self.context.losses.evidence()
    }

    /// Who a process is, as far as that is known.
    pub fn identity(&self, process: ProcessId) -> Arc<ProcessInfo> {
        self.context.identity(process)
    }

    /// Findings that are open, as they were told last; in the order of their numbers.
    pub fn open_findings(&self) -> Vec<Arc<Finding>> {
        let mut open: Vec<_> = self
            .groups
            .findings()
            .open()
            .cloned()
            .map(Arc::new)
            .collect();
        open.sort_unstable_by_key(|finding| finding.id);
        open
    }

    /// Everything that was lost, by counter.
    pub fn losses(&self) -> Vec<(String, u64)> {
        self.context.losses.all()
    }

    /// How many handles each process holds, the ranges of its memory included.
    pub fn held_by_process(&self) -> Vec<(ProcessId, u64)> {
        let ledger = &self.context.ledger;
        let running = ledger.processes.running().filter_map(|(_, id)| id);
        let mut held: BTreeMap<ProcessId, u64> = running.map(|id| (id, 0)).collect();
        let descriptors = ledger.held().map(|held| held.acquired.process);
        let ranges = ledger.memory.held();
        let ranges = ranges.filter_map(|range| Some(ledger.memory.group_of(&range)?.process));
        for process in descriptors.chain(ranges) {
            *held.entry(process).or_default() += 1;
        }
        held.into_iter().collect()
    }

    /// Resident memory of a process, as it was sampled last.
    pub fn resident_bytes(&self, process: ProcessId) -> Option<u64> {
        Some(self.usages.last(process)?.resident_bytes)
    }

    /// How many things here speak of a process: none once it has ended, but for its zombie, which
    /// is its parent's. For tests and for the counters of a soak.
    pub fn mentions(&self, process: ProcessId) -> usize {
        let yes = |mentioned: bool| usize::from(mentioned);
        self.context.ledger.mentions(process)
            + self.groups.mentions(process)
            + yes(self.context.identities.mentions(process))
            + yes(self.context.whole_stacks.mentions(process))
            + yes(self.context.losses.mentions(process))
            + yes(self.untracked.mentions(process))
            + yes(self.usages.knows(process))
            + yes(self.passes.mentions(process))
            + yes(self.short_lives.mentions(process))
            + yes(self.telling.mentions(process))
            + yes(self.ended.mentions(process))
            + yes(self.zombies.mentions_parent(process))
            + yes(self.watches.mentions(process))
            + yes(self.persistent.mentions(process))
            + yes(self.identified.values().any(|known| *known == process))
            + yes(self.gone.contains_key(&process))
            + yes(self.fault_sites.mentions(process))
            + yes(self.exhaustion.mentions(process))
            + yes(self.hoards.mentions(process))
            + yes(self.attaching.mentions(process))
            + yes(self
                .kept
                .as_ref()
                .is_some_and(|kept| kept.contains_key(&process)))
    }
}
