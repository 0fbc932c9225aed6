//! A count over time, as a line of eight levels.

use super::page::TextStyle;
use crate::{
    model::series_summary::SeriesSummary,
    output::units::{bytes, duration},
};

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', '.', '-', ':', '=', '+', '*', '#'];

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Things.
    Count,
    /// Memory.
    Bytes,
}

/// `▁▂▃▅▆█  8 to 28 in 9 s`: from the least to the most that there was.
pub(super) fn sparkline(course: &SeriesSummary, unit: Unit, style: TextStyle) -> String {
    let levels = if style.unicode { BLOCKS } else { ASCII };
    let least = course.counts.iter().min().copied().unwrap_or_default();
    let most = course.counts.iter().max().copied().unwrap_or_default();
    let line = course.counts.iter().map(|count| {
        let level = level(count - least, most - least, levels.len() - 1);
        levels.get(level).copied().unwrap_or(' ')
    });
    let line: String = line.collect();
    let said = |count: Option<&u64>| {
        let count = count.copied().unwrap_or_default();
        match unit {
            Unit::Count => count.to_string(),
            Unit::Bytes => bytes(count),
        }
    };
    let (from, to) = (said(course.counts.first()), said(course.counts.last()));
    format!("{line}  {from} to {to} in {}", duration(course.span()))
}

/// Rounded to the nearest; the least and the most are the ends.
fn level(above: u64, range: u64, top: usize) -> usize {
    let level = (above as f64 / range.max(1) as f64 * top as f64).round();
    (level as usize).min(top)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::ids::Stamp;

    fn check(counts: &[u64], unit: Unit, unicode: bool, expected: &str) {
        let course = SeriesSummary {
            from: Stamp(0),
            interval: Duration::from_secs(2),
            counts: counts.to_vec(),
        };
        let style = TextStyle {
            unicode,
            ..TextStyle::default()
        };
        assert_eq!(sparkline(&course, unit, style), expected);
    }

    #[test]
    fn the_least_is_the_lowest_and_the_most_the_highest() {
        use Unit::{Bytes, Count};
        let climb = [8, 9, 10, 11, 12, 13, 14, 15];
        check(&climb, Count, true, "▁▂▃▄▅▆▇█  8 to 15 in 14 s");
        check(&climb, Count, false, "_.-:=+*#  8 to 15 in 14 s");
        check(&[5, 5, 5], Count, true, "▁▁▁  5 to 5 in 4 s");
        check(
            &[0, u64::MAX],
            Count,
            true,
            "▁█  0 to 18446744073709551615 in 2 s",
        );
        check(
            &[4 << 20, 8 << 20, 6 << 20],
            Bytes,
            true,
            "▁█▅  4 MiB to 6 MiB in 4 s",
        );
        check(&[], Count, true, "  0 to 0 in <1 ms");
    }
}
