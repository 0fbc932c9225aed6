//! Slope and its significance: Theil and Sen, Mann and Kendall.
//!
//! Mann and Kendall assume that samples are independent, which sizes of processes are not; that is
//! why their word alone is no verdict, see [`drift`](super::drift).

use super::{
    series::Point,
    stats::{self, upper_tail},
};

/// Of a normal variable, 95 % lie within so many standard deviations.
const TWO_SIDED_95: f64 = 1.959_964;

/// A slope with its 95 % confidence interval, in bytes or counts per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trend {
    /// Theil–Sen: median of the slopes of all pairs.
    pub(super) slope: f64,
    /// Lower end.
    pub(super) low: f64,
    /// Upper end.
    pub(super) high: f64,
    /// One-sided p of Mann–Kendall's test for a rise.
    pub(super) p_value: f64,
}

impl Trend {
    /// Of the least values; `None` where there are fewer than three points.
    ///
    /// P. K. Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968)
    /// 1379–1389: the interval is between the pair slopes of rank (N ∓ z·√Var S) / 2.
    pub(super) fn of(points: &[Point]) -> Option<Self> {
        if points.len() < 3 {
            return None;
        }
        let mut slopes = pair_slopes(points);
        slopes.sort_unstable_by(f64::total_cmp);
        let kendall = Kendall::of(points);
        let reach = TWO_SIDED_95 * kendall.variance.sqrt();
        let count = slopes.len() as f64;
        let at = |rank: f64| {
            let index = rank.round().clamp(0.0, count - 1.0);
            slopes.get(index as usize).copied()
        };
        Some(Self {
            low: at((count - reach) / 2.0 - 1.0)?,
            high: at(f64::midpoint(count, reach))?,
            slope: stats::median(slopes)?,
            p_value: kendall.p_value(),
        })
    }
}

fn pair_slopes(points: &[Point]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (index, later) in points.iter().enumerate() {
        for earlier in points.iter().take(index) {
            let seconds = later.seconds - earlier.seconds;
            if seconds > 0.0 {
                slopes.push((later.low - earlier.low) / seconds);
            }
        }
    }
    slopes
}

/// Mann–Kendall's S and its variance under no trend, corrected for ties: M. G. Kendall, Rank
/// Correlation Methods (1975), (n(n−1)(2n+5) − Σ t(t−1)(2t+5)) / 18 over groups of t equal values.
#[derive(Clone, Copy, Debug)]
struct Kendall {
    s: f64,
    variance: f64,
}

impl Kendall {
    fn of(points: &[Point]) -> Self {
        let mut s = 0.0;
        for (index, later) in points.iter().enumerate() {
            for earlier in points.iter().take(index) {
                s += f64::from(i8::from(later.low > earlier.low))
                    - f64::from(i8::from(later.low < earlier.low));
            }
        }
        let mut values: Vec<f64> = points.iter().map(|point| point.low).collect();
        values.sort_unstable_by(f64::total_cmp);
        let ties = values.chunk_by(|one, other| one.total_cmp(other).is_eq());
        let ties: f64 = ties.map(|group| weight(group.len())).sum();
        Self {
            s,
            variance: (weight(points.len()) - ties) / 18.0,
        }
    }

    /// With the correction for continuity: |S| − 1.
    fn p_value(self) -> f64 {
        if self.variance <= 0.0 {
            return 1.0;
        }
        let s = self.s - self.s.signum();
        upper_tail(s / self.variance.sqrt())
    }
}

fn weight(count: usize) -> f64 {
    let n = count as f64;
    n * (n - 1.0) * (2.0 * n + 5.0)
}

#[cfg(test)]
mod tests {
    use super::{super::testing::points, *};

    #[test]
    fn a_straight_line_is_measured_exactly() {
        let trend = Trend::of(&points(1.0, (0..20).map(|at| f64::from(at) * 7.0))).unwrap();
        assert_eq!((trend.slope, trend.low, trend.high), (7.0, 7.0, 7.0));
        assert!(trend.p_value < 1e-6, "{}", trend.p_value);
    }

    /// One wild sample in ten moves neither slope nor significance by much.
    #[test]
    fn outliers_do_not_matter() {
        let wild = (0..20).map(|at| {
            if at % 10 == 3 {
                1e6
            } else {
                f64::from(at) * 7.0
            }
        });
        let trend = Trend::of(&points(1.0, wild)).unwrap();
        assert!((trend.slope - 7.0).abs() < 0.7, "{trend:?}");
        assert!(trend.low <= 7.0 && 7.0 <= trend.high, "{trend:?}");
    }

    /// S = 8, of ten pairs two tied: Var S = (5·4·15 − 2·1·9 − 2·1·9) / 18 = 14.67.
    #[test]
    fn ties_are_corrected() {
        let kendall = Kendall::of(&points(1.0, [1.0, 1.0, 2.0, 2.0, 3.0]));
        assert!((kendall.s - 8.0).abs() < 1e-9);
        assert!((kendall.variance - 264.0 / 18.0).abs() < 1e-9);
        assert!((kendall.p_value() - upper_tail(7.0 / (264.0f64 / 18.0).sqrt())).abs() < 1e-12);
        let constant = Trend::of(&points(1.0, [5.0; 12])).unwrap();
        assert_eq!((constant.slope, constant.p_value), (0.0, 1.0));
    }
}
