//! What is normal: the median of the samples of the warm-up.

use super::{series::Point, stats};

/// What a quantity was at the end of its warm-up, in bytes or counts. Plain fields: whoever keeps
/// state over restarts writes them down and hands them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Median of the samples.
    pub median: u64,
    /// The least of them.
    pub low: u64,
    /// The most.
    pub high: u64,
    /// How many there were.
    pub samples: u32,
}

impl Baseline {
    /// Of these samples; `None` where there are none.
    pub fn of(points: &[Point]) -> Option<Self> {
        let lows: Vec<f64> = points.iter().map(|point| point.low).collect();
        let low = lows.iter().copied().reduce(f64::min)?;
        let high = points.iter().map(|point| point.high).reduce(f64::max)?;
        Some(Self {
            median: stats::median(lows)? as u64,
            low: low as u64,
            high: high as u64,
            samples: points.len() as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peak_does_not_move_it() {
        let points: Vec<_> = [10.0, 11.0, 900.0, 12.0, 11.0]
            .iter()
            .enumerate()
            .map(|(index, value)| Point {
                seconds: index as f64,
                low: *value,
                high: *value,
            })
            .collect();
        let baseline = Baseline::of(&points).unwrap();
        assert_eq!(
            (baseline.median, baseline.low, baseline.high),
            (11, 10, 900)
        );
        assert_eq!(Baseline::of(&[]), None);
    }
}
