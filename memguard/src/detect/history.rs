//! How many survivors a group had before: a bounded series.

use crate::model::{ids::Stamp, series_summary::SeriesSummary};

/// Most samples kept; when full, every other one goes, so that a series covers any time in constant
/// space.
const SAMPLES: usize = 128;

/// Counts over time, oldest first: of survivors, and of everything that is held, which is what they
/// come from.
#[derive(Clone, Debug, Default)]
pub struct History {
    samples: Vec<(Stamp, u64)>,
    totals: Vec<i64>,
    first: Option<Counted>,
    last: Option<Counted>,
}

/// What was held at some moment, however young.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    group: u64,
    total: i64,
}

impl History {
    /// Adds what was counted now. `total` counts those too that are no survivors yet, and those
    /// from before, so that nothing is new that only took the place of another; it may be off by
    /// any constant.
    pub fn record(&mut self, now: Stamp, count: u64, total: i64) {
        if self.samples.len() >= SAMPLES {
            thin(&mut self.samples);
            thin(&mut self.totals);
        }
        self.samples.push((now, count));
        self.totals.push(total);
    }

    /// Counts what is held of the group now, however young, and everything that its process has.
    pub fn count(&mut self, group: u64, total: i64) {
        let counted = Counted { group, total };
        self.first.get_or_insert(counted);
        self.last = Some(counted);
    }

    /// Survivors are none any more; what is held still is counted from the beginning.
    pub fn forget_samples(&mut self) {
        self.samples.clear();
        self.totals.clear();
    }

    /// Whether the total has risen with what is held of the group, since that was counted first, by
    /// half as much at least: what only took the place of others is no pile.
    pub fn rises(&self) -> bool {
        let Some((first, last)) = self.first.zip(self.last) else {
            return false;
        };
        let group = i128::from(last.group) - i128::from(first.group);
        let total = i128::from(last.total) - i128::from(first.total);
        group > 0 && total * 2 >= group
    }

    /// All samples.
    pub fn samples(&self) -> &[(Stamp, u64)] {
        &self.samples
    }

    /// Everything that is held, over time, off by any constant.
    pub fn totals(&self) -> impl Iterator<Item = (Stamp, f64)> + '_ {
        let times = self.samples.iter().map(|(at, _)| *at);
        times.zip(self.totals.iter().map(|total| *total as f64))
    }

    /// In few even steps.
    pub fn summary(&self) -> Option<SeriesSummary> {
        SeriesSummary::of(&self.samples)
    }

    /// Whether the count is still climbing: in the last quarter never below what the first half
    /// ever reached, and above it now; and with it the total, by half as much at least: what
    /// merely grew old is no pile; and in its last three eighths once more at least, or it is full.
    /// `None` before there are eight samples.
    pub fn climbs(&self) -> Option<bool> {
        let samples = &self.samples;
        if samples.len() < 8 {
            return None;
        }
        let (first_half, _) = samples.split_at_checked(samples.len() / 2)?;
        let (_, last_quarter) = samples.split_at_checked(samples.len() - samples.len() / 4)?;
        let peak = first_half.iter().map(|(_, count)| *count).max()?;
        let floor = last_quarter.iter().map(|(_, count)| *count).min()?;
        let now = samples.last().map(|(_, count)| *count)?;
        let (_, recent) = samples.split_at_checked(samples.len() * 5 / 8)?;
        let still = recent.first().is_some_and(|(_, count)| now > *count);
        let rise_of_old = rise(samples, |(_, count)| *count as f64);
        let rise_of_all = rise(&self.totals, |total| *total as f64);
        Some(still && floor >= peak && now > peak && rise_of_all * 2.0 >= rise_of_old)
    }

    /// Handles per second from the first sample to the last, and the time between them in seconds;
    /// `None` before there are four samples.
    pub fn slope(&self) -> Option<(f64, f64)> {
        if self.samples.len() < 4 {
            return None;
        }
        let (from, first) = self.samples.first()?;
        let (to, last) = self.samples.last()?;
        let seconds = to.since(*from).as_secs_f64();
        (seconds > 0.0).then(|| ((*last as f64 - *first as f64) / seconds, seconds))
    }
}

/// Every other one goes.
fn thin<T>(samples: &mut Vec<T>) {
    let mut odd = false;
    samples.retain(|_| {
        odd = !odd;
        odd
    });
}

/// From the mean of the first half to that of the last quarter.
fn rise<T>(samples: &[T], value: impl Fn(&T) -> f64) -> f64 {
    let half = samples.len() / 2;
    let late = samples.len().saturating_sub(samples.len() / 4);
    let mean = |part: &[T]| part.iter().map(&value).sum::<f64>() / part.len().max(1) as f64;
    let parts = samples.get(..half).zip(samples.get(late..));
    parts.map_or(0.0, |(first, last)| mean(last) - mean(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(counts: impl IntoIterator<Item = u64>) -> History {
        let mut history = History::default();
        for (second, count) in counts.into_iter().enumerate() {
            let now = Stamp(second as u64 * 1_000_000_000);
            history.record(now, count, count as i64);
        }
        history
    }

    /// What was held when the first became old goes as fast as they come, or all stay.
    #[test]
    fn what_merely_grows_old_is_no_pile() {
        for (held, expected) in [(100i64, false), (0, true)] {
            let mut history = History::default();
            for second in 0..40u64 {
                let now = Stamp(second * 1_000_000_000);
                let from_before = (held - second as i64).max(0);
                history.record(now, second, second as i64 + from_before);
            }
            assert_eq!(history.climbs(), Some(expected), "{held} from before");
        }
    }

    #[test]
    fn a_pile_climbs_and_a_population_does_not() {
        let sawtooth = (0..40).map(|second| 50 + second % 7);
        for (history, expected, why) in [
            (history(0..4), None, "too early"),
            (history(0..40), Some(true), "a pile"),
            (
                history((0..40).map(|second| second / 10)),
                Some(true),
                "a slow pile",
            ),
            (
                history(std::iter::repeat_n(50, 40)),
                Some(false),
                "constant",
            ),
            (history(sawtooth), Some(false), "turnover"),
            (
                history((0..40).map(|second| second.min(10))),
                Some(false),
                "a plateau",
            ),
        ] {
            assert_eq!(history.climbs(), expected, "{why}");
        }
    }

    #[test]
    fn a_series_is_bounded_and_keeps_its_span() {
        let history = history(0..10_000);
        assert!(history.samples().len() <= SAMPLES);
        let (slope, seconds) = history.slope().unwrap();
        assert!(
            (slope - 1.0).abs() < 1e-9 && seconds > 9_990.0,
            "{slope} over {seconds} s"
        );
    }
}
