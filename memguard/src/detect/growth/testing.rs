//! Series for the tests.

use std::time::Duration;

use super::{Growth, Level, Shape, series::Point};

/// These values, one each so many seconds.
pub(super) fn points(seconds: f64, values: impl IntoIterator<Item = f64>) -> Vec<Point> {
    let values = values.into_iter().enumerate();
    values
        .map(|(index, value)| Point {
            seconds: index as f64 * seconds,
            low: value,
            high: value,
        })
        .collect()
}

/// A growth of this slope and interval.
pub(super) fn growth(slope_per_second: f64, low: f64, high: f64) -> Growth {
    Growth {
        slope_per_second,
        low,
        high,
        p_value: 0.0001,
        shape: Shape::Linear,
        window: Duration::from_mins(10),
        samples: 11,
        from: 0,
        to: 0,
        baseline: 0,
        level: Level::Warning,
    }
}

/// Numbers that look random and are the same each time: S. Vigna, splitmix64.
#[derive(Clone, Debug)]
pub(in crate::detect) struct Random(pub(in crate::detect) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from `low` to `high`.
    pub(in crate::detect) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normal with deviation 1: Irwin–Hall of twelve.
    pub(in crate::detect) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.between(0.0, 1.0)).sum::<f64>() - 6.0
    }
}
