//! When a pile last climbed.

use std::time::Duration;

use super::life::size;
use crate::model::{finding::Finding, ids::Stamp};

/// The highest that a pile has been.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlateauTracker {
    peak: u64,
    /// When it was first so high.
    reached: Stamp,
    /// How long it had climbed by then.
    lasted: Duration,
}

impl PlateauTracker {
    /// From a first finding.
    pub(super) fn of(finding: &Finding, now: Stamp) -> Self {
        Self {
            peak: size(finding),
            reached: now,
            lasted: lasted(finding),
        }
    }

    /// It is so high now.
    pub(super) fn saw(&mut self, finding: &Finding, now: Stamp) {
        if size(finding) > self.peak {
            *self = Self::of(finding, now);
        }
    }

    /// It has not climbed for as long as it had before, and for some time at least.
    pub(super) fn is_over(&self, least: Duration, now: Stamp) -> bool {
        now.since(self.reached) >= self.lasted.max(least)
    }
}

fn lasted(finding: &Finding) -> Duration {
    finding
        .growth
        .map_or(Duration::ZERO, |growth| growth.window)
}
