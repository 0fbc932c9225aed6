//! How sure a finding is, and how loud to be about it: one formula for each.
//!
//! Both take nothing but what the finding itself carries, so that whoever reads its JSON can work
//! them out again.

use std::time::Duration;

use crate::model::{
    finding::{Finding, Limit, Severity, Trend, Verdict},
    link_target::connection,
};

/// Age alone is right less often than not: configuration, logs, caches and idle connections look
/// alike.
const AGE: f64 = 0.3;
/// What is not excluded yet may explain it.
const SUSPICION: f64 = 0.75;
/// What lost events may have made up, or changed, or what the kernel did not confirm.
const INCONCLUSIVE: f64 = 0.5;

/// From 0 to 1.
///
/// | verdict | confidence |
/// |---|---|
/// | `leak` of handles and mappings | 0.3 + (0.97 − 0.27·e^(−n/5) − 0.3) · n / (n + k) |
/// | `growth` | (1 − p) · (1 − ½ · (r / rise)²) |
/// | `leak` of what is judged by its number | 1 − p |
/// | `left`, `inherited`, `exhaustion`, `hoard` (which accuse nobody) | 1 |
/// | `suspect` | as `leak`, 0.75 at most |
/// | `aged`, `cleared` | 0.3 |
///
/// with *n* = `late_count`, *k* = `lives.outlived`, *p* = `growth.trend.p_value`,
/// *r* = `growth.trend.first_ramp` and *rise* = `open_bytes` − `growth.trend.baseline`: it grows
/// with the number of survivors, and falls with every one that was as old as they are and released
/// after all; and of what grows, it is the less the nearer that is to a first ramp. Then times 0.8
/// where not every handle was verified (0.5 at an exit), and times 0.5 where events were lost.
pub fn confidence(finding: &Finding) -> f64 {
    let conclusive = finding.evidence.conclusive();
    certainty(finding) * if conclusive { 1.0 } else { INCONCLUSIVE }
}

fn certainty(finding: &Finding) -> f64 {
    let trend = finding.growth.and_then(|growth| growth.trend);
    match (finding.verdict, trend) {
        (Verdict::Leak | Verdict::Growth, Some(trend)) => {
            (1.0 - trend.p_value.clamp(0.0, 1.0)) * beyond_ramp(finding, trend)
        }
        (Verdict::Leak | Verdict::Growth, None) => piled_up(finding),
        (Verdict::Left | Verdict::Inherited | Verdict::Exhaustion | Verdict::Hoard, _) => 1.0,
        (Verdict::Suspect, _) => piled_up(finding).min(SUSPICION),
        (Verdict::Aged | Verdict::Cleared, _) => AGE,
    }
}

/// From ½, where it has grown by no more than a first ramp.
fn beyond_ramp(finding: &Finding, trend: Trend) -> f64 {
    let rise = finding
        .open_bytes
        .unwrap_or(0)
        .saturating_sub(trend.baseline);
    let ramp = trend.first_ramp as f64 / rise.max(1) as f64;
    1.0 - 0.5 * ramp.min(1.0).powi(2)
}

fn piled_up(finding: &Finding) -> f64 {
    let survivors = finding.late_count as f64;
    let outlived = finding.lives.map_or(0, |lives| lives.outlived) as f64;
    let by_number = 0.97 - 0.27 * (-survivors / 5.0).exp();
    let stay = survivors / (survivors + outlived).max(1.0);
    AGE + (by_number - AGE) * stay
}

/// Below it a suspicion is told like a fact that may mean nothing.
const DOUBTFUL: f64 = 0.5;
/// From it on it may be an emergency.
const SURE: f64 = 0.8;
/// A limit that a leak reaches this soon is one.
const SOON: Duration = Duration::from_hours(1);
/// Of an exhaustion, which may be of a burst, it must be sooner.
const SOONER: Duration = Duration::from_mins(10);
/// So much of a limit in use is one, in percent.
const NEARLY_ALL: u64 = 90;

