//! When the handles of a group are released: one by one, or many at once.
//!
//! Who closes what he has opened does so one by one. A garbage collector, a finalizer, or a pool
//! that is drained closes many at once, and nothing in between: what stays until then looks like a
//! leak.

use std::time::Duration;

use crate::model::ids::Stamp;

/// What is released within this time of the first is released at once.
const AT_ONCE: Duration = Duration::from_millis(100);
/// From this mean number on it is many.
const MANY: f64 = 4.0;

/// Of one group. Stamps come nearly in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Releases {
    count: u64,
    bursts: u64,
    began: Stamp,
    last: Stamp,
    longest_gap: Duration,
}

impl Releases {
    /// One more.
    pub(super) fn add(&mut self, at: Stamp) {
        if self.count > 0 {
            self.longest_gap = self.longest_gap.max(at.since(self.last));
        }
        if self.count == 0 || at > self.began.after(AT_ONCE) {
            self.bursts = self.bursts.saturating_add(1);
            self.began = at;
        }
        self.count = self.count.saturating_add(1);
        self.last = self.last.max(at);
    }

    /// The longest time in which there was none, between two of them.
    pub fn longest_gap(&self) -> Duration {
        self.longest_gap
    }

    /// Whether many are released at once, more than the pace of acquisitions explains, in handles
    /// per second.
    pub fn come_in_bulk(&self, pace: f64) -> bool {
        let mean = self.count as f64 / self.bursts.max(1) as f64;
        mean >= MANY * (1.0 + pace * AT_ONCE.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released(millis: impl IntoIterator<Item = u64>) -> Releases {
        let mut releases = Releases::default();
        for at in millis {
            releases.add(Stamp(0).after(Duration::from_millis(at)));
        }
        releases
    }

    #[test]
    fn a_collector_releases_many_at_once() {
        let collected = (1..4u64).flat_map(|run| (0..40).map(move |at| run * 10_000 + at));
        let releases = released(collected);
        assert!(releases.come_in_bulk(4.0), "{releases:?}");
        assert_eq!(releases.longest_gap(), Duration::from_millis(9_961));
    }

    #[test]
    fn who_closes_one_by_one_does_not_however_fast() {
        for (step, pace) in [(250, 4.0), (10, 100.0), (1, 1_000.0)] {
            let releases = released((0..400u64).map(|at| at * step));
            assert!(
                !releases.come_in_bulk(pace),
                "{pace} a second: {releases:?}"
            );
        }
        assert!(!Releases::default().come_in_bulk(0.0));
    }

    #[test]
    fn a_late_record_opens_no_gap() {
        let releases = released([1_000, 1_200, 1_100, 1_300]);
        assert_eq!(releases.longest_gap(), Duration::from_millis(200));
    }
}
