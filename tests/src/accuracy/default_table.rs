//! The tables of a run at default options: how soon each verdict came, what was suspected, what is
//! required and what a confidence is worth.

use super::{
    Claim, Report, Row,
    calibration::{bins, wilson},
    figures::Figure,
    table::{part, reported, sums, word},
};

/// All workloads and what they amount to, in Markdown.
pub fn tables(report: &Report) -> String {
    let head = "| workload | what leaks | age, s | a second | reported | `suspect`, s | `leak` or `growth`, s | \
                `exhaustion`, s | |";
    let lost = part("Leaking", head, report, true, leaking);
    let head = "| workload | what it is | age, s | reported | suspected before | after | |";
    let kept = part("Healthy", head, report, false, healthy);
    lost + &kept + &sums(report) + &suspected(report)
}

fn leaking(row: &Row) -> String {
    let seconds = |time: Option<f64>| time.map_or_else(String::new, |time| format!("{time:.1}"));
    let rate = row.rate.map(|rate| format!("{rate:.1}"));
    let (workload, times) = (row.workload, row.times);
    format!(
        "| `{}` | {} | {} | {} | {} | {} | {} | {} | {} |",
        workload.name,
        workload.shows,
        workload.age_seconds,
        rate.unwrap_or_else(|| "bytes".to_owned()),
        reported(row),
        seconds(times.suspect),
        seconds(times.leak),
        seconds(times.exhaustion),
        word(row),
    )
}

fn healthy(row: &Row) -> String {
    let (workload, suspicions) = (row.workload, row.suspicions);
    let count = |count: usize| {
        if count == 0 {
            String::new()
        } else {
            count.to_string()
        }
    };
    format!(
        "| `{}` | {} | {} | {} | {} | {} | {} |",
        workload.name,
        workload.shows,
        workload.age_seconds,
        reported(row),
        count(suspicions.before),
        count(suspicions.after),
        word(row),
    )
}

fn suspected(report: &Report) -> String {
    let before = report.healthy().filter(|row| row.suspicions.before > 0);
    let after = report.healthy().filter(|row| row.suspicions.after > 0);
    format!(
        "| healthy workloads suspected before their first release | {} |\n\
         | healthy workloads suspected after it | {} |\n",
        before.count(),
        after.count(),
    )
}

/// What is required, and what came of it.
pub fn required(figures: &[Figure]) -> String {
    let line = |figure: &Figure| {
        let Figure {
            what,
            required,
            measured,
            passes,
        } = figure;
        let passes = if *passes { "pass" } else { "**fail**" };
        format!("| {what} | {required} | {measured} | {passes} |\n")
    };
    let lines: String = figures.iter().map(line).collect();
    format!("| | required | measured | |\n|---|---|---|---|\n{lines}")
}

/// Of the lines of each confidence, how many are so.
pub fn calibration(claims: &[Claim]) -> String {
    let line = |bin: &super::calibration::Bin| {
        let share = bin.share();
        let share = share.map_or_else(|| "—".to_owned(), |share| format!("{share:.3}"));
        let (from, to) = wilson(bin.right, bin.count);
        let (least, most, count) = (bin.from, bin.to, bin.count);
        format!("| {least:.1} to {most:.1} | {count} | {share} | {from:.3} to {to:.3} |\n")
    };
    let lines: String = bins(claims).iter().map(line).collect();
    format!("| confidence | lines | share that is so | 95 % interval |\n|---|---|---|---|\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::{calibration, required};
    use crate::accuracy::{Claim, figures::Figure};

    #[test]
    fn what_fails_is_seen() {
        let figure = |passes| Figure {
            what: "x".to_owned(),
            required: "≥ 1".to_owned(),
            measured: "0".to_owned(),
            passes,
        };
        let table = required(&[figure(true), figure(false)]);
        assert!(table.ends_with("| x | ≥ 1 | 0 | pass |\n| x | ≥ 1 | 0 | **fail** |\n"));
    }

    #[test]
    fn each_confidence_has_its_line() {
        let claims = [true; 8].into_iter().chain([false; 2]).map(|is_so| Claim {
            confidence: 0.85,
            is_so,
        });
        let table = calibration(&claims.collect::<Vec<_>>());
        let line = "| 0.8 to 0.9 | 10 | 0.800 | 0.490 to 0.943 |\n";
        assert!(table.contains(line), "{table}");
        assert!(
            table.contains("| 0.5 to 0.8 | 0 | — | 0.000 to 1.000 |\n"),
            "{table}"
        );
    }
}