/// How loud.
///
/// | | severity |
/// |---|---|
/// | `aged`, `left`, `inherited`, `cleared`, `suspect`; anything below a confidence of 0.5 | `INFO` |
/// | `hoard`, but for `WARN` of sockets in `CLOSE_WAIT`: nobody but the process can close them | `INFO` |
/// | `exhaustion` below half of its limit | `INFO` |
/// | `leak`, `growth`, `exhaustion` | `WARN` |
/// | `leak`, `growth` from 0.8 on, and critical, or the limit reached within an hour, or 90 % in use | `ERROR` |
/// | `exhaustion` with 90 % in use, or the limit reached within ten minutes | `ERROR` |
///
/// Critical is memory that is faster or larger than `--growth-critical` and `--rss-critical`
/// (`growth.trend.critical`).
pub fn severity(finding: &Finding) -> Severity {
    let suspicion = match finding.verdict {
        Verdict::Leak | Verdict::Growth => true,
        Verdict::Exhaustion => finding.limit.as_ref().is_some_and(Limit::is_half_used),
        Verdict::Hoard => is_half_closed(finding),
        _ => false,
    };
    let confidence = confidence(finding);
    if !suspicion || confidence < DOUBTFUL {
        return Severity::Info;
    }
    let trend = finding.growth.and_then(|growth| growth.trend);
    let critical = trend.is_some_and(|trend| trend.critical);
    let soon = if finding.verdict == Verdict::Exhaustion {
        SOONER
    } else {
        SOON
    };
    let near = finding.limit.is_some_and(|limit| is_near(&limit, soon));
    if confidence >= SURE && (critical || near) {
        Severity::Error
    } else {
        Severity::Warn
    }
}

/// The peers have closed.
fn is_half_closed(finding: &Finding) -> bool {
    let mut targets = finding.samples.iter().filter_map(|it| it.target.as_deref());
    let states = targets.next().and_then(connection);
    states.is_some_and(|(_, state)| state == "CLOSE_WAIT")
}

