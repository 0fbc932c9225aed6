//! Reports that wait for one sink: bounded, in order, and what falls off is counted.
//!
//! Pure: no thread, no lock, no clock. [`super::queue`] puts a lock around it.
//!
//! When it is full, the oldest report of the lowest lane that has one falls off. There are five
//! [`Lane`]s, a queue each, so that adding, taking and dropping take the same time however many
//! wait.

mod lane;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc};

use self::lane::Lane;
use super::{debts::Debts, estimate::estimate};
use crate::model::{
    ids::Stamp,
    report::{Health, Lost, Report, Summary},
};

/// The counter of reports that did not reach a sink.
pub const DROPPED: &str = "output.dropped";

/// How much may wait for a sink.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Reports.
    pub reports: usize,
    /// Their bytes, by an estimate.
    pub bytes: usize,
}

impl Default for Limits {
    /// A judgement of a busy host tells some hundred findings, a storm of short processes some
    /// thousand reports a second for as long as it lasts: 65 536 are both for most of a minute. A
    /// finding with its stack takes 5 to 20 KiB, so that 64 MiB is reached first where all of them
    /// are large. The room is used only while a reader is behind.
    fn default() -> Self {
        Self {
            reports: 65_536,
            bytes: 64 << 20,
        }
    }
}

#[derive(Debug)]
struct Entry {
    /// Grows by one with each report that is added.
    number: u64,
    bytes: usize,
    report: Arc<Report>,
}

/// What the writer is to do next.
#[derive(Debug)]
pub(super) enum Step {
    Report(Arc<Report>),
    Flush,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Backlog {
    limits: Limits,
    lanes: [VecDeque<Entry>; Lane::ALL.len()],
    /// A flush is due after the reports up to these numbers; never more than one a report.
    flushes: VecDeque<u64>,
    last_number: u64,
    len: usize,
    bytes: usize,
    dropped: u64,
    /// As much of `dropped` as the sink was told of.
    told: u64,
    last_dropped: Stamp,
    debts: Debts,
}

impl Backlog {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            lanes: Default::default(),
            flushes: VecDeque::new(),
            last_number: 0,
            len: 0,
            bytes: 0,
            dropped: 0,
            told: 0,
            last_dropped: Stamp(0),
            debts: Debts::default(),
        }
    }

    /// Reports that wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Reports that fell off.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds a report; what is too much falls off, which may be the report itself.
    pub(super) fn push(&mut self, report: Arc<Report>) {
        let bytes = estimate(&report);
        self.last_number += 1;
        self.len += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let lane = Lane::of(&report);
        let number = self.last_number;
        self.lane(lane).push_back(Entry {
            number,
            bytes,
            report,
        });
        // One alone may be as large as it is, or it would never be told.
        while self.is_over() && self.len > 1 && self.drop_one() {}
    }

    /// A flush is due after what has been added so far.
    pub(super) fn flush(&mut self) {
        let full = self.flushes.len() >= self.limits.reports;
        if full || self.flushes.back() == Some(&self.last_number) {
            self.flushes.pop_back();
        }
        self.flushes.push_back(self.last_number);
    }

    /// What is to be done next; `None` where there is nothing to do.
    pub(super) fn pop(&mut self) -> Option<Step> {
        loop {
            let next = self.next_lane();
            if self.take_flush(next.map(|(_, number)| number)) {
                return Some(Step::Flush);
            }
            if self.may_tell(next.map(|(lane, _)| lane)) {
                return Some(Step::Report(Arc::new(self.notice())));
            }
            let (lane, _) = next?;
            let entry = self.take(lane)?;
            if let Some(report) = self.as_told(entry) {
                return Some(Step::Report(report));
            }
        }
    }

    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Entry> {
        let [updates, once, findings, beginning, end] = &mut self.lanes;
        match lane {
            Lane::Updates => updates,
            Lane::Once => once,
            Lane::Findings => findings,
            Lane::Beginning => beginning,
            Lane::End => end,
        }
    }

    fn is_over(&self) -> bool {
        self.len > self.limits.reports || self.bytes > self.limits.bytes
    }

    /// The lane of the oldest report, and its number.
    fn next_lane(&self) -> Option<(Lane, u64)> {
        let fronts = Lane::ALL.iter().zip(&self.lanes);
        fronts
            .filter_map(|(lane, queue)| Some((*lane, queue.front()?.number)))
            .min_by_key(|(_, number)| *number)
    }

    fn take(&mut self, lane: Lane) -> Option<Entry> {
        let entry = self.lane(lane).pop_front()?;
        self.len -= 1;
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        Some(entry)
    }

    /// Drops one report; false where none may be.
    fn drop_one(&mut self) -> bool {
        let mut droppable = Lane::DROPPABLE.into_iter();
        let Some(entry) = droppable.find_map(|lane| self.take(lane)) else {
            return false;
        };
        self.count_dropped(&entry.report);
        if let Report::Finding(finding) = &*entry.report {
            self.debts.dropped(entry.number, finding);
        }
        true
    }

    fn count_dropped(&mut self, report: &Report) {
        self.dropped += 1;
        self.last_dropped = self.last_dropped.max(report.stamp());
    }

    /// Whether a flush is due before the report with this number.
    fn take_flush(&mut self, next: Option<u64>) -> bool {
        let mut due = false;
        while let Some(after) = self.flushes.front()
            && next.is_none_or(|next| *after < next)
        {
            self.flushes.pop_front();
            due = true;
        }
        due
    }

    /// Drops are told as soon as there is room, or a reader that is only just fast enough would be
    /// told after every report; and in any case before the last word.
    fn may_tell(&self, next: Option<Lane>) -> bool {
        let Limits { reports, bytes } = self.limits;
        let room = self.len <= reports / 2 && self.bytes <= bytes / 2;
        self.told < self.dropped && (room || next == Some(Lane::End))
    }

    fn notice(&mut self) -> Report {
        let fresh = self.dropped - self.told;
        self.told = self.dropped;
        Report::Health(Health {
            stamp: self.last_dropped,
            what: Lost::Reports,
            lost: vec![(DROPPED.to_owned(), fresh)],
            processes: Vec::new(),
        })
    }

    /// The report as this sink is to see it, after all that it has not seen.
    fn as_told(&mut self, entry: Entry) -> Option<Arc<Report>> {
        let Entry { number, report, .. } = entry;
        match &*report {
            Report::Finding(finding) => {
                let settled = self.debts.settle(number, finding);
                if settled.is_discarded() {
                    self.count_dropped(&report);
                }
                settled.apply(report)
            }
            Report::RunSummary(_) | Report::Stopped(_) if self.dropped > 0 => {
                Some(Arc::new(with_dropped(report, self.dropped)))
            }
            _ => Some(report),
        }
    }
}

/// A summary with the number of reports that this sink did not see.
fn with_dropped(report: Arc<Report>, dropped: u64) -> Report {
    let mut report = Arc::unwrap_or_clone(report);
    if let Report::RunSummary(summary) | Report::Stopped(summary) = &mut report {
        count(summary, dropped);
    }
    report
}

/// Counters are sorted by name.
fn count(summary: &mut Summary, dropped: u64) {
    let Summary { counters, .. } = summary;
    let place = counters.partition_point(|(name, _)| name.as_str() < DROPPED);
    counters.insert(place, (DROPPED.to_owned(), dropped));
}
