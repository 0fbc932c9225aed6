//! Handles held long without a pattern: one line a process.

use std::{collections::BTreeMap, time::Duration};

use super::page::{Page, Paint};
use crate::{
    model::{finding::Finding, ids::ProcessId, resource::Kind},
    output::{units::duration, words},
};

/// Processes held back at most.
const HELD: usize = 256;

/// Findings that came one after another, by process in the order they came.
#[derive(Debug, Default)]
pub(super) struct AgedBurst {
    processes: Vec<Aged>,
}

#[derive(Debug)]
struct Aged {
    process: ProcessId,
    who: String,
    kinds: BTreeMap<Kind, u64>,
    oldest: Option<Duration>,
}

impl AgedBurst {
    pub(super) fn add(&mut self, page: &mut Page, finding: &Finding) {
        let Self { processes } = self;
        let known = processes
            .iter()
            .position(|aged| aged.process == finding.process.id);
        if known.is_none() && processes.len() >= HELD {
            std::mem::take(self).show(page);
        }
        let Self { processes } = self;
        match known.and_then(|at| processes.get_mut(at)) {
            Some(aged) => aged.add(finding),
            None => processes.push(Aged::new(finding)),
        }
    }

    pub(super) fn show(self, page: &mut Page) {
        for aged in &self.processes {
            page.row("AGED  ", Paint::Dim, &aged.sentence());
        }
    }
}

impl Aged {
    fn new(finding: &Finding) -> Self {
        let who = words::who(&finding.process);
        let process = finding.process.id;
        let mut aged = Self {
            process,
            who,
            kinds: BTreeMap::new(),
            oldest: None,
        };
        aged.add(finding);
        aged
    }

    fn add(&mut self, finding: &Finding) {
        let number = self.kinds.entry(finding.kind).or_default();
        *number = number.saturating_add(finding.open_count);
        self.oldest = self.oldest.max(finding.oldest_age);
    }

    fn sentence(&self) -> String {
        let Self {
            who, kinds, oldest, ..
        } = self;
        let kinds: Vec<_> = kinds
            .iter()
            .map(|(kind, number)| format!("{number} {}", kind.noun(*number)))
            .collect();
        let oldest = oldest
            .map(|age| format!(", oldest {}", duration(age)))
            .unwrap_or_default();
        format!("{who}: {} held for a long time{oldest}", kinds.join(", "))
    }
}
