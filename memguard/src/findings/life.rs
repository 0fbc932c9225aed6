//! The life of one finding, from the first time that it is told to its end.

use std::time::Duration;

use super::{plateau::PlateauTracker, scoring};
use crate::model::{
    finding::{Finding, Limit, Resolution, State, Verdict},
    ids::Stamp,
};

/// The handles for which something was told to leak, or suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Founders {
    verdict: Verdict,
    count: u64,
    youngest: Stamp,
}

impl Founders {
    /// `None` for what is no suspicion.
    fn of(verdict: Verdict, held: &[Stamp]) -> Option<Self> {
        let suspicion = matches!(verdict, Verdict::Leak | Verdict::Suspect);
        let youngest = held.iter().max().copied().filter(|_| suspicion)?;
        Some(Self {
            verdict,
            count: held.len() as u64,
            youngest,
        })
    }

    /// Whether hardly any, one of ten, is held still: they were released after all.
    fn have_gone(&self, held: &[Stamp]) -> bool {
        let left = held.iter().filter(|stamp| **stamp <= self.youngest);
        (left.count() as u64).saturating_mul(10) <= self.count
    }
}

/// A finding that is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: u64,
    pub(super) first_seen: Stamp,
    pub(super) plateau: PlateauTracker,
    /// What it was first told for, where it accuses or suspects.
    pub(super) founders: Option<Founders>,
    /// How many more are likely of its site, of which no stack says so.
    pub(super) without_stack: u64,
    /// As it was told last.
    pub(super) last: Finding,
    /// As it was judged since, where that was not worth telling yet.
    pub(super) untold: Option<Finding>,
    pub(super) reported: Stamp,
}

impl Open {
    /// What piled up does not become harmless by piling up no further, unless it stays flat for as
    /// long as it had climbed.
    pub(super) fn settle(&mut self, finding: &mut Finding, quiet: Duration, now: Stamp) {
        self.plateau.saw(finding, now);
        let before = self.last.verdict;
        let suspicious = matches!(before, Verdict::Leak | Verdict::Cleared);
        let milder = matches!(finding.verdict, Verdict::Aged | Verdict::Suspect);
        if !milder || !suspicious {
            return;
        }
        // What has reached its limit can climb no further.
        let full = finding.limit.as_ref().is_some_and(Limit::is_nearly_reached);
        let over = self.plateau.is_over(quiet, now) && !full;
        let flat = before == Verdict::Cleared || over;
        finding.verdict = if flat {
            Verdict::Cleared
        } else {
            Verdict::Leak
        };
    }

    /// It was judged by these handles.
    pub(super) fn found(&mut self, held: &[Stamp]) {
        let verdict = self.last.verdict;
        let before = self.founders.map(|founders| founders.verdict);
        if before != Some(verdict) && verdict != Verdict::Cleared {
            self.founders = Founders::of(verdict, held);
        }
    }

    /// Whether those that it was told for have gone.
    pub(super) fn has_lost_its_founders(&self, held: &[Stamp]) -> bool {
        self.founders
            .is_some_and(|founders| founders.have_gone(held))
    }

    /// What accuses or suspects and was released after all is withdrawn.
    pub(super) fn end(self, why: Resolution, now: Stamp) -> Finding {
        let accuses = matches!(self.last.verdict, Verdict::Leak | Verdict::Suspect);
        let handles = self.founders.is_some();
        let why = match why {
            Resolution::Released if accuses && handles => Resolution::Withdrawn,
            why => why,
        };
        resolved(self.last, why, now)
    }

    /// It is not worth telling now; at the end it is, with the handles that were shown last.
    pub(super) fn remember(&mut self, mut finding: Finding, now: Stamp) {
        finding.samples.clone_from(&self.last.samples);
        for sample in &mut finding.samples {
            sample.age = sample.acquired_at.map(|at| now.since(at));
        }
        finding.suggestion.clone_from(&self.last.suggestion);
        self.last.in_step = finding.in_step;
        finding.hoarded = finding.hoarded.max(self.last.hoarded);
        let changed = size(&finding) != size(&self.last);
        self.untold = changed.then_some(finding);
    }

    /// It is reported like this; returns the verdict that it had.
    pub(super) fn told(&mut self, finding: &Finding, now: Stamp) -> Verdict {
        self.untold = None;
        self.reported = now;
        std::mem::replace(&mut self.last, finding.clone()).verdict
    }
}

pub(super) fn weigh(finding: &mut Finding) {
    finding.confidence = scoring::confidence(finding);
    finding.severity = scoring::severity(finding);
}

fn resolved(last: Finding, why: Resolution, now: Stamp) -> Finding {
    Finding {
        state: State::Resolved,
        resolution: Some(why),
        alert: false,
        last_seen: now,
        open_count: 0,
        late_count: 0,
        samples: Vec::new(),
        ..last
    }
}

/// What it is measured by: bytes where it has any, handles else.
pub(super) fn size(finding: &Finding) -> u64 {
    finding.open_bytes.unwrap_or(finding.open_count)
}

pub(super) fn is_material(told: &Finding, now: &Finding, due: bool) -> bool {
    let (before, size) = (size(told), size(now));
    let changed = before.abs_diff(size).saturating_mul(10) >= before.max(1);
    told.verdict != now.verdict || told.severity < now.severity || (changed && due)
}
