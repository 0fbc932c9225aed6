//! What processes held at their exit, where many end at once: one line for those of one name, kind
//! and site; of what came over an exec one line a name.

use std::collections::BTreeMap;

use super::{
    finding::{self, tag},
    page::Page,
};
use crate::{
    model::{
        finding::{Finding, Verdict},
        ids::ProcessId,
        resource::Kind,
    },
    sink::{sentence, words},
};

/// Lines held back at most.
const HELD: usize = 256;

/// Findings that came one after another, in the order they came.
#[derive(Debug, Default)]
pub(super) struct EndedBurst {
    groups: Vec<Group>,
}

/// Findings that are told together.
#[derive(Debug)]
struct Group {
    label: String,
    /// Told alone in full, so all of it is kept.
    first: Box<Finding>,
    findings: u64,
    processes: u64,
    /// Findings of one process come one after the other.
    last: ProcessId,
    kinds: BTreeMap<Kind, u64>,
    conclusive: bool,
}

impl EndedBurst {
    pub(super) fn add(&mut self, page: &mut Page, finding: &Finding) {
        let label = finding.process.label();
        let same = |group: &&mut Group| group.is_of(&label, finding);
        if let Some(group) = self.groups.iter_mut().find(same) {
            return group.add(finding);
        }
        if self.groups.len() >= HELD {
            std::mem::take(self).show(page);
        }
        self.groups.push(Group::new(label, finding));
    }

    pub(super) fn show(self, page: &mut Page) {
        for group in &self.groups {
            group.show(page);
        }
    }
}

impl Group {
    fn new(label: String, finding: &Finding) -> Self {
        let mut group = Self {
            label,
            first: Box::new(finding.clone()),
            findings: 0,
            processes: 1,
            last: finding.process.id,
            kinds: BTreeMap::new(),
            conclusive: true,
        };
        group.add(finding);
        group
    }

    fn is_of(&self, label: &str, finding: &Finding) -> bool {
        let Self { first, .. } = self;
        let site = || (first.kind, first.whence()) == (finding.kind, finding.whence());
        let alike = first.verdict == finding.verdict && self.label == label;
        alike && (finding.verdict == Verdict::Inherited || site())
    }

    fn add(&mut self, finding: &Finding) {
        self.findings += 1;
        self.processes += u64::from(self.last != finding.process.id);
        self.last = finding.process.id;
        let number = self.kinds.entry(finding.kind).or_default();
        *number = number.saturating_add(finding.open_count);
        self.conclusive &= finding.evidence.conclusive();
    }

    fn show(&self, page: &mut Page) {
        if self.findings == 1 {
            return finding::opened(page, &self.first);
        }
        let (tag, paint) = tag(self.first.verdict);
        page.paragraph(&tag, paint, &self.sentence());
    }

    /// `worker ×41: 82 files from open_cache (cache.c:3) still open at exit`.
    fn sentence(&self) -> String {
        let Self { first, kinds, .. } = self;
        let who = match self.processes {
            1 => words::who(&first.process),
            number => format!("{} ×{number}", self.label),
        };
        let kinds: Vec<_> = kinds
            .iter()
            .map(|(kind, number)| format!("{number} {}", kind.noun(*number)))
            .collect();
        let whence = match first.verdict {
            Verdict::Inherited => String::new(),
            _ => sentence::whence(first),
        };
        let doubt = if self.conclusive {
            ""
        } else {
            "; INCONCLUSIVE: events were lost"
        };
        let fate = sentence::fate(first);
        format!("{who}: {}{whence} {fate}{doubt}", kinds.join(", "))
    }
}
