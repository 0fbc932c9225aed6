//! Durations, sizes and counts as people read them.

use std::time::Duration;

/// `<1 ms`, `340 ms`, `12.3 s`, `66 s`, `3 min`, `2 h 5 min`, `3 d 4 h`; rounded down above a
/// minute.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let minutes = seconds / 60;
    let hours = minutes / 60;
    match seconds {
        0 if duration.as_millis() == 0 => "<1 ms".to_owned(),
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{} s", one_decimal(duration.as_secs_f64())),
        60..120 => format!("{seconds} s"),
        120..3_600 => format!("{minutes} min"),
        3_600..86_400 => pair((hours, "h"), (minutes % 60, "min")),
        _ => pair((hours / 24, "d"), (hours % 24, "h")),
    }
}

/// `512 B`, `4.6 MiB`, `31 MiB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while size >= 1023.5
        && let Some(larger) = units.next()
    {
        size /= 1024.0;
        unit = Some(larger);
    }
    let number = if size < 9.95 {
        one_decimal(size)
    } else {
        format!("{size:.0}")
    };
    format!("{number} {}", unit.copied().unwrap_or_default())
}

/// `1 leak`, `2 leaks`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn one_decimal(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0")
        .map_or_else(|| text.clone(), str::to_owned)
}

fn pair((large, large_unit): (u64, &str), (small, small_unit): (u64, &str)) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (milliseconds, expected) in [
            (0, "<1 ms"),
            (1, "1 ms"),
            (340, "340 ms"),
            (1_000, "1 s"),
            (12_345, "12.3 s"),
            (59_990, "60 s"),
            (66_200, "66 s"),
            (119_999, "119 s"),
            (185_000, "3 min"),
            (7_500_000, "2 h 5 min"),
            (7_200_000, "2 h"),
            (100 * 3_600_000, "4 d 4 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), expected);
        }
    }

    #[test]
    fn sizes() {
        for (size, expected) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1 KiB"),
            (10 << 10, "10 KiB"),
            ((1 << 20) - 1, "1 MiB"),
            (4_823_450, "4.6 MiB"),
            (31 << 20, "31 MiB"),
            (5 << 30, "5 GiB"),
            (u64::MAX, "16384 PiB"),
        ] {
            assert_eq!(bytes(size), expected);
        }
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(count(1, "leak", "leaks"), "1 leak");
        assert_eq!(count(0, "leak", "leaks"), "0 leaks");
    }
}
