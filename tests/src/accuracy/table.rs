//! The tables of a run with options, for `docs/accuracy.md` and for the screen.

use super::{Outcome, Report, Row};

/// Both tables and what they amount to, in Markdown.
pub fn tables(report: &Report) -> String {
    let head =
        "| workload | what leaks | to be found | reported | held | told | after, s | `aged` | |";
    let lost = part("Leaking", head, report, true, leaking);
    let head = "| workload | what it is | reported | `aged` | |";
    let kept = part("Healthy", head, report, false, healthy);
    lost + &kept + &sums(report)
}

/// The table of those that leak, or of the others, with a title.
pub(super) fn part(
    title: &str,
    head: &str,
    report: &Report,
    leaks: bool,
    line: fn(&Row) -> String,
) -> String {
    let rows = report.rows.iter().filter(|row| row.workload.leaks == leaks);
    let lines: Vec<_> = rows.map(line).collect();
    let rule = "|---".repeat(head.matches('|').count() - 1);
    format!("### {title}\n\n{head}\n{rule}|\n{}\n\n", lines.join("\n"))
}

fn leaking(row: &Row) -> String {
    let (held, told) = row
        .held_and_told
        .map_or_else(Default::default, |(held, told)| {
            (amount(row, held), amount(row, told))
        });
    let after = row
        .after_seconds
        .map_or_else(String::new, |after| format!("{after:.1}"));
    let Row {
        workload,
        expected,
        aged,
        ..
    } = row;
    let (name, shows, reported, outcome) =
        (workload.name, workload.shows, reported(row), word(row));
    format!(
        "| `{name}` | {shows} | {expected} | {reported} | {held} | {told} | {after} | {aged} | {outcome} |"
    )
}

fn healthy(row: &Row) -> String {
    let (workload, aged) = (row.workload, row.aged);
    let (name, shows, reported, outcome) =
        (workload.name, workload.shows, reported(row), word(row));
    format!("| `{name}` | {shows} | {reported} | {aged} | {outcome} |")
}

pub(super) fn reported(row: &Row) -> &str {
    if row.reported.is_empty() {
        "nothing"
    } else {
        &row.reported
    }
}

/// Growth is of bytes, all others are counted.
pub(super) fn amount(row: &Row, amount: u64) -> String {
    if row.expected.starts_with("growth") {
        format!("{:.1} MiB", amount as f64 / f64::from(1 << 20))
    } else {
        amount.to_string()
    }
}

pub(super) fn word(row: &Row) -> &'static str {
    match row.outcome {
        Outcome::Hit => "hit",
        Outcome::Miss => "**miss**",
        Outcome::Clean => "ok",
        Outcome::False => "**false**",
    }
}

/// What the tables amount to.
pub(super) fn sums(report: &Report) -> String {
    let (leaking, hits) = (report.leaking(), report.hits());
    let healthy = report.rows.len() - leaking;
    let exact = report
        .rows
        .iter()
        .filter(|row| row.held_and_told.is_some_and(|(held, told)| held == told));
    let aged: usize = report
        .rows
        .iter()
        .filter(|row| !row.workload.leaks)
        .map(|row| row.aged)
        .sum();
    format!(
        "### In sum\n\n| | |\n|---|---|\n\
         | leaking workloads | {leaking} |\n\
         | of them found | {hits} |\n\
         | **recall** | **{:.3}** |\n\
         | healthy workloads | {healthy} |\n\
         | false alarms, of all workloads | {} |\n\
         | **precision** | **{:.3}** |\n\
         | number told is the number lost, to the last one | {} |\n\
         | `aged` lines on healthy workloads | {aged} |\n",
        report.recall(),
        report.false_alarms(),
        report.precision(),
        exact.count(),
    )
}
