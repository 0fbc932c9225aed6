//! What is required of memguard's verdicts at default options, and what came of it.

use super::{
    Claim, Outcome, Report, Row, calibration,
    calibration::Bin,
    verdict_times::{latest, median},
};

/// Leaks of so many handles a second are those that are timed.
const FAST: f64 = 1.0;
/// Seconds to `suspect`, in the middle.
const TO_SUSPECT: f64 = 15.0;
/// Seconds to `leak`, in the middle, where the place closes most within milliseconds.
const TO_YOUNG_LEAK: f64 = 60.0;
/// Seconds to `leak` in any case.
const TO_ANY_LEAK: f64 = 240.0;
/// Workloads of each kind.
const LEAKING: usize = 60;
const HEALTHY: usize = 80;
/// The share of healthy workloads that may be suspected after they have given something back.
const SUSPECTED: f64 = 0.03;
/// Lines that there have to be of great confidence, and the share of them that has to be so.
const SURE_LINES: usize = 40;
const SURE: f64 = 0.95;
/// The share of lines of little confidence that has to be so.
const UNSURE: f64 = 0.5;

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What is measured.
    pub what: String,
    /// What it has to be.
    pub required: String,
    /// What it is.
    pub measured: String,
    /// Whether that is enough.
    pub passes: bool,
}

impl Figure {
    fn new(what: &str, required: String, measured: String, passes: bool) -> Self {
        Self {
            what: what.to_owned(),
            required,
            measured,
            passes,
        }
    }

    /// Seconds; what never came is late.
    fn time(what: &str, most: f64, measured: Option<f64>, of: usize) -> Self {
        let said = measured.map_or_else(|| "never".to_owned(), |time| format!("{time:.1} s"));
        let passes = measured.is_some_and(|time| time <= most);
        let (required, measured) = (format!("≤ {most:.0} s"), format!("{said}, of {of}"));
        Self::new(what, required, measured, passes)
    }

    fn at_least(what: &str, least: usize, measured: usize) -> Self {
        let (required, said) = (format!("≥ {least}"), measured.to_string());
        Self::new(what, required, said, measured >= least)
    }

    /// There may be none of these.
    pub(super) fn none(what: &str, measured: &[&str]) -> Self {
        let said = match measured {
            [] => "none".to_owned(),
            names => format!("{}: {}", names.len(), names.join(", ")),
        };
        Self::new(what, "none".to_owned(), said, measured.is_empty())
    }
}

/// All of them, of a run at default options and of the claims of all runs.
pub fn figures(report: &Report, claims: &[Claim]) -> Vec<Figure> {
    let healthy = report.healthy().count();
    let mut all = vec![
        Figure::at_least("leaking workloads", LEAKING, report.leaking()),
        Figure::at_least("healthy workloads", HEALTHY, healthy),
    ];
    all.extend(times(report));
    all.extend(false_verdicts(report, healthy));
    all.extend(calibrations(claims));
    all
}

fn times(report: &Report) -> Vec<Figure> {
    let is_fast = |row: &&Row| row.rate.is_some_and(|rate| rate >= FAST);
    let fast: Vec<_> = report.rows.iter().filter(is_fast).collect();
    let suspects: Vec<_> = fast.iter().map(|row| row.times.suspect).collect();
    let young = fast.iter().filter(|row| row.workload.is_young);
    let young: Vec<_> = young.map(|row| row.times.leak).collect();
    // Those that fill up lose nothing more long before.
    let lasting = fast
        .iter()
        .filter(|row| !row.exhausts || row.times.leak.is_some());
    let leaks: Vec<_> = lasting.map(|row| row.times.leak).collect();
    let unwarned: Vec<_> = report
        .rows
        .iter()
        .filter(|row| row.exhausts && row.times.exhaustion.is_none())
        .map(|row| row.workload.name)
        .collect();
    vec![
        Figure::time(
            "time to `suspect`, ≥ 1/s, median",
            TO_SUSPECT,
            median(&suspects),
            suspects.len(),
        ),
        Figure::time(
            "time to `leak`, ≥ 1/s, individual young releases, median",
            TO_YOUNG_LEAK,
            median(&young),
            young.len(),
        ),
        Figure::time(
            "time to `leak`, ≥ 1/s, the longest",
            TO_ANY_LEAK,
            latest(&leaks),
            leaks.len(),
        ),
        Figure::none("on the way to a limit, and not told", &unwarned),
    ]
}

fn false_verdicts(report: &Report, healthy: usize) -> Vec<Figure> {
    let names = |rows: Vec<&Row>| -> Vec<_> { rows.iter().map(|row| row.workload.name).collect() };
    let wrong = names(report.with(Outcome::False));
    let suspected = report.healthy().filter(|row| row.suspicions.after > 0);
    let suspected = names(suspected.collect());
    let share = suspected.len() as f64 / healthy.max(1) as f64;
    let mut after = Figure::none(
        "healthy workloads suspected after their first release",
        &suspected,
    );
    after.required = format!("≤ {:.0} %", SUSPECTED * 100.0);
    after.measured = format!("{:.1} % ({})", share * 100.0, after.measured);
    after.passes = share <= SUSPECTED;
    vec![
        Figure::none("false `leak`, `growth` or `exhaustion`", &wrong),
        after,
    ]
}

