//! A count over time, in few even steps: what a person sees at one glance.

use std::time::Duration;

use super::ids::Stamp;

/// Most counts of a summary.
pub const STEPS: usize = 32;

/// How many there were, or how many bytes, at evenly spaced times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSummary {
    /// When the first was counted.
    pub from: Stamp,
    /// From one count to the next.
    pub interval: Duration,
    /// Oldest first; the last is the newest there is.
    pub counts: Vec<u64>,
}

impl SeriesSummary {
    /// Of samples at any times, oldest first: at each step the one that is nearest. `None` where
    /// there is no time between the first and the last.
    pub fn of(samples: &[(Stamp, u64)]) -> Option<Self> {
        let (first, _) = *samples.first()?;
        let (last, _) = *samples.last()?;
        let steps = samples.len().min(STEPS);
        let gaps = u32::try_from(steps.checked_sub(1)?).ok()?;
        let span = last.since(first);
        let interval = span.checked_div(gaps)?;
        let at = |step: u32| {
            // Not so many intervals, which are rounded: the last is the last.
            let time = first.after(span.mul_f64(f64::from(step) / f64::from(gaps)));
            let time = if step == gaps { last } else { time };
            nearest(samples, time)
        };
        let counts = (0..=gaps).map(at).collect();
        (!interval.is_zero()).then_some(Self {
            from: first,
            interval,
            counts,
        })
    }

    /// From the first count to the last.
    pub fn span(&self) -> Duration {
        let gaps = self.counts.len().saturating_sub(1);
        self.interval
            .saturating_mul(u32::try_from(gaps).unwrap_or(u32::MAX))
    }
}

/// The count of the sample that is nearest in time: ticks are never quite even.
fn nearest(samples: &[(Stamp, u64)], time: Stamp) -> u64 {
    let behind = samples.partition_point(|(stamp, _)| *stamp <= time);
    let around = samples.get(behind.saturating_sub(1)..).unwrap_or_default();
    let distance = |stamp: Stamp| stamp.since(time).max(time.since(stamp));
    let nearest = around.iter().take(2).min_by_key(|(at, _)| distance(*at));
    nearest.map_or(0, |(_, count)| *count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: u64) -> Stamp {
        Stamp(second * 1_000_000_000)
    }

    #[test]
    fn steps_are_even_and_the_last_is_the_newest() {
        for (samples, interval, counts) in [
            (vec![], None, vec![]),
            (vec![(5, 1)], None, vec![]),
            (vec![(5, 1), (5, 2)], None, vec![]),
            (vec![(5, 1), (7, 2)], Some(2), vec![1, 2]),
            (vec![(0, 1), (1, 2), (4, 3)], Some(2), vec![1, 2, 3]),
            (vec![(0, 1), (9, 2), (10, 3)], Some(5), vec![1, 2, 3]),
        ] {
            let samples: Vec<_> = samples.into_iter().map(|(at, n)| (second(at), n)).collect();
            let summary = SeriesSummary::of(&samples);
            let expected = interval.map(|interval| SeriesSummary {
                from: samples[0].0,
                interval: Duration::from_secs(interval),
                counts,
            });
            assert_eq!(summary, expected, "{samples:?}");
        }
    }

    #[test]
    fn a_long_series_becomes_short_and_keeps_its_ends() {
        let samples: Vec<_> = (0..1_000).map(|at| (second(at), at * 2)).collect();
        let summary = SeriesSummary::of(&samples).unwrap();
        assert_eq!(summary.counts.len(), STEPS);
        assert_eq!(summary.counts.first(), Some(&0));
        assert_eq!(summary.counts.last(), Some(&1_998));
        assert!(summary.counts.is_sorted());
        let missing = summary.span().abs_diff(Duration::from_secs(999));
        assert!(missing < Duration::from_micros(1), "{:?}", summary.span());
    }
}
