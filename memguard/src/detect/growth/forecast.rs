//! When the nearest ceiling is reached.

use std::time::Duration;

use super::Growth;
use crate::model::memory::{Ceiling, Forecast};

/// Times beyond are no forecast but fiction, and no ceiling is near.
const HORIZON: Duration = Duration::from_hours(24 * 365);

/// Of the ceilings the one that is reached first at the growth's slope; `None` where none is within
/// a year. A ceiling that does not limit anything is not to be given.
pub fn nearest(growth: &Growth, ceilings: &[Ceiling]) -> Option<Forecast> {
    ceilings
        .iter()
        .filter_map(|ceiling| reached(growth, *ceiling))
        .min_by_key(|forecast| forecast.after)
}

fn reached(growth: &Growth, ceiling: Ceiling) -> Option<Forecast> {
    let left = ceiling.value.saturating_sub(ceiling.used) as f64;
    Some(Forecast {
        ceiling,
        after: after(left, growth.slope_per_second)?,
        earliest: after(left, growth.high)?,
        latest: after(left, growth.low),
    })
}

fn after(left: f64, slope: f64) -> Option<Duration> {
    let duration = Duration::try_from_secs_f64(left / slope).ok()?;
    (0.0 < slope && duration <= HORIZON).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::{super::testing::growth, *};

    fn ceiling(name: &'static str, value: u64, used: u64) -> Ceiling {
        Ceiling { name, value, used }
    }

    #[test]
    fn the_nearest_is_told_with_its_uncertainty() {
        let ceilings = [
            ceiling("MemTotal", 1_000_000, 400_000),
            ceiling("memory.max", 1_000, 400),
            ceiling("RLIMIT_AS", u64::MAX / 2, 0),
        ];
        let forecast = nearest(&growth(2.0, 1.0, 3.0), &ceilings).unwrap();
        assert_eq!(forecast.ceiling.name, "memory.max");
        assert_eq!(forecast.after, Duration::from_mins(5));
        assert_eq!(forecast.earliest, Duration::from_secs(200));
        assert_eq!(forecast.latest, Some(Duration::from_mins(10)));
    }

    #[test]
    fn what_cannot_be_told_is_not() {
        let near = [ceiling("memory.max", 1_000, 400)];
        assert_eq!(
            nearest(&growth(2.0, -1.0, 3.0), &near).unwrap().latest,
            None
        );
        assert_eq!(nearest(&growth(0.0, 0.0, 0.0), &near), None);
        assert_eq!(nearest(&growth(-1.0, -2.0, 0.0), &near), None);
        assert_eq!(nearest(&growth(f64::NAN, f64::NAN, f64::NAN), &near), None);
        assert_eq!(nearest(&growth(1.0, 1.0, 1.0), &[]), None);
        let over = nearest(
            &growth(1.0, 1.0, 1.0),
            &[ceiling("memory.max", 1_000, 2_000)],
        )
        .unwrap();
        assert_eq!(over.after, Duration::ZERO);
    }
}
