//! Does it grow for good? Judges a series of sizes, or of counts.
//!
//! A leak is known by what harmless series do not do: after the warm-up it climbs above everything
//! that was there before (`climb`), again and again and up to now; its pace does not slow down; a
//! walk without direction would not have come here (`drift`); ranks and slope agree (`trend`).
//! Whatever falls to below half begins anew (`segment`). Two looks in a row must say so before it
//! is told, and five must not before it is withdrawn. What is told stays told while its troughs
//! rise (`troughs`): a collector's teeth and a pace that falls are no end.
//!
//! What no look of finite length can tell from a leak: the first ramp of a cycle, of a collector or
//! of a cache that fills at a steady pace, where that lasts for longer than the warm-up *and* the
//! window after it. It is told as growth, withdrawn when it ends, and not told again at its next
//! turn. A longer warm-up is the remedy: the window is never shorter than it.

use std::time::Duration;

pub mod baseline;
mod climb;
mod drift;
pub mod forecast;
mod in_step;
mod judge;
pub mod rules;
mod segment;
pub mod series;
pub mod shape;
mod stats;
pub mod threshold;
mod trend;
mod troughs;

#[cfg(test)]
mod accuracy_tests;
#[cfg(test)]
mod negative_series;
#[cfg(test)]
mod positive_series;
#[cfg(test)]
mod recorded;
#[cfg(test)]
pub(super) mod testing;

pub use self::{
    baseline::Baseline,
    in_step::in_step,
    rules::Rules,
    series::Series,
    shape::Shape,
    threshold::{Alarm, Thresholds},
};
use self::{judge::Look, segment::SeriesSegment, series::Point};
use crate::model::ids::Stamp;

/// So many looks in a row must show growth.
const CONFIRM: u8 = 2;
/// So many must not, for it to be over.
const CALM: u8 = 5;
/// A growth that is told stays one down to this share of the warning slope.
const KEEP: f64 = 0.8;

/// How bad a growth is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Certain but slower than [`Rules::growth_warning`].
    Note,
    /// As fast as that.
    Warning,
    /// As fast as [`Rules::growth_critical`], or a warning above [`Rules::size_critical`].
    Critical,
}

/// How a series grows. Sizes are bytes or counts, whatever the series is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Theil–Sen slope.
    pub slope_per_second: f64,
    /// Lower end of its 95 % confidence interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The larger of Mann–Kendall's and of the signed-rank test of the changes, one-sided.
    pub p_value: f64,
    /// In what way.
    pub shape: Shape,
    /// Over what time it was measured, up to now.
    pub window: Duration,
    /// Points in the window; where it is long, older ones stand for many samples each.
    pub samples: usize,
    /// Size at the window's start.
    pub from: u64,
    /// Size now.
    pub to: u64,
    /// Median of the warm-up.
    pub baseline: u64,
    /// How bad.
    pub level: Level,
}

/// What is known of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Outcome {
    /// The warm-up, or the window after it, is not over.
    #[default]
    TooEarly,
    /// It does not grow.
    Flat,
    /// It does for certain, but slower than what is a warning: worth a note, no verdict.
    Creeping(Growth),
    /// It does.
    Growing(Growth),
}

impl Outcome {
    /// The growth where there is a verdict.
    pub fn growing(&self) -> Option<&Growth> {
        match self {
            Self::Growing(growth) => Some(growth),
            Self::TooEarly | Self::Flat | Self::Creeping(_) => None,
        }
    }
}

/// When a segment began, in seconds of the series. The first began with the series, whatever
/// thinning makes of its first point.
type Began = Option<u64>;

/// One quantity of one process, and what is known of it.
#[derive(Clone, Debug)]
pub struct Monitor {
    series: Series,
    /// From an earlier run: the warm-up is over.
    resumed: Option<Baseline>,
    /// Of the segment that began with this point of the series.
    baseline: Option<(Began, Baseline)>,
    outcome: Outcome,
    growing: u8,
    calm: u8,
}

