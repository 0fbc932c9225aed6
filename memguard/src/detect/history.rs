//! How many survivors a group had before: a bounded series.

use crate::model::{course::Course, ids::Stamp};

/// Most samples kept; when full, every other one goes, so that a series covers any time in constant
/// space.
const SAMPLES: usize = 128;

/// Counts over time, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    samples: Vec<(Stamp, u64)>,
}

impl History {
    /// Adds what was counted now.
    pub fn record(&mut self, now: Stamp, count: u64) {
        if self.samples.len() >= SAMPLES {
            let mut odd = false;
            self.samples.retain(|_| {
                odd = !odd;
                odd
            });
        }
        self.samples.push((now, count));
    }

    /// All samples.
    pub fn samples(&self) -> &[(Stamp, u64)] {
        &self.samples
    }

    /// In few even steps.
    pub fn course(&self) -> Option<Course> {
        Course::of(&self.samples)
    }

    /// Whether the count is still climbing: in the last quarter never below what the first half
    /// ever reached, and above it now. `None` before there are eight samples.
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
        Some(floor >= peak && now > peak)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn history(counts: impl IntoIterator<Item = u64>) -> History {
        let mut history = History::default();
        for (second, count) in counts.into_iter().enumerate() {
            history.record(Stamp(second as u64 * 1_000_000_000), count);
        }
        history
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
