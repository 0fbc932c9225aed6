//! Sizes over time in bounded space: the newest samples as they are, older ones in buckets.
//!
//! At most [`RECENT`] samples and [`OLD`] buckets, 12 bytes each: 1.5 KiB however long it runs. The
//! buckets are all of one width, which doubles whenever there are too many of them, so that the
//! whole time stays evenly covered. Each keeps the least and the most that was seen: a sawtooth's
//! valleys and peaks survive the thinning, its phase does not matter.

use std::{collections::VecDeque, time::Duration};

use crate::model::{ids::Stamp, series_summary::SeriesSummary};

/// Newest samples that are kept as they are.
pub const RECENT: usize = 64;
/// Buckets for older ones.
pub const OLD: usize = 64;
/// Times are kept to 10 ms: 497 days in 32 bits.
const TICK_NANOSECONDS: u128 = 10_000_000;
const TICKS_PER_SECOND: f64 = 100.0;

/// One sample, or a bucket of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When the least was seen, since the first sample.
    pub seconds: f64,
    /// The least.
    pub low: f64,
    /// The most; the same as the least where it is one sample.
    pub high: f64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    tick: u32,
    low: u32,
    high: u32,
}

impl Entry {
    fn and(self, other: Self) -> Self {
        let lower = if other.low < self.low { other } else { self };
        Self {
            high: self.high.max(other.high),
            ..lower
        }
    }
}

/// Samples of one quantity, oldest first.
#[derive(Clone, Debug)]
pub struct Series {
    unit: u32,
    first: Option<Stamp>,
    /// Samples to a bucket, and how many of them the newest bucket has.
    width: u32,
    filled: u32,
    old: Vec<Entry>,
    recent: VecDeque<Entry>,
}

impl Series {
    /// Of bytes, which are kept to within 1 KiB below, up to 4 TiB.
    pub fn of_bytes() -> Self {
        Self::in_units_of(1024)
    }

    /// Of a count, which is kept exactly, up to 2^32 − 1.
    pub fn of_counts() -> Self {
        Self::in_units_of(1)
    }

    fn in_units_of(unit: u32) -> Self {
        Self {
            unit,
            first: None,
            width: 1,
            filled: 0,
            old: Vec::new(),
            recent: VecDeque::new(),
        }
    }

    /// Adds what was measured now; a sample that is not newer than the last is ignored. A series
    /// that is older than its clock can tell begins anew.
    pub fn record(&mut self, now: Stamp, value: u64) {
        let first = *self.first.get_or_insert(now);
        let Ok(tick) = u32::try_from(now.since(first).as_nanos() / TICK_NANOSECONDS) else {
            self.clear();
            return self.record(now, value);
        };
        if self.recent.back().is_some_and(|last| tick <= last.tick) {
            return;
        }
        let value = u32::try_from(value / u64::from(self.unit)).unwrap_or(u32::MAX);
        if self.recent.len() == RECENT
            && let Some(oldest) = self.recent.pop_front()
        {
            self.retire(oldest);
        }
        self.recent.push_back(Entry {
            tick,
            low: value,
            high: value,
        });
    }

    fn retire(&mut self, entry: Entry) {
        match self.old.last_mut() {
            Some(bucket) if self.filled < self.width => {
                *bucket = bucket.and(entry);
                self.filled += 1;
            }
            _ => {
                if self.old.len() == OLD {
                    self.widen();
                }
                self.old.push(entry);
                self.filled = 1;
            }
        }
    }

    fn widen(&mut self) {
        let mut merged = 0;
        for index in 0..self.old.len() / 2 {
            if let (Some(one), Some(other)) = (self.old.get(2 * index), self.old.get(2 * index + 1))
            {
                let both = one.and(*other);
                if let Some(slot) = self.old.get_mut(index) {
                    *slot = both;
                    merged += 1;
                }
            }
        }
        self.old.truncate(merged);
        self.width = self.width.saturating_mul(2);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::in_units_of(self.unit);
    }

