//! Does what was told still grow? Judged by the troughs: the least of each third of the time up to
//! now. Teeth of a collector, steps, and a pace that falls leave them rising; a plateau does not.

use std::time::Duration;

use super::series::Point;

/// The time is so many warm-ups at least, and this part of all there is: a third of it must hold a
/// tooth.
const WARM_UPS: u32 = 2;
const PART: f64 = 0.25;
/// Fewest points of a third.
const POINTS: usize = 3;

/// What is looked at, and the least value of each third.
#[derive(Clone, Copy, Debug)]
pub(super) struct Troughs<'a> {
    pub(super) points: &'a [Point],
    least: [f64; 3],
    /// Of a third.
    seconds: f64,
}

impl<'a> Troughs<'a> {
    /// Of the newest of these; `None` where there are too few.
    pub(super) fn of(points: &'a [Point], warm_up: Duration) -> Option<Self> {
        let end = points.last()?.seconds;
        let age = end - points.first()?.seconds;
        let time = (PART * age)
            .max((warm_up * WARM_UPS).as_secs_f64())
            .min(age);
        let start = points.partition_point(|point| point.seconds < end - time);
        let points = points.get(start..)?;
        let third = |index: f64| {
            let until = end - time * (2.0 - index) / 3.0;
            points.partition_point(|point| point.seconds <= until)
        };
        let (first, second) = (third(0.0), third(1.0));
        let thirds = [
            points.get(..first)?,
            points.get(first..second)?,
            points.get(second..)?,
        ];
        thirds.iter().all(|it| POINTS <= it.len()).then(|| Self {
            points,
            least: thirds.map(|it| it.iter().map(|it| it.low).fold(f64::INFINITY, f64::min)),
            seconds: time / 3.0,
        })
    }

    /// From third to third, and lately at this pace at least, in bytes or counts a second.
    pub(super) fn rise(&self, pace: f64) -> bool {
        let [first, second, third] = self.least;
        first < second && second < third && pace * self.seconds <= third - second
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::points, *};

    fn rises(value: impl Fn(f64) -> f64) -> bool {
        let points = points(2.0, (0..60).map(|at| value(f64::from(at))));
        let troughs = Troughs::of(&points, Duration::from_secs(30)).unwrap();
        assert_eq!(troughs.points.len(), 31, "two warm-ups");
        troughs.rise(0.2)
    }

    #[test]
    fn troughs_rise_under_teeth_and_not_on_a_plateau() {
        for (expected, why, value) in [
            (true, "a line", &(|at| at) as &dyn Fn(f64) -> f64),
            (true, "slower and slower", &|at| 100.0 * (at / 60.0).sqrt()),
            (true, "under teeth", &|at| at + 3.0 * (at % 7.0)),
            (true, "steps", &|at| (at / 4.0).floor() * 4.0),
            (false, "teeth alone", &|at| 3.0 * (at % 7.0)),
            (false, "a plateau", &|at| at.min(38.0)),
            (false, "hardly", &|at| at / 10.0),
            (false, "a fall", &|at| if at < 55.0 { at } else { 20.0 }),
        ] {
            assert_eq!(rises(value), expected, "{why}");
        }
    }

    #[test]
    fn too_few_points_say_nothing() {
        let points = points(10.0, (0..8).map(f64::from));
        assert!(Troughs::of(&points, Duration::from_secs(30)).is_none());
        assert!(Troughs::of(&[], Duration::from_secs(30)).is_none());
    }
}
