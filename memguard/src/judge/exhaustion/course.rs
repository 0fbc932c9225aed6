//! A count over time, and whether it rises: three moments, each higher than the one before.

use std::time::Duration;

use crate::model::{ids::Stamp, series_summary::SeriesSummary};

/// Most levels kept; when full, every other one of the older half goes.
const LEVELS: usize = 64;

/// Between the three moments that are compared, the shortest first: what is fast is seen within
/// three samples of the default interval (two seconds, less what a timer is late), what is slow
/// within two minutes. A rise is seen at one of them; a count that only goes up and down rises at
/// none.
const STEPS: [Duration; 4] = [
    Duration::from_millis(1_750),
    Duration::from_millis(4_500),
    Duration::from_secs(14),
    Duration::from_secs(55),
];

/// A rise, up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rise {
    /// By how much.
    pub by: u64,
    /// In what time.
    pub window: Duration,
}

impl Rise {
    /// The pace.
    pub fn per_second(self) -> f64 {
        self.by as f64 / self.window.as_secs_f64()
    }

    /// How long until so much more is there.
    pub fn until(self, more: u64) -> Option<Duration> {
        Duration::try_from_secs_f64(more as f64 / self.per_second()).ok()
    }
}

/// What it was for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Level {
    count: u64,
    /// When it was counted first, and last.
    from: Stamp,
    until: Stamp,
}

/// See the module. What stays the same is one entry, however often it was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// Oldest first.
    levels: Vec<Level>,
}

impl Course {
    /// It was counted.
    pub fn record(&mut self, now: Stamp, count: u64) {
        if let Some(last) = self.levels.last_mut()
            && last.count == count
        {
            last.until = now;
            return;
        }
        if self.levels.len() >= LEVELS {
            self.thin();
        }
        let (from, until) = (now, now);
        self.levels.push(Level { count, from, until });
    }

    fn thin(&mut self) {
        let mut at = 0;
        self.levels.retain(|_| {
            at += 1;
            at > LEVELS / 2 || at % 2 == 1
        });
    }

    /// What it was last.
    pub fn last(&self) -> Option<u64> {
        self.levels.last().map(|level| level.count)
    }

    /// When it was counted last.
    fn seen(&self) -> Stamp {
        let last = self.levels.last();
        last.map_or_else(Stamp::default, |level| level.until)
    }

    /// What it was so long before it was counted last, and how long before that was counted: ticks
    /// are never quite even. `None` where that was before the first.
    fn before(&self, time: Duration) -> Option<(u64, Duration)> {
        let (seen, at) = (self.seen(), self.seen().before(time));
        let behind = self.levels.partition_point(|level| level.from <= at);
        let level = self.levels.get(behind.checked_sub(1)?)?;
        Some((level.count, seen.since(level.until.min(at))))
    }

    /// What it was so long ago.
    pub fn count_before(&self, time: Duration) -> Option<u64> {
        self.before(time).map(|(count, _)| count)
    }

    /// How it rises at present, by so much at least; at the shortest steps first.
    pub fn rises(&self, least: u64) -> impl Iterator<Item = Rise> {
        let rises = STEPS.into_iter().filter_map(|step| self.rise_by(step));
        rises.filter(move |rise| rise.by >= least)
    }

    /// The first of them.
    pub fn rise(&self, least: u64) -> Option<Rise> {
        self.rises(least).next()
    }

    /// Each of three moments is higher than the one before, and the last by a third at least of
    /// what the one before was: or it is slowing down.
    fn rise_by(&self, step: Duration) -> Option<Rise> {
        let now = self.last()?;
        let (first, window) = self.before(step * 2)?;
        let (middle, _) = self.before(step)?;
        let (early, late) = (middle.checked_sub(first)?, now.checked_sub(middle)?);
        let steady = early > 0 && late > 0 && late.saturating_mul(3) >= early;
        let by = now.saturating_sub(first);
        steady.then_some(Rise { by, window })
    }

    /// By how much it is more than it was so long ago, whatever was between; `None` where it was
    /// not counted for as long.
    pub fn more_than(&self, time: Duration) -> Option<Rise> {
        let (first, window) = self.before(time)?;
        let by = self.last()?.saturating_sub(first);
        Some(Rise { by, window })
    }