    /// What is kept, oldest first.
    pub fn points(&self) -> impl Iterator<Item = Point> + '_ {
        let unit = f64::from(self.unit);
        self.old.iter().chain(&self.recent).map(move |entry| Point {
            seconds: f64::from(entry.tick) / TICKS_PER_SECOND,
            low: f64::from(entry.low) * unit,
            high: f64::from(entry.high) * unit,
        })
    }

    /// What is kept with its times, oldest first; of a bucket its least.
    pub fn samples(&self) -> impl Iterator<Item = (Stamp, f64)> + '_ {
        let first = self.first.unwrap_or(Stamp(0));
        let at = move |point: &Point| first.after(Duration::from_secs_f64(point.seconds));
        self.points().map(move |point| (at(&point), point.low))
    }

    /// In few even steps; of a bucket its most.
    pub fn summary(&self) -> Option<SeriesSummary> {
        let first = self.first?;
        let sample = |point: Point| {
            let at = first.after(Duration::from_secs_f64(point.seconds));
            (at, point.high as u64)
        };
        let samples: Vec<_> = self.points().map(sample).collect();
        SeriesSummary::of(&samples)
    }

    /// Samples and buckets.
    pub fn len(&self) -> usize {
        self.old.len() + self.recent.len()
    }

    /// Nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// From the first sample to the last.
    pub fn span(&self) -> Duration {
        let ticks = self.recent.back().map_or(0, |last| last.tick);
        Duration::from_secs_f64(f64::from(ticks) / TICKS_PER_SECOND)
    }

    /// Memory that the series itself takes, in bytes.
    pub fn bytes(&self) -> usize {
        let entries = self.old.capacity() + self.recent.capacity();
        size_of::<Self>() + entries * size_of::<Entry>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: u64) -> Stamp {
        Stamp(7_000_000_000 + second * 1_000_000_000)
    }

    #[test]
    fn it_is_bounded_and_covers_the_whole_time_evenly() {
        let mut series = Series::of_bytes();
        assert!(series.bytes() < 200, "lazily allocated");
        for at in 0..200_000 {
            series.record(second(at), at * 4096);
            assert!(series.bytes() <= 2048, "{} bytes at {at}", series.bytes());
        }
        let points: Vec<_> = series.points().collect();
        let gap = points
            .windows(2)
            .map(|pair| pair[1].seconds - pair[0].seconds);
        let widest = gap.fold(0.0, f64::max);
        println!(
            "{} points, {} bytes, widest gap {widest} s of {:?}",
            points.len(),
            series.bytes(),
            series.span()
        );
        assert!(RECENT + OLD / 2 <= points.len() && widest <= 200_000.0 / (OLD / 2) as f64 + 1.0);
        assert!(
            points
                .iter()
                .all(|point| (point.low - point.seconds * 4096.0).abs() < 1024.0)
        );
        let exact = points.iter().rev().take(RECENT);
        assert!(
            exact
                .zip((0..200_000u64).rev())
                .all(|(point, at)| (point.seconds - at as f64).abs() < 0.01)
        );
    }

    #[test]
    fn valleys_and_peaks_survive() {
        let mut series = Series::of_counts();
        for at in 0..5_000 {
            let value = if at == 137 {
                3
            } else if at == 1_000 {
                99
            } else {
                50
            };
            series.record(second(at), value);
        }
        let low = series
            .points()
            .fold(f64::MAX, |low, point| low.min(point.low));
        let high = series
            .points()
            .fold(0.0f64, |high, point| high.max(point.high));
        assert_eq!((low, high), (3.0, 99.0));
    }

    #[test]
    fn what_cannot_be_is_ignored() {
        let mut series = Series::of_counts();
        series.record(second(5), 1);
        series.record(second(5), 2);
        series.record(second(4), 3);
        assert_eq!(series.len(), 1);
        series.record(second(6), u64::MAX);
        assert_eq!(
            series.points().last().map(|point| point.high),
            Some(4_294_967_295.0)
        );
        series.record(second(600 * 86_400), 4);
        assert_eq!((series.len(), series.span()), (1, Duration::ZERO));
    }
}