impl Monitor {
    /// Of a series in which nothing was recorded.
    pub fn new(series: Series) -> Self {
        Self {
            series,
            resumed: None,
            baseline: None,
            outcome: Outcome::TooEarly,
            growing: 0,
            calm: 0,
        }
    }

    /// Of a process that was known before memguard's own restart: there is no second warm-up.
    pub fn resumed(series: Series, baseline: Baseline) -> Self {
        Self {
            resumed: Some(baseline),
            ..Self::new(series)
        }
    }

    /// Adds what was measured now and says what is known with it. One that grows stays
    /// [`Outcome::Growing`] until it has calmed down: opening and closing a finding on each change
    /// of this does not flap.
    pub fn observe(&mut self, rules: &Rules, now: Stamp, value: u64) -> Outcome {
        self.series.record(now, value);
        let look = self.look(rules);
        self.outcome = self.settle(rules, look);
        self.outcome
    }

    /// What the last observation said.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Median of the warm-up of the newest segment; `None` before its end.
    pub fn baseline(&self) -> Option<Baseline> {
        self.baseline.map(|(_, baseline)| baseline)
    }

    /// The samples.
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// Another program image, or another process in its place: all anew.
    pub fn restart(&mut self) {
        self.series.clear();
        *self = Self::new(self.series.clone());
    }

    fn look(&mut self, rules: &Rules) -> Outcome {
        let points: Vec<Point> = self.series.points().collect();
        let segment = SeriesSegment::newest(&points);
        let points = points.get(segment.start..).unwrap_or_default();
        let warm = self.warm(rules, segment, points);
        if points.len() <= warm {
            return Outcome::TooEarly;
        }
        let warm_up = points.get(..warm).unwrap_or_default();
        let Some(baseline) = self.settled(segment, warm_up, points) else {
            return Outcome::TooEarly;
        };
        // From the last sample of the warm-up on, so that ten samples after it are ten changes.
        let points = points.get(warm.saturating_sub(1)..).unwrap_or_default();
        Look {
            rules,
            segment,
            warm_up,
            points,
            baseline,
            told: self.outcome.growing().copied(),
        }
        .outcome()
    }

    /// How many points the warm-up has.
    fn warm(&self, rules: &Rules, segment: SeriesSegment, points: &[Point]) -> usize {
        if self.resumed.is_some() && segment.start == 0 {
            return 0;
        }
        let start = points.first().map_or(0.0, |point| point.seconds);
        let end = start + rules.warm_up.as_secs_f64();
        points
            .partition_point(|point| point.seconds < end)
            .max(rules.warm_samples)
    }

    /// The baseline: what it was for this segment, the earlier run's, or the warm-up's.
    fn settled(
        &mut self,
        segment: SeriesSegment,
        warm_up: &[Point],
        points: &[Point],
    ) -> Option<Baseline> {
        let began =
            (0 < segment.start).then(|| points.first().map_or(0, |point| point.seconds as u64));
        match (self.baseline, self.resumed) {
            (Some((of, baseline)), _) if of == began => Some(baseline),
            (_, Some(baseline)) if began.is_none() => Some(baseline),
            _ => Baseline::of(warm_up),
        }
        .inspect(|baseline| self.baseline = Some((began, *baseline)))
    }

    fn settle(&mut self, rules: &Rules, look: Outcome) -> Outcome {
        match (look, self.outcome) {
            (Outcome::Growing(growth), before) => {
                self.calm = 0;
                self.growing = self.growing.saturating_add(1);
                match before {
                    Outcome::Growing(told) => Outcome::Growing(Growth {
                        level: growth.level.max(told.level),
                        ..growth
                    }),
                    _ if CONFIRM <= self.growing => look,
                    _ => before,
                }
            }
            (Outcome::Creeping(growth), Outcome::Growing(told))
                if KEEP * rules.growth_warning <= growth.slope_per_second =>
            {
                self.calm = 0;
                Outcome::Growing(Growth {
                    level: told.level,
                    ..growth
                })
            }
            (_, Outcome::Growing(_)) if self.calm + 1 < CALM => {
                self.calm += 1;
                self.outcome
            }
            _ => {
                self.growing = 0;
                self.calm = 0;
                look
            }
        }
    }
}
