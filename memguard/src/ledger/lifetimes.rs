//! How long the released handles of a group lived: a histogram of constant size.

use std::time::Duration;

use crate::model::finding::LifetimeStats;

/// Shortest life that is told apart, 2^20 ns: what is shorter is paired in the kernel.
const SHORTEST: u32 = 20;
/// Buckets to a factor of two, as bits: four, so that a bound is right to a fifth.
const FINE: u32 = 2;
/// From a millisecond to 52 days.
const BUCKETS: usize = 128;

/// Numbers of lives between bounds that grow by a fifth to a fourth; 512 bytes whatever comes.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    buckets: [u32; BUCKETS],
    count: u64,
    outlived: u64,
    min: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: [0; BUCKETS],
            count: 0,
            outlived: 0,
            min: Duration::MAX,
        }
    }
}

impl Histogram {
    /// One more, which was held longer than what counts as long, or not.
    pub(super) fn add(&mut self, life: Duration, is_long: bool) {
        if let Some(count) = self.buckets.get_mut(bucket(life)) {
            *count = count.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        self.outlived = self.outlived.saturating_add(u64::from(is_long));
        self.min = self.min.min(life);
    }

    /// What is told of them; `None` of none.
    pub(super) fn lives(&self) -> Option<LifetimeStats> {
        Some(LifetimeStats {
            count: self.count,
            min: self.min,
            median: self.quantile(1, 2)?,
            p99: self.quantile(99, 100)?,
            outlived: self.outlived,
        })
    }

    /// How many lived longer than each of these bounds, the shortest first.
    pub(super) fn longer(&self) -> impl Iterator<Item = (Duration, u64)> {
        let all = self.buckets.iter().map(|count| u64::from(*count));
        let mut left = all.clone().fold(0, u64::saturating_add);
        all.enumerate().map(move |(bucket, count)| {
            left = left.saturating_sub(count);
            (upper_bound(bucket), left)
        })
    }

    /// So large a part lived no longer than this: the upper bound of its bucket.
    fn quantile(&self, numerator: u64, denominator: u64) -> Option<Duration> {
        let count = |count: &u32| u64::from(*count);
        let total = self.buckets.iter().map(count).fold(0, u64::saturating_add);
        let rank = total.saturating_mul(numerator);
        let mut seen = 0u64;
        let reached = |number: &u32| {
            seen = seen.saturating_add(count(number));
            seen > 0 && seen.saturating_mul(denominator) >= rank
        };
        let bucket = self.buckets.iter().position(reached)?;
        Some(upper_bound(bucket))
    }
}

/// Octave and quarter of it: the bits behind the leading one.
fn bucket(life: Duration) -> usize {
    let nanoseconds = u64::try_from(life.as_nanos()).unwrap_or(u64::MAX);
    let octave = nanoseconds.max(1 << SHORTEST).ilog2();
    let quarter =
        (nanoseconds.max(1 << SHORTEST) >> octave.saturating_sub(FINE)) & ((1 << FINE) - 1);
    let octaves = u64::from(octave.saturating_sub(SHORTEST));
    let at = (octaves << FINE) | quarter;
    usize::try_from(at).map_or(BUCKETS - 1, |at| at.min(BUCKETS - 1))
}

fn upper_bound(bucket: usize) -> Duration {
    let next = bucket.saturating_add(1) as u64;
    let (octaves, quarter) = (next >> FINE, next & ((1 << FINE) - 1));
    // No bucket is beyond 2^52 ns.
    let octave = 1u64 << u64::from(SHORTEST).saturating_add(octaves).min(62);
    Duration::from_nanos(octave.saturating_add((octave >> FINE).saturating_mul(quarter)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lives(millis: impl IntoIterator<Item = u64>) -> Option<LifetimeStats> {
        let mut histogram = Histogram::default();
        for millis in millis {
            histogram.add(Duration::from_millis(millis), millis >= 1_000);
        }
        histogram.lives()
    }

    #[test]
    fn nothing_is_told_of_none() {
        assert_eq!(lives([]), None);
    }

    #[test]
    fn a_hundred_lives() {
        let told = lives((1..=98).map(|_| 40).chain([20_000, 30_000])).unwrap();
        assert_eq!((told.count, told.outlived), (100, 2));
        assert_eq!(told.min, Duration::from_millis(40));
        let millis = |life: Duration| life.as_millis();
        assert!((40..=50).contains(&millis(told.median)), "{told:?}");
        assert!((20_000..=25_000).contains(&millis(told.p99)), "{told:?}");
    }

    #[test]
    fn how_many_lived_longer() {
        let mut histogram = Histogram::default();
        for millis in [40, 40, 40, 500, 20_000] {
            histogram.add(Duration::from_millis(millis), false);
        }
        for (millis, expected) in [(10, 5), (100, 2), (1_000, 1), (30_000, 0)] {
            let bound = Duration::from_millis(millis);
            let longer = histogram.longer().find(|(at, _)| *at >= bound);
            assert_eq!(longer.map(|(_, count)| count), Some(expected), "{bound:?}");
        }
    }

    proptest! {
        #[test]
        fn a_bound_is_right_to_a_fourth(nanoseconds in 1u64 << SHORTEST..1 << 51) {
            let life = Duration::from_nanos(nanoseconds);
            let bound = upper_bound(bucket(life));
            let share = bound.as_secs_f64() / life.as_secs_f64();
            prop_assert!(bound > life && share <= 1.25, "{life:?} {bound:?}");
        }

        #[test]
        fn any_life_has_a_bucket(nanoseconds: u64) {
            let bucket = bucket(Duration::from_nanos(nanoseconds));
            prop_assert!(bucket < BUCKETS);
            prop_assert!(upper_bound(bucket) > Duration::ZERO);
        }
    }
}
