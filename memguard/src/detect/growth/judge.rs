//! One look at a series: does it grow now?
//!
//! Four windows are looked at, all after the warm-up and all up to now: the whole time, its half,
//! its quarter, its eighth; so that a leak that begins late is seen, and a process of many hours is
//! not suspected for the climb of a moment. The worst growth that one shows is it, and among equals
//! the longest's. A window whose double slows down does not count: any short piece of a flattening
//! curve looks straight.

use std::time::Duration;

use super::{
    Baseline, Growth, KEEP, Level, Outcome, Rules, Shape, climb::ClimbWindow, drift,
    segment::SeriesSegment, series::Point, trend::Trend, troughs::Troughs,
};

/// p above which a climb may be chance.
const SIGNIFICANT: f64 = 0.001;
/// Fewest samples of a window, behind its first point.
const SAMPLES: usize = 10;
/// A peak of the warm-up no longer matters to a window so many times as long.
const FORGET: f64 = 4.0;
/// The shortest window by the time after the warm-up, and what it need never be longer than, in
/// seconds.
const EIGHTH: f64 = 8.0;
const LONG_ENOUGH: f64 = 3600.0;

/// What a look is at: samples after the warm-up of the newest segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub(super) rules: &'a Rules,
    pub(super) segment: SeriesSegment,
    pub(super) warm_up: &'a [Point],
    pub(super) points: &'a [Point],
    pub(super) baseline: Baseline,
    /// The growth that the last look showed.
    pub(super) told: Option<Growth>,
}

impl Look<'_> {
    pub(super) fn outcome(&self) -> Outcome {
        if self.windows().next().is_some() && !self.above_first_half() {
            return self.kept();
        }
        let (mut double, mut worst): (_, Option<Growth>) = (None, None);
        for window in self.windows() {
            if let Some(growth) = self.growth(window, double)
                && worst.is_none_or(|worst| worst.level < growth.level)
            {
                worst = Some(growth);
            }
            double = Some(window);
        }
        match (worst, double) {
            (Some(growth), _) if growth.level == Level::Note => Outcome::Creeping(growth),
            (Some(growth), _) => Outcome::Growing(growth),
            (None, Some(_)) => self.kept(),
            (None, None) => Outcome::TooEarly,
        }
    }

    /// What is told stays told while its troughs rise as fast as is worth a warning, whatever bends
    /// and breaks the line.
    fn kept(&self) -> Outcome {
        let troughs = Troughs::of(self.points, self.rules.warm_up);
        let least = KEEP * self.rules.growth_warning;
        let kept = self.told.zip(troughs.filter(|it| it.rise(least)));
        kept.map_or(Outcome::Flat, |(told, troughs)| {
            let points = troughs.points;
            let trend = Trend::of(points).unwrap_or(Trend {
                slope: told.slope_per_second,
                low: told.low,
                high: told.high,
                p_value: told.p_value,
            });
            Outcome::Growing(self.growth_of(points, trend, told.p_value))
        })
    }

    /// What every window asks for, at the cost of half a pass: most series end here.
    fn above_first_half(&self) -> bool {
        let (first_half, _) = self.points.split_at(self.points.len() / 2);
        let now = self.points.last().map_or(0.0, |point| point.low);
        first_half.iter().all(|point| point.high < now)
    }

    /// The longest first.
    fn windows(&self) -> impl Iterator<Item = ClimbWindow<'_>> {
        let end = self.points.last().map_or(0.0, |point| point.seconds);
        let age = end - self.points.first().map_or(end, |point| point.seconds);
        let least = self
            .rules
            .warm_up
            .as_secs_f64()
            .max((age / EIGHTH).min(LONG_ENOUGH));
        [1.0, 2.0, 4.0, 8.0]
            .into_iter()
            .map(move |share| age / share)
            .filter(move |seconds| least <= *seconds)
            .map(move |seconds| self.window(end - seconds))
            .filter(|window| SAMPLES < window.points.len())
    }

    fn window(&self, from: f64) -> ClimbWindow<'_> {
        let start = self.points.partition_point(|point| point.seconds < from);
        let (before, points) = self.points.split_at(start);
        let seconds = span(points);
        let start_up = if seconds < FORGET * span(self.warm_up) {
            self.warm_up
        } else {
            &[]
        };
        let highs = start_up.iter().chain(before).map(|point| point.high);
        ClimbWindow {
            points,
            peak: highs.fold(self.segment.peak(seconds), f64::max),
        }
    }

    fn growth(&self, window: ClimbWindow<'_>, double: Option<ClimbWindow<'_>>) -> Option<Growth> {
        let least = self.rules.least(span(window.points), self.baseline.median);
        if !window.climbs(least)
            || window.slows(self.told.is_some())
            || double.is_some_and(|double| double.slows(self.told.is_some()))
        {
            return None;
        }
        let drift = drift::p_value(window.points);
        if SIGNIFICANT < drift {
            return None;
        }
        let trend = Trend::of(window.points)?;
        let p_value = trend.p_value.max(drift);
        (p_value <= SIGNIFICANT && 0.0 < trend.low)
            .then(|| self.growth_of(window.points, trend, p_value))
    }

    fn growth_of(&self, points: &[Point], trend: Trend, p_value: f64) -> Growth {
        let to = points.last().map_or(0.0, |point| point.low) as u64;
        Growth {
            slope_per_second: trend.slope,
            low: trend.low,
            high: trend.high,
            p_value,
            shape: Shape::of(points),
            window: Duration::try_from_secs_f64(span(points)).unwrap_or_default(),
            samples: points.len(),
            from: points.first().map_or(0.0, |point| point.low) as u64,
            to,
            baseline: self.baseline.median,
            level: self.level(trend.slope, to),
        }
    }

    fn level(&self, slope: f64, size: u64) -> Level {
        let Rules {
            growth_warning,
            growth_critical,
            size_critical,
            ..
        } = *self.rules;
        if slope < growth_warning {
            Level::Note
        } else if growth_critical <= slope || size_critical.is_some_and(|critical| critical <= size)
        {
            Level::Critical
        } else {
            Level::Warning
        }
    }
}

fn span(points: &[Point]) -> f64 {
    match (points.first(), points.last()) {
        (Some(first), Some(last)) => last.seconds - first.seconds,
        _ => 0.0,
    }
}
