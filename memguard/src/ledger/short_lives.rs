//! Handles that a group released before they left the nursery: those that memguard happened to see.
//!
//! The kernel side pairs what lives less than about a second, and nobody tells the agent. But an
//! emptied slot of the nursery keeps the record until another takes it, so that each sweep sees the
//! last of them, at no cost to whoever acquires and releases. It is a sample: numbers say what is
//! common, not how many there were.

use std::time::Duration;

use crate::model::ids::Stamp;

/// Of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShortLives {
    seen: u64,
    lingered: u64,
    moments: u64,
    last: Stamp,
}

/// Two that were acquired within this time are of one moment.
const MOMENT: Duration = Duration::from_secs(1);

impl ShortLives {
    /// One more, by the stamp of its acquisition; it lingered where a sweep before had seen it
    /// alive.
    pub(super) fn add(&mut self, acquired_at: Stamp, lingered: bool) {
        if self.seen == 0 || acquired_at.since(self.last) >= MOMENT {
            self.moments = self.moments.saturating_add(1);
            self.last = self.last.max(acquired_at);
        }
        self.seen = self.seen.saturating_add(1);
        self.lingered = self.lingered.saturating_add(u64::from(lingered));
    }

    /// How many were seen.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// In how many moments, a second or more apart.
    pub fn moments(&self) -> u64 {
        self.moments
    }

    /// When the last of them was acquired, right to a second.
    pub fn last(&self) -> Stamp {
        self.last
    }

    /// Whether they are released right after they were acquired: hardly any was seen alive in
    /// between. Who leaves that to a collector has many that wait for its next run.
    pub fn end_at_once(&self) -> bool {
        const HARDLY_ANY: u64 = 10;
        self.lingered.saturating_mul(HARDLY_ANY) <= self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(all: impl IntoIterator<Item = (u64, bool)>) -> ShortLives {
        let mut lives = ShortLives::default();
        for (millis, lingered) in all {
            lives.add(Stamp(0).after(Duration::from_millis(millis)), lingered);
        }
        lives
    }

    #[test]
    fn moments_are_a_second_apart() {
        let lives = seen([
            (5_000, false),
            (5_100, false),
            (6_050, false),
            (9_000, true),
        ]);
        assert_eq!((lives.seen(), lives.moments()), (4, 3));
        assert_eq!(lives.last(), Stamp(9_000_000_000));
    }

    #[test]
    fn what_waits_for_a_collector_is_seen_alive() {
        assert!(seen((0..20).map(|at| (at * 50, at == 7))).end_at_once());
        assert!(!seen((0..20).map(|at| (at * 50, at % 3 == 0))).end_at_once());
    }
}
