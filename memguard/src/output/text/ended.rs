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
    output::{sentence, words},
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
    /// How many more there are of which no stack says where they are from.
    without_stack: u64,
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

    pub(super) fn show(mut self, page: &mut Page) {
        self.join_without_stack();
        for group in &self.groups {
            group.show(page);
        }
    }

    /// What has no known place is told with the only site of its program.
    fn join_without_stack(&mut self) {
        let unknown: Vec<Group> = self.groups.extract_if(.., |it| it.is_unknown()).collect();
        for unknown in unknown {
            let mut likely = self.groups.iter_mut().filter(|it| it.may_have(&unknown));
            match (likely.next(), likely.next()) {
                (Some(site), None) => site.join(unknown),
                _ => self.groups.push(unknown),
            }
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
            without_stack: 0,
            conclusive: true,
        };
        group.add(finding);
        group
    }

    fn is_of(&self, label: &str, finding: &Finding) -> bool {
        let Self { first, .. } = self;
        let site = || (first.kind, first.origin_text()) == (finding.kind, finding.origin_text());
        let alike = first.verdict == finding.verdict && self.label == label;
        alike && (finding.verdict == Verdict::Inherited || site())
    }

    /// Its place is not known, but how it was made.
    fn is_unknown(&self) -> bool {
        let Finding { verdict, calls, .. } = &*self.first;
        let told_by_place = *verdict != Verdict::Inherited;
        told_by_place && self.first.place().is_none() && !calls.is_empty()
    }

    fn may_have(&self, unknown: &Self) -> bool {
        let (site, other) = (&self.first, &unknown.first);
        let same = (site.verdict, site.kind) == (other.verdict, other.kind);
        let makes = other.calls.iter().all(|call| site.calls.contains(call));
        site.place().is_some() && same && makes && self.label == unknown.label
    }

    fn join(&mut self, unknown: Self) {
        let count = unknown.kinds.values().sum::<u64>();
        self.without_stack = self.without_stack.saturating_add(count);
        self.findings += unknown.findings;
        self.processes += unknown.processes;
        self.conclusive &= unknown.conclusive;
    }

    fn add(&mut self, finding: &Finding) {
        self.findings += 1;
        self.processes += u64::from(self.last != finding.process.id);
        self.last = finding.process.id;
        let number = self.kinds.entry(finding.kind).or_default();
        let of_site = finding.open_count.saturating_sub(finding.without_stack);
        *number = number.saturating_add(of_site);
        self.without_stack = self.without_stack.saturating_add(finding.without_stack);
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
        let origin = match first.verdict {
            Verdict::Inherited => String::new(),
            _ => sentence::origin_text(first),
        };
        let doubt = if self.conclusive {
            ""
        } else {
            "; INCONCLUSIVE: events were lost"
        };
        let outcome = sentence::outcome_text(first);
        let more = sentence::more_without_stack(self.without_stack);
        format!("{who}: {}{origin}{more} {outcome}{doubt}", kinds.join(", "))
    }
}
