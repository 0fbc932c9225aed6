//! How soon a verdict comes: seconds from when memguard was there and the first handle was lost,
//! whichever was later.

use super::truth::is_so;
use crate::{finding::Finding, memory::Said};

/// Seconds to the first right line of each verdict; `None` where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VerdictTimes {
    /// To `suspect`, or to `leak` where that comes first: it says as much and more.
    pub suspect: Option<f64>,
    /// To `leak`, or to `growth` where the size of the process is what grows.
    pub leak: Option<f64>,
    /// To `exhaustion`.
    pub exhaustion: Option<f64>,
}

impl VerdictTimes {
    /// Of what is told of a workload; `zero` is in seconds since 1970.
    pub fn of(findings: &[Finding<'_>], said: &Said, zero: f64) -> Self {
        let first = |verdict: &str| {
            let right = findings.iter().filter(|finding| {
                finding.verdict() == verdict && !finding.is_resolved() && is_so(**finding, said)
            });
            let times = right.map(|finding| (finding.written_at() - zero).max(0.0));
            times.reduce(f64::min)
        };
        let (suspect, leak) = (first("suspect"), first("leak").or_else(|| first("growth")));
        let earliest = suspect.into_iter().chain(leak).reduce(f64::min);
        Self {
            suspect: earliest,
            leak,
            exhaustion: first("exhaustion"),
        }
    }
}

/// The one in the middle, the lower of two. What never came counts as later than all others.
pub fn median(times: &[Option<f64>]) -> Option<f64> {
    let mut times: Vec<_> = times.iter().map(|it| it.unwrap_or(f64::INFINITY)).collect();
    times.sort_unstable_by(f64::total_cmp);
    let middle = times.get(times.len().saturating_sub(1) / 2).copied();
    middle.filter(|time| time.is_finite())
}

/// The last one; `None` where one never came, or there is none at all.
pub fn latest(times: &[Option<f64>]) -> Option<f64> {
    let all: Option<Vec<f64>> = times.iter().copied().collect();
    all?.into_iter().reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{VerdictTimes, latest, median};
    use crate::{finding::Finding, memory::Said};

    fn line(verdict: &str, kind: &str, second: u64) -> Value {
        let finding = json!({"id": "a", "verdict": verdict, "resource": "fd", "kind": kind,
            "open_count": 3, "state": "updated", "limit": {"name": "RLIMIT_NOFILE"}});
        json!({"event_name": "memguard.finding.updated", "process": {"pid": 7},
            "timestamp": format!("1970-01-01T00:00:{second:02}Z"),
            "memguard": {"finding": finding}})
    }

    fn times(lines: &[Value]) -> VerdictTimes {
        let findings: Vec<_> = lines.iter().map(Finding).collect();
        VerdictTimes::of(&findings, &Said::of("finds 7 leak fd file 9 * *\n"), 10.0)
    }

    /// The first right line counts; wrong kinds do not, and a leak stands for a suspicion.
    #[test]
    fn the_first_right_line_counts() {
        let all = [
            line("suspect", "pipe", 11),
            line("exhaustion", "file", 14),
            line("suspect", "file", 22),
            line("suspect", "file", 30),
            line("leak", "file", 40),
            line("leak", "file", 50),
        ];
        let expected = VerdictTimes {
            suspect: Some(12.0),
            leak: Some(30.0),
            exhaustion: Some(4.0),
        };
        assert_eq!(times(&all), expected);
        let at_once = times(&[line("leak", "file", 25), line("suspect", "file", 26)]);
        assert_eq!((at_once.suspect, at_once.leak), (Some(15.0), Some(15.0)));
        assert_eq!(times(&[line("aged", "file", 25)]), VerdictTimes::default());
    }

    #[test]
    fn what_never_came_is_late() {
        assert_eq!(median(&[Some(3.0), Some(1.0), None]), Some(3.0));
        assert_eq!(median(&[Some(3.0), None, None]), None);
        assert_eq!(median(&[Some(4.0), Some(2.0)]), Some(2.0));
        assert_eq!(median(&[]), None);
        assert_eq!(latest(&[Some(3.0), Some(4.0)]), Some(4.0));
        assert_eq!(latest(&[Some(3.0), None]), None);
        assert_eq!(latest(&[]), None);
    }
}
