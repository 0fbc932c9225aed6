//! In what way it grows.

use super::{climb::Bend, series::Point};
pub use crate::model::finding::Shape;

/// The later half of the climb is so many times as fast as the earlier.
const FASTER: f64 = 1.5;
/// Standard errors by which it must be.
const SURE: f64 = 3.0;
/// Changes below this share of a typical step are rest.
const REST: f64 = 0.2;

impl Shape {
    /// Of the samples of a climb.
    pub(super) fn of(points: &[Point]) -> Self {
        if rests(points) {
            return Self::Stepwise;
        }
        match Bend::of(points) {
            Some(bend) if FASTER <= bend.ratio && SURE <= bend.errors => Self::Exponential,
            _ => Self::Linear,
        }
    }
}

/// At least half of the later half's changes are rest. The later half only: an exponential's
/// beginning is rest against its end.
fn rests(points: &[Point]) -> bool {
    let (_, later) = points.split_at(points.len() / 2);
    let changes: Vec<f64> = later
        .windows(2)
        .filter_map(|pair| Some(pair.last()?.low - pair.first()?.low))
        .collect();
    let largest = changes.iter().copied().fold(0.0, f64::max);
    let steps: Vec<f64> = changes
        .iter()
        .copied()
        .filter(|change| largest / 2.0 <= *change)
        .collect();
    let step = steps.iter().sum::<f64>() / steps.len().max(1) as f64;
    let resting = changes
        .iter()
        .filter(|change| change.abs() <= REST * step)
        .count();
    changes.len() <= 2 * resting
}

#[cfg(test)]
mod tests {
    use super::{super::testing::points, *};

    #[test]
    fn shapes_are_named() {
        let wave = |at: f64| (at * 1.7).sin();
        for (expected, value) in [
            (Shape::Linear, &(|at| at * 5.0) as &dyn Fn(f64) -> f64),
            (Shape::Linear, &|at| at * 5.0 + wave(at) * 3.0),
            (Shape::Exponential, &|at| (at / 9.0).exp()),
            (Shape::Exponential, &|at| {
                (at / 9.0).exp() * 100.0 + wave(at)
            }),
            (Shape::Stepwise, &|at| (at / 4.0).floor() * 20.0),
            (Shape::Stepwise, &|at| (at / 4.0).floor() * 20.0 + wave(at)),
        ] {
            for count in [14, 30, 60] {
                let points = points(1.0, (0..count).map(|at| value(f64::from(at))));
                assert_eq!(Shape::of(&points), expected, "{count} points");
            }
        }
    }
}
