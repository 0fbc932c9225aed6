//! The merge of mappings and ranges, both in order of addresses.

use std::ops::ControlFlow;

use super::{
    super::pagemap::PageMap,
    mapping::{Mapping, Open},
};
use crate::model::{
    memory::{PAGE, Range},
    observed::{MappedRange, Residency},
};

/// The most pages that are asked for one by one: 1 GiB.
const PAGES: u64 = 256 * 1024;

/// Where the merge of ranges and mappings is. The ranges of all requests are one list, so that a
/// mapping costs the same however many requests there are.
#[derive(Debug)]
pub(super) struct Merge {
    found: Vec<Residency>,
    /// Which request each range is of.
    requests: Vec<usize>,
    /// The first range that does not end before the mapping.
    at: usize,
    /// The mapping whose lines are being read, where it is in a range.
    mapping: Option<Mapping>,
    /// What has to be asked of pages.
    open: Vec<Open>,
}

impl Merge {
    pub(super) fn new(requests: &[&[Range]]) -> Self {
        let numbered = requests.iter().enumerate();
        let mut ranges: Vec<(Range, usize)> = numbered
            .flat_map(|(request, ranges)| ranges.iter().map(move |range| (*range, request)))
            .collect();
        ranges.sort_by_key(|(range, _)| range.start);
        let (ranges, requests): (Vec<_>, _) = ranges.into_iter().unzip();
        Self {
            found: ranges.into_iter().map(nothing).collect(),
            requests,
            at: 0,
            mapping: None,
            open: Vec::new(),
        }
    }

    /// Only lines of a mapping's numbers begin with a capital letter.
    pub(super) fn line(&mut self, line: &[u8]) -> ControlFlow<()> {
        if line.first().is_some_and(u8::is_ascii_uppercase) {
            if let Some(mapping) = &mut self.mapping {
                mapping.number(line);
            }
            return ControlFlow::Continue(());
        }
        let Some(mapped) = MappedRange::parse(line) else {
            return ControlFlow::Continue(());
        };
        self.flush();
        self.begin(mapped, line)
    }

    /// Breaks where no range is left.
    fn begin(&mut self, mapped: MappedRange, line: &[u8]) -> ControlFlow<()> {
        let ended = |found: &&Residency| found.range.end <= mapped.range.start;
        self.at += self.found.iter().skip(self.at).take_while(ended).count();
        let Some(next) = self.found.get(self.at) else {
            return ControlFlow::Break(());
        };
        let inside = next.range.common(mapped.range).is_some();
        self.mapping = inside.then(|| Mapping::new(mapped, line));
        ControlFlow::Continue(())
    }

    /// All lines of the mapping have been read.
    pub(super) fn flush(&mut self) {
        let Some(mapping) = self.mapping.take() else {
            return;
        };
        for (at, residency) in self.found.iter_mut().enumerate().skip(self.at) {
            let Some(common) = residency.range.common(mapping.mapped.range) else {
                break;
            };
            mapping.add_to(residency, common.bytes());
            self.open.extend(mapping.resident_in(at, common, residency));
        }
    }

    /// Whether there are parts of mappings, of which only their pages can tell.
    pub(super) fn needs_pages(&self) -> bool {
        !self.open.is_empty()
    }

    /// Takes what pages tell; so many of each request are asked.
    pub(super) fn settle(&mut self, map: Option<&PageMap<'_>>) {
        let requests = self.requests.iter().max().map_or(0, |last| last + 1);
        let mut left = vec![PAGES; requests];
        for open in &self.open {
            let request = self.requests.get(open.at).copied().unwrap_or_default();
            let left = left.get_mut(request);
            if let (Some(residency), Some(left)) = (self.found.get_mut(open.at), left) {
                let affordable = left.checked_sub(open.range.bytes() / PAGE);
                *left = affordable.unwrap_or(*left);
                let exact = affordable.and_then(|_| map?.bytes(open.range));
                residency.estimated |= exact.is_none();
                open.add_to(residency, exact);
            }
        }
    }

    /// By request, as they were asked.
    pub(super) fn answers(self, requests: usize) -> Vec<Vec<Residency>> {
        let mut answers = vec![Vec::new(); requests];
        for (residency, request) in self.found.into_iter().zip(self.requests) {
            if let Some(answer) = answers.get_mut(request) {
                answer.push(residency);
            }
        }
        answers
    }
}

fn nothing(range: Range) -> Residency {
    Residency {
        range,
        mapped_bytes: 0,
        accessible_bytes: 0,
        noreserve_bytes: 0,
        resident_bytes: 0,
        swap_bytes: 0,
        dirty_bytes: 0,
        huge_bytes: 0,
        estimated: false,
        name: None,
    }
}
