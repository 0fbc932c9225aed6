//! Times of the output: RFC 3339 in UTC, as `2026-11-20T22:08:50.123456789Z`.

use std::{
    str::Split,
    time::{SystemTime, UNIX_EPOCH},
};

/// Seconds since 1970 of an RFC 3339 time in UTC.
///
/// # Panics
///
/// When `time` has another form: the contract allows only this one.
pub fn unix_seconds(time: &str) -> f64 {
    parse(time).unwrap_or_else(|| panic!("{time:?} is no RFC 3339 time in UTC"))
}

/// Now, in seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

fn parse(time: &str) -> Option<f64> {
    let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = three(date.split('-'))?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = three(clock.split(':'))?;
    let fraction: f64 = format!("0.{fraction}").parse().ok()?;
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds as f64 + fraction)
}

fn three(mut parts: Split<'_, char>) -> Option<[i64; 3]> {
    let mut next = || parts.next()?.parse().ok();
    let three = [next()?, next()?, next()?];
    parts.next().is_none().then_some(three)
}

/// Days from 1970-01-01 in the Gregorian calendar, counting years from March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::{parse, unix_seconds};

    /// Known instants, leap days and both ends of a year.
    #[test]
    fn reads_known_times() {
        let check = |time: &str, expected: f64| {
            assert!((unix_seconds(time) - expected).abs() < 1e-6, "{time}");
        };
        check("1970-01-01T00:00:00Z", 0.0);
        check("2000-02-29T12:00:00.5Z", 951_825_600.5);
        check("2001-09-09T01:46:40.000000000Z", 1_000_000_000.0);
        check("2026-11-20T22:08:50.123456789Z", 1_795_212_530.123_456_8);
        check("2024-12-31T23:59:59Z", 1_735_689_599.0);
    }

    /// Other forms are no times.
    #[test]
    fn refuses_other_forms() {
        for time in [
            "",
            "2026-11-20",
            "2026-11-20T22:08:50",
            "2026-11-20T22:08Z",
            "1795212530",
        ] {
            assert_eq!(parse(time), None, "{time}");
        }
    }
}
