//! The table of a run, for `docs/accuracy.md` and for the screen.

use std::{fmt::Write as _, fs, path::Path};

use super::{Outcome, Report, Row, Times};

/// What a table begins with, and the line that says which detectors it is of.
const DIGEST: &str = "Detectors: `sha256:";

/// Both tables and what they amount to, in Markdown.
pub fn tables(report: &Report) -> String {
    let mut text = String::new();
    let mut part = |title: &str, leaks: bool, head: &str, line: fn(&Row) -> String| {
        let rows = report.rows.iter().filter(|row| row.workload.leaks == leaks);
        let lines: Vec<_> = rows.map(line).collect();
        let columns = head.matches('|').count() - 1;
        let rule = "|---".repeat(columns);
        // Writing to a string cannot fail.
        write!(
            text,
            "## {title}\n\n{head}\n{rule}|\n{}\n\n",
            lines.join("\n")
        )
        .unwrap_or_default();
    };
    let head =
        "| workload | what leaks | to be found | reported | held | told | after, s | `aged` | |";
    part("Leaking", true, head, leaking);
    let head = "| workload | what it is | reported | `aged` | |";
    part("Healthy", false, head, healthy);
    text + &sums(report)
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

fn reported(row: &Row) -> &str {
    if row.reported.is_empty() {
        "nothing"
    } else {
        &row.reported
    }
}

/// Growth is of bytes, all others are counted.
fn amount(row: &Row, amount: u64) -> String {
    if row.expected.starts_with("growth") {
        format!("{:.1} MiB", amount as f64 / f64::from(1 << 20))
    } else {
        amount.to_string()
    }
}

fn word(row: &Row) -> &'static str {
    match row.outcome {
        Outcome::Hit => "hit",
        Outcome::Miss => "**miss**",
        Outcome::Clean => "ok",
        Outcome::False => "**false**",
    }
}

fn sums(report: &Report) -> String {
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
        "## In sum\n\n| | |\n|---|---|\n\
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

/// What a page says of the run.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// When it began, RFC 3339.
    pub when: String,
    /// Its times.
    pub times: Times,
    /// Which detectors.
    pub digest: String,
}

/// Writes the page.
///
/// # Panics
///
/// When it cannot be written.
pub fn write_page(path: &Path, circumstances: &Circumstances, report: &Report) {
    let page = format!("{}\n{}", head(circumstances, report), tables(report));
    fs::write(path, page)
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

fn head(circumstances: &Circumstances, report: &Report) -> String {
    let Circumstances {
        when,
        times,
        digest,
    } = circumstances;
    let date = when.split('T').next().unwrap_or(when);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').nth(1).unwrap_or("unknown");
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let options = times.options().join(" ");
    let (seconds, all) = ((times.span + times.settled).as_secs(), report.rows.len());
    format!(
        "# Accuracy

Written by `cargo xtask accuracy`; do not edit. {date}, Linux {}, {processors} processors, load
average {load} over the last five minutes.
{DIGEST}{digest}`

{all} workloads run side by side for {seconds} seconds under one `memguard watch {options}`.
They are the programs `work*` and `forget*` in `tests/programs`, where each
is described, and real servers with a few clients; an *age* is `--min-age`, by which all their paces are
measured. What a workload loses it says itself, and `/proc` has to show the same, without memguard's
help, or the run is void.

A *hit* is a `leak` or `growth` that stands at the end, of the right process, resource and kind, with the
function that loses it among the frames; anything else is a *miss*. *False* is any such verdict at any
time that is not so, even if it was withdrawn. *Held* is what had been lost when the work was done, and
*told* the number in the last line. Where the function that loses some also makes others that live
for longer than the minimum age, memguard counts those with them. `aged` is no verdict, and is counted
only. Where threads are started is not asked for: memguard names who had their stacks mapped, and the C
library hands the stack of a thread that has ended on to whoever starts the next.
",
        kernel.trim(),
    )
}

/// The digest that a page has.
pub fn digest_of(page: &str) -> Option<&str> {
    page.lines()
        .find_map(|line| line.strip_prefix(DIGEST))?
        .split('`')
        .next()
}

#[cfg(test)]
mod tests {
    use super::digest_of;

    #[test]
    fn the_digest_is_read_back() {
        assert_eq!(
            digest_of("# Accuracy\n\nDetectors: `sha256:00ff`\n"),
            Some("00ff")
        );
        assert_eq!(digest_of("# Accuracy\n"), None);
    }
}