    /// The pace of all that is known, of the last `longest` at most; `None` where it was counted
    /// for no longer than `shortest`.
    pub fn overall(&self, shortest: Duration, longest: Duration) -> Option<Rise> {
        let first = self.levels.first()?;
        let known = self.seen().since(first.from).min(longest);
        (known > shortest).then(|| self.more_than(known))?
    }

    /// In few even steps, for people.
    pub fn summary(&self) -> Option<SeriesSummary> {
        let ends = |level: &Level| [(level.from, level.count), (level.until, level.count)];
        let mut samples: Vec<_> = self.levels.iter().flat_map(ends).collect();
        samples.dedup();
        SeriesSummary::of(&samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(counts: impl IntoIterator<Item = (u64, u64)>) -> Course {
        let mut course = Course::default();
        for (milliseconds, count) in counts {
            course.record(stamp(milliseconds), count);
        }
        course
    }

    /// After the host's first minute.
    fn stamp(milliseconds: u64) -> Stamp {
        Stamp((milliseconds + 60_000) * 1_000_000)
    }

    fn rises(counts: impl IntoIterator<Item = (u64, u64)>) -> Option<(u64, u64)> {
        let rise = course(counts).rise(1)?;
        Some((rise.by, rise.window.as_millis() as u64))
    }

    #[test]
    fn three_samples_each_higher_are_a_rise() {
        let fast = [(0, 10), (2_001, 30), (3_999, 50)];
        assert_eq!(rises(fast), Some((40, 3_999)), "a timer is never even");
        assert_eq!(rises([(0, 10), (2_000, 30)]), None, "two");
        let second = (0..4).map(|at| (at * 1_000, at));
        assert_eq!(rises(second), None, "not for long enough");
        let second = (0..5).map(|at| (at * 1_000, at));
        assert_eq!(rises(second), Some((4, 4_000)));
        assert_eq!(rises([(0, 10), (2_000, 30), (4_000, 30)]), None, "flat");
        assert_eq!(rises([(0, 10), (2_000, 40), (4_000, 30)]), None, "fell");
        assert_eq!(rises([(0, 10), (2_000, 40), (4_000, 41)]), None, "slowing");
        let five = [(0, 1), (5_000, 2), (10_000, 3)];
        assert_eq!(rises(five), Some((2, 10_000)), "a long interval");
    }

    #[test]
    fn what_is_slow_is_seen_at_longer_steps() {
        // One in five seconds, counted each two.
        let slow = (0..60).map(|at| (at * 2_000, at * 2 / 5));
        let course = course(slow);
        assert_eq!(course.rise(1).map(|it| it.window.as_secs()), Some(10));
        let rise = course.rise(16).unwrap();
        assert_eq!(rise.window, Duration::from_secs(110));
        assert!((rise.per_second() - 0.2).abs() < 0.02, "{rise:?}");
        assert_eq!(course.rise(100), None);
    }

    /// A flat count takes no room, and any course no more than its bound.
    #[test]
    fn it_is_bounded() {
        let mut course = Course::default();
        for at in 0..100_000u64 {
            course.record(stamp(at * 2_000), at / 7);
            assert!(course.levels.len() <= LEVELS);
        }
        let overall = course.overall(Duration::ZERO, Duration::from_mins(1));
        assert_eq!(overall.map(|it| it.by), Some(4));
        let flat = (0..1_000).map(|at| (at * 2_000, 7));
        let flat = self::course(flat);
        assert_eq!((flat.levels.len(), flat.last()), (1, Some(7)));
        assert_eq!(flat.count_before(Duration::from_secs(1_900)), Some(7));
        assert_eq!(flat.count_before(Duration::from_secs(2_900)), None);
        let more = flat.more_than(Duration::from_mins(1)).unwrap();
        assert_eq!((more.by, more.until(5)), (0, None), "it never is");
    }

    #[test]
    fn a_summary_goes_on_to_the_last_count() {
        let summary = course([(0, 5), (2_000, 9), (4_000, 9), (8_000, 9)]).summary();
        assert_eq!(summary.unwrap().span(), Duration::from_secs(8));
        assert_eq!(Course::default().summary(), None);
    }
}