fn calibrations(claims: &[Claim]) -> Vec<Figure> {
    let bins = calibration::bins(claims);
    let from = |least: f64| bins.iter().find(|bin| (bin.from - least).abs() < 1e-9);
    let figure = |least, required: String, share, lines| {
        let bin = from(least)?;
        let said = bin.share().map_or_else(
            || "no line".to_owned(),
            |it| format!("{:.1} % of {}", it * 100.0, bin.count),
        );
        let what = format!(
            "lines of confidence {:.1} to {:.1} that are so",
            bin.from, bin.to
        );
        Some(Figure::new(&what, required, said, holds(bin, share, lines)))
    };
    let sure = format!("≥ {:.0} %, of {SURE_LINES} at least", SURE * 100.0);
    let unsure = format!("≥ {:.0} %", UNSURE * 100.0);
    let both = [
        figure(0.9, sure, SURE, SURE_LINES),
        figure(0.5, unsure, UNSURE, 0),
    ];
    both.into_iter().flatten().collect()
}

fn holds(bin: &Bin, share: f64, lines: usize) -> bool {
    bin.count >= lines && bin.share().is_none_or(|it| it >= share)
}

#[cfg(test)]
mod tests {
    use super::{Figure, figures};
    use crate::accuracy::{Claim, Outcome, Report, Row, Suspicions, VerdictTimes, workloads::all};

    /// All workloads, with everything as it should be.
    fn perfect() -> Report {
        let row = |workload: crate::accuracy::Workload| Row {
            workload,
            expected: String::new(),
            reported: String::new(),
            held_and_told: None,
            after_seconds: None,
            rate: workload.leaks.then_some(2.0),
            times: VerdictTimes {
                suspect: Some(10.0),
                leak: Some(50.0),
                exhaustion: None,
            },
            exhausts: false,
            suspicions: Suspicions::default(),
            aged: 0,
            outcome: if workload.leaks {
                Outcome::Hit
            } else {
                Outcome::Clean
            },
            false_alarms: Vec::new(),
            claims: Vec::new(),
        };
        Report {
            rows: all().into_iter().map(row).collect(),
        }
    }

    fn claims(confidence: f64, right: usize, wrong: usize) -> Vec<Claim> {
        let claim = |is_so| Claim { confidence, is_so };
        let right = std::iter::repeat_n(claim(true), right);
        right
            .chain(std::iter::repeat_n(claim(false), wrong))
            .collect()
    }

    fn failing(change: impl Fn(&mut Row), claims: &[Claim]) -> Vec<String> {
        let mut report = perfect();
        report.rows.iter_mut().for_each(change);
        let failing = figures(&report, claims);
        let failing = failing.into_iter().filter(|figure: &Figure| !figure.passes);
        failing.map(|figure| figure.what).collect()
    }

    /// Each requirement fails by itself, and none where all is as it should be.
    #[test]
    fn each_figure_can_fail() {
        let sure = claims(0.95, 40, 0);
        assert_eq!(failing(|_| {}, &sure), Vec::<String>::new());
        let only = |found: Vec<String>, start: &str| {
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(start), "{found:?}");
        };
        only(
            failing(|row| row.times.suspect = Some(15.1), &sure),
            "time to `suspect`",
        );
        let slow = |row: &mut Row| row.times.leak = Some(61.0);
        only(failing(slow, &sure), "time to `leak`, ≥ 1/s, individual");
        let one = |row: &mut Row| {
            if row.workload.name == "files" {
                row.times.leak = None;
            }
        };
        only(failing(one, &sure), "time to `leak`, ≥ 1/s, the longest");
        let unwarned = |row: &mut Row| row.exhausts = row.workload.name == "limit_256";
        only(failing(unwarned, &sure), "on the way to a limit");
        let wrong = |row: &mut Row| {
            if row.workload.name == "storm" {
                row.outcome = Outcome::False;
            }
        };
        only(failing(wrong, &sure), "false `leak`");
        let suspected = |row: &mut Row| row.suspicions.after = usize::from(!row.workload.leaks);
        only(failing(suspected, &sure), "healthy workloads suspected");
        only(
            failing(|_| {}, &claims(0.95, 39, 0)),
            "lines of confidence 0.9",
        );
        only(
            failing(|_| {}, &claims(0.95, 40, 3)),
            "lines of confidence 0.9",
        );
        let unsure = [sure, claims(0.7, 4, 5)].concat();
        only(failing(|_| {}, &unsure), "lines of confidence 0.5");
    }

    /// What heads for a limit may be found without a leak that stands.
    #[test]
    fn a_hit_is_found_whatever_is_held() {
        let mut report = perfect();
        assert_eq!(report.hits(), report.leaking());
        let leaking = |row: &&mut Row| row.workload.leaks;
        if let Some(row) = report.rows.iter_mut().find(leaking) {
            row.outcome = Outcome::Miss;
            row.held_and_told = Some((5, 5));
        }
        assert_eq!(report.hits() + 1, report.leaking());
    }

    /// Three in a hundred may be suspected, and what is slower than one a second is not timed.
    #[test]
    fn requirements_have_limits() {
        let sure = claims(0.95, 40, 0);
        let two = |row: &mut Row| {
            row.suspicions.after = usize::from(matches!(row.workload.name, "storm" | "wave"));
        };
        assert_eq!(failing(two, &sure), Vec::<String>::new());
        let slow = |row: &mut Row| {
            if row.workload.name == "files" {
                row.rate = Some(0.9);
                row.times = VerdictTimes::default();
            }
        };
        assert_eq!(failing(slow, &sure), Vec::<String>::new());
    }
}