fn is_near(limit: &Limit, soon: Duration) -> bool {
    let used = u128::from(limit.used) * 100;
    let nearly_all = used >= u128::from(limit.value) * u128::from(NEARLY_ALL);
    nearly_all || limit.exhausted_in.is_some_and(|left| left <= soon)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        finding::{Doubt, Growth, Handle, LifetimeStats, Moment, Sample, Shape, Trend},
        testing,
    };

    fn lives(outlived: u64) -> LifetimeStats {
        let [min, median, p99] = [1, 2, 3].map(Duration::from_secs);
        LifetimeStats {
            count: 100,
            min,
            median,
            p99,
            outlived,
        }
    }

    fn trend(p_value: f64, critical: bool) -> Growth {
        let trend = Trend {
            low: 1.0,
            high: 2.0,
            p_value,
            shape: Shape::Linear,
            samples: 30,
            baseline: 10,
            first_ramp: 0,
            critical,
        };
        Growth {
            slope_per_second: 1.5,
            window: Duration::from_mins(1),
            trend: Some(trend),
        }
    }

    fn piled(late_count: u64, outlived: u64) -> Finding {
        Finding {
            late_count,
            lives: Some(lives(outlived)),
            ..testing::finding(Verdict::Leak, late_count)
        }
    }

    /// With a rise of twenty.
    fn ramping(grown: &Finding, first_ramp: u64) -> Finding {
        let mut finding = Finding {
            open_bytes: Some(30),
            ..grown.clone()
        };
        let trend = finding.growth.as_mut().and_then(|it| it.trend.as_mut());
        trend.unwrap().first_ramp = first_ramp;
        finding
    }

    fn doubted(mut finding: Finding) -> Finding {
        finding.evidence.reasons.push(Doubt::EventsLost(3));
        finding
    }

    fn at_exit(finding: Finding) -> Finding {
        Finding {
            moment: Moment::Exit,
            ..finding
        }
    }

    #[test]
    fn confidence_is_what_its_table_says() {
        let of = |verdict| testing::finding(verdict, 20);
        let grown = Finding {
            growth: Some(trend(0.0004, false)),
            ..of(Verdict::Growth)
        };
        for (finding, expected, why) in [
            (piled(1, 0), 0.749, "one survivor"),
            (piled(7, 0), 0.903, "seven"),
            (piled(50, 0), 0.970, "fifty"),
            (piled(7, 7), 0.602, "as many were released after all"),
            (piled(7, 700), 0.306, "nearly all were"),
            (doubted(piled(7, 0)), 0.452, "events were lost"),
            (at_exit(piled(7, 0)), 0.903, "at the exit"),
            (grown.clone(), 0.9996, "by its statistics"),
            (doubted(grown.clone()), 0.4998, "which are doubted"),
            (ramping(&grown, 20), 0.5, "hardly beyond a first ramp"),
            (ramping(&grown, 10), 0.875, "twice as far"),
            (ramping(&grown, 40), 0.5, "a ramp that is longer"),
            (at_exit(of(Verdict::Left)), 1.0, "the kernel's own table"),
            (at_exit(doubted(of(Verdict::Left))), 0.5, "which was lost"),
            (of(Verdict::Aged), 0.3, "age alone"),
            (of(Verdict::Cleared), 0.3, "piled up once"),
            (piled(0, 0), 0.3, "nothing came late"),
        ] {
            let got = confidence(&finding);
            assert!(
                (got - expected).abs() < 0.001,
                "{why}: {got}, not {expected}"
            );
        }
    }

    fn heading_for(used: u64, seconds: Option<u64>, finding: Finding) -> Finding {
        let limit = Limit {
            name: "RLIMIT_NOFILE",
            value: 1_000,
            used,
            exhausted_in: seconds.map(Duration::from_secs),
            uncertainty: None,
        };
        Finding {
            limit: Some(limit),
            ..finding
        }
    }

    fn connected(target: &str) -> Finding {
        let sample = Sample {
            handle: Handle::Descriptor(9),
            acquired_at: None,
            age: None,
            call: None,
            target: Some(target.to_owned()),
        };
        Finding {
            samples: vec![sample],
            ..testing::finding(Verdict::Hoard, 40)
        }
    }

    #[test]
    fn severity_is_what_its_table_says() {
        use Severity::{Error, Info, Warn};
        let of = |verdict| testing::finding(verdict, 20);
        let growth = |critical| Finding {
            growth: Some(trend(0.001, critical)),
            ..of(Verdict::Growth)
        };
        for (finding, expected, why) in [
            (of(Verdict::Aged), Info, "age alone"),
            (at_exit(of(Verdict::Left)), Info, "left"),
            (
                heading_for(990, None, of(Verdict::Aged)),
                Info,
                "whatever the limit",
            ),
            (piled(7, 0), Warn, "a leak"),
            (piled(7, 50), Info, "a doubtful one"),
            (doubted(piled(50, 0)), Info, "an inconclusive one"),
            (
                heading_for(100, Some(3_601), piled(7, 0)),
                Warn,
                "in more than an hour",
            ),
            (
                heading_for(100, Some(3_600), piled(7, 0)),
                Error,
                "within the hour",
            ),
            (
                heading_for(900, None, piled(7, 0)),
                Error,
                "nearly all in use",
            ),
            (heading_for(900, None, piled(1, 0)), Warn, "not sure enough"),
            (
                heading_for(499, Some(1), of(Verdict::Exhaustion)),
                Info,
                "an exhaustion below half of its limit",
            ),
            (
                heading_for(500, Some(601), of(Verdict::Exhaustion)),
                Warn,
                "half in use",
            ),
            (
                heading_for(500, Some(600), of(Verdict::Exhaustion)),
                Error,
                "and full within ten minutes",
            ),
            (
                heading_for(900, None, of(Verdict::Exhaustion)),
                Error,
                "nearly full",
            ),
            (of(Verdict::Hoard), Info, "files of before"),
            (
                connected("tcp # -> 10.0.0.9:80 ESTABLISHED"),
                Info,
                "connections of before",
            ),
            (
                connected("tcp # -> 10.0.0.9:80 CLOSE_WAIT"),
                Warn,
                "that nobody else can close",
            ),
            (growth(false), Warn, "growth"),
            (growth(true), Error, "critical growth"),
            (doubted(growth(true)), Info, "an inconclusive one"),
        ] {
            assert_eq!(severity(&finding), expected, "{why}");
        }
    }
}
