//! What a window of a series must show before statistics are asked: cheap, and each against one
//! kind of harmless series.

use super::{series::Point, stats::mean};

/// The last quarter must rise at this share of the whole window's pace at least.
const TAIL: f64 = 0.5;
/// Later thirds this much slower than earlier ones are a curve that flattens, whatever the noise.
const FLATTENS: f64 = 0.65;
/// This much slower is one where noise cannot explain it.
const SLOWS: f64 = 0.95;
/// Standard errors that noise does not explain.
const SURE: f64 = 2.0;
/// Rise against noise that is a climb.
const CLEAR: f64 = 6.0;

/// Points of a window and the most that was ever seen before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClimbWindow<'a> {
    pub(super) points: &'a [Point],
    pub(super) peak: f64,
}

impl ClimbWindow<'_> {
    /// All of it, and the rise is more than `least`.
    pub(super) fn climbs(&self, least: f64) -> bool {
        self.outgrows()
            && self.rise() >= least.max(CLEAR * noise(self.points))
            && self.keeps_on()
            && self.reaches_new_maxima()
    }

    /// The last quarter is nowhere as low as anything in the first half or before: against
    /// sawteeth, cycles and whatever stays below a level that was there already.
    fn outgrows(&self) -> bool {
        let (first_half, later) = self.points.split_at(self.points.len() / 2);
        if later.last().is_none_or(|last| last.low <= self.peak) {
            return false;
        }
        let peak = first_half.iter().map(|point| point.high);
        let peak = peak.fold(self.peak, f64::max);
        quarter(self.points, 3).iter().all(|point| peak < point.low)
    }

    /// From the middle of the first quarter to that of the last, drawn out to the whole window.
    pub(super) fn rise(&self) -> f64 {
        (level(quarter(self.points, 3)) - level(quarter(self.points, 0))) * 4.0 / 3.0
    }

    /// Against plateaus: the last quarter still rises over the one before.
    fn keeps_on(&self) -> bool {
        let tail = level(quarter(self.points, 3)) - level(quarter(self.points, 2));
        tail >= TAIL * self.rise() / 4.0
    }

    /// Against single steps: of five windows, three reach above all before.
    fn reaches_new_maxima(&self) -> bool {
        let size = self.points.len().div_ceil(5).max(1);
        let peaks = self.points.rchunks(size).rev().map(|part| {
            part.iter()
                .map(|point| point.high)
                .fold(f64::NEG_INFINITY, f64::max)
        });
        let mut highest = f64::INFINITY;
        let new = peaks.filter(|peak| {
            let above = highest < *peak;
            highest = if highest.is_finite() {
                highest.max(*peak)
            } else {
                *peak
            };
            above
        });
        new.count() >= 3
    }

    /// Against caches that fill: the later half of the climb is slower than the earlier. What is
    /// told already may be unsteady, or each change of a load would withdraw it.
    pub(super) fn slows(&self, told: bool) -> bool {
        let Some(bend) = Bend::of(self.points) else {
            return false;
        };
        bend.ratio < FLATTENS || !told && bend.ratio < SLOWS && bend.errors < -SURE
    }
}

/// Pace from the middle to the last third against that from the first to the middle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bend {
    /// Later pace by earlier; infinite where there was none.
    pub(super) ratio: f64,
    /// Difference of the two in standard errors of what noise makes of it.
    pub(super) errors: f64,
}

impl Bend {
    pub(super) fn of(points: &[Point]) -> Option<Self> {
        let (size, half) = (points.len() / 3, points.len() / 2);
        let first = center(points.get(..size)?)?;
        let middle = center(points.get(half - size / 2..)?.get(..size)?)?;
        let last = center(points.get(points.len() - size..)?)?;
        let earlier = (middle.1 - first.1) / (middle.0 - first.0);
        let later = (last.1 - middle.1) / (last.0 - middle.0);
        let seconds = (last.0 - first.0) / 2.0;
        // Var(last − 2·middle + first) of means of `size` samples.
        let error = noise(points) * (6.0 / size as f64).sqrt() / seconds;
        Some(Self {
            ratio: if 0.0 < earlier {
                later / earlier
            } else {
                f64::INFINITY
            },
            errors: (later - earlier) / error.max(f64::MIN_POSITIVE),
        })
    }
}

/// Standard deviation of single samples around a curve, however it bends: root mean square of what
/// each deviates from the line between its neighbours. J. von Neumann's successive differences
/// (1941), of second order.
pub(super) fn noise(points: &[Point]) -> f64 {
    let squares = points.windows(3).filter_map(|window| {
        let [one, two, three] = window else {
            return None;
        };
        let share = (two.seconds - one.seconds) / (three.seconds - one.seconds);
        let between = one.low * (1.0 - share) + three.low * share;
        let weight = 1.0 + share.powi(2) + (1.0 - share).powi(2);
        Some((two.low - between).powi(2) / weight)
    });
    mean(squares).unwrap_or(0.0).sqrt()
}

fn quarter(points: &[Point], index: usize) -> &[Point] {
    let at = |quarters: usize| points.len() * quarters / 4;
    points.get(at(index)..at(index + 1)).unwrap_or_default()
}

fn level(points: &[Point]) -> f64 {
    mean(points.iter().map(|point| point.low)).unwrap_or(0.0)
}

fn center(points: &[Point]) -> Option<(f64, f64)> {
    let seconds = mean(points.iter().map(|point| point.seconds))?;
    Some((seconds, level(points)))
}

#[cfg(test)]
mod tests {
    use super::{super::testing::points, *};

    fn check(expected: (bool, bool), why: &str, value: impl Fn(f64) -> f64) {
        let points = points(1.0, (0..40).map(|at| value(f64::from(at))));
        let window = ClimbWindow {
            points: &points,
            peak: f64::NEG_INFINITY,
        };
        assert_eq!((window.climbs(1.0), window.slows(false)), expected, "{why}");
    }

    #[test]
    fn each_harmless_series_is_told_from_a_climb() {
        check((true, false), "a line", |at| at);
        check((true, false), "exponential", |at| (at / 10.0).exp());
        check((true, false), "steps", |at| (at / 4.0).floor() * 4.0);
        check((false, false), "constant", |_| 5.0);
        check((false, true), "a plateau", |at| at.min(20.0));
        check((false, false), "one step", |at| {
            if at < 22.0 { 0.0 } else { 50.0 }
        });
        check((false, false), "a sawtooth", |at| at % 13.0);
        check((true, true), "a cache that fills", |at| {
            100.0 * (1.0 - (-at / 40.0).exp())
        });
        check((false, false), "too little", |at| at / 50.0);
    }

    #[test]
    fn what_was_there_before_is_no_new_maximum() {
        let points = points(1.0, (0..40).map(f64::from));
        let peak = 35.0;
        assert!(
            !ClimbWindow {
                points: &points,
                peak
            }
            .climbs(1.0)
        );
    }

    #[test]
    fn noise_is_measured_whatever_the_slope() {
        let wave = |at: u32| if at.is_multiple_of(2) { 1.0 } else { -1.0 };
        let flat = noise(&points(1.0, (0..40).map(wave)));
        let steep = noise(&points(
            1.0,
            (0..40).map(|at| wave(at) + f64::from(at) * 9.0),
        ));
        assert!(
            (flat - steep).abs() < 1e-9 && 0.5 < flat && flat < 2.0,
            "{flat} {steep}"
        );
    }
}
