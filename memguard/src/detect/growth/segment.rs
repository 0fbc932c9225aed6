//! Where the newest stretch begins that can be judged as one: behind the last fall to below half.
//!
//! A fall from which the series comes back is no new beginning but a sawtooth's tooth, of a garbage
//! collector for example, and does not split. That can only be told later, so a series that just
//! fell is expected to do what it did before: until it is above where it fell from, or has climbed
//! for twice the time that it had before the fall, it does not count as growing.

use super::series::Point;

/// A fall below this share of what was before begins a segment.
const FALL: f64 = 0.5;
/// Back at this share of what was before, the fall was a tooth.
const BACK: f64 = 0.9;
/// Points over which a fall may stretch.
const STEEP: usize = 3;
/// After so many times what the segment before had lasted, its peak no longer matters.
const PATIENCE: f64 = 2.0;

/// The newest segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SeriesSegment {
    /// Index of its first point.
    pub(super) start: usize,
    fell: Option<Fell>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Fell {
    from: f64,
    lasted: f64,
}

impl SeriesSegment {
    pub(super) fn newest(points: &[Point]) -> Self {
        let mut segment = Self {
            start: 0,
            fell: None,
        };
        if stays_above_half(points) {
            return segment;
        }
        for index in 1..points.len() {
            if let Some(from) = fall(points, index)
                && !comes_back(points, index, from)
            {
                segment = segment.followed_by(points, index, from);
            }
        }
        segment
    }

    fn followed_by(self, points: &[Point], start: usize, from: f64) -> Self {
        let seconds = |index: usize| points.get(index).map_or(0.0, |point| point.seconds);
        let fell = match self.fell {
            Some(fell) if start - self.start < STEEP => fell,
            _ => Fell {
                from,
                lasted: seconds(start) - seconds(self.start),
            },
        };
        Self {
            start,
            fell: Some(fell),
        }
    }

    /// What a window of so many seconds must rise above because of what was before the fall.
    pub(super) fn peak(&self, seconds: f64) -> f64 {
        match self.fell {
            Some(fell) if seconds < PATIENCE * fell.lasted => fell.from,
            _ => f64::NEG_INFINITY,
        }
    }
}

/// No point is a fall: most series, most of the time, at the cost of one pass.
fn stays_above_half(points: &[Point]) -> bool {
    let (mut least, mut most) = (f64::INFINITY, 0.0);
    for point in points {
        least = point.high.min(least);
        most = point.high.max(most);
    }
    FALL * most <= least
}

/// The level before, where this point is below half of it.
fn fall(points: &[Point], index: usize) -> Option<f64> {
    let now = points.get(index)?.high;
    let before = points.get(index.saturating_sub(STEEP)..index)?;
    let from = before
        .iter()
        .fold(0.0, |from: f64, point| from.max(point.high));
    (now < FALL * from).then_some(from)
}

fn comes_back(points: &[Point], index: usize, from: f64) -> bool {
    let after = points.get(index..).unwrap_or_default();
    after.iter().any(|point| BACK * from <= point.high)
}

#[cfg(test)]
mod tests {
    use super::{super::testing::points, *};

    fn start(values: impl IntoIterator<Item = f64>) -> usize {
        SeriesSegment::newest(&points(1.0, values)).start
    }

    #[test]
    fn a_fall_splits_and_a_tooth_does_not() {
        let fallen = (0..20).map(|at| if at < 12 { 100.0 } else { 30.0 });
        assert_eq!(
            start(fallen.clone()),
            14,
            "behind the last point that saw the level before"
        );
        assert_eq!(
            start((0..20).map(|at| if at < 12 { 100.0 } else { 60.0 })),
            0
        );
        let teeth = |count: u32| (0..count).map(|at| 20.0 + f64::from(at % 20) * 10.0);
        assert_eq!(start(teeth(60)), 0, "back at the level before");
        assert_eq!(start(teeth(70)), 62, "not yet");
        assert_eq!(start(teeth(79)), 0, "nearly");
        let segment = SeriesSegment::newest(&points(1.0, fallen));
        assert_eq!(
            (segment.peak(10.0), segment.peak(24.0)),
            (100.0, f64::NEG_INFINITY)
        );
    }
}
