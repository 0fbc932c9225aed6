//! Words in, words out.

use std::fmt::Write as _;

use super::*;
use crate::model::{
    finding::{Finding, State, Verdict},
    report::{ProcessExited, Started},
    testing,
};

/// `o`, `u` and `r` open, update and resolve a finding (`O`, `U` and `R` with an alert), `x` is
/// an exit, `b` the beginning, `s` a summary, `|` a flush; the number is the finding's.
fn report(word: &str) -> Arc<Report> {
    let (kind, id) = word.split_at(1);
    let state = match kind {
        "o" | "O" => State::Opened,
        "u" | "U" => State::Updated,
        _ => State::Resolved,
    };
    let finding = Finding {
        id: id.parse().unwrap_or(0),
        state,
        alert: kind == kind.to_uppercase(),
        ..testing::finding(Verdict::Leak, 3)
    };
    Arc::new(match kind {
        "b" => Report::Started(Started {
            stamp: Stamp(0),
            scope: String::new(),
            attached: Vec::new(),
            missing: Vec::new(),
            kernel_bytes: 0,
        }),
        "s" => Report::Stopped(Box::default()),
        "x" => Report::Exited(ProcessExited {
            stamp: Stamp(0),
            process: finding.process,
            status: None,
            left: 0,
            verified: true,
            evidence: finding.evidence,
        }),
        _ => Report::Finding(Box::new(finding)),
    })
}

fn add(backlog: &mut Backlog, words: &str) {
    for word in words.split_whitespace() {
        match word {
            "|" => backlog.flush(),
            _ => backlog.push(report(word)),
        }
    }
}

/// What comes out, in the same words; `-3` tells of three that were dropped, and `s-3` is a
/// summary that counts them.
fn drain(backlog: &mut Backlog) -> String {
    let mut words = String::new();
    while let Some(step) = backlog.pop() {
        let word = match step {
            Step::Flush => "|".to_owned(),
            Step::Report(report) => word(&report),
        };
        write!(words, "{word} ").unwrap();
    }
    words.trim_end().to_owned()
}

fn word(report: &Report) -> String {
    let dropped = |counters: &[(String, u64)]| {
        let all = counters.iter().map(|(_, count)| format!("-{count}"));
        all.collect::<String>()
    };
    match report {
        Report::Health(health) => dropped(&health.lost),
        Report::Started(_) => "b".to_owned(),
        Report::Stopped(summary) => format!("s{}", dropped(&summary.counters)),
        Report::Finding(finding) => {
            let kind = match finding.state {
                State::Opened => "o",
                State::Updated => "u",
                State::Resolved => "r",
            };
            let alert = finding.alert;
            let kind = if alert {
                kind.to_uppercase()
            } else {
                kind.to_owned()
            };
            format!("{kind}{}", finding.id)
        }
        _ => "x".to_owned(),
    }
}

fn limits(reports: usize) -> Limits {
    Limits {
        reports,
        ..Limits::default()
    }
}

/// What a backlog of four reports makes of what is added before anything is taken.
#[track_caller]
fn check(added: &str, expected: &str) {
    let mut backlog = Backlog::new(limits(4));
    add(&mut backlog, added);
    assert!(backlog.len() <= 5, "{added}");
    assert_eq!(drain(&mut backlog), expected, "{added}");
    assert_eq!((backlog.len(), backlog.bytes), (0, 0), "{added}");
}

#[test]
fn what_fits_comes_out_as_it_went_in() {
    check("", "");
    check("o1 u1 x s", "o1 u1 x s");
    check("o1 r1 o2 r2", "o1 r1 o2 r2");
}

// In `check`, drops are told as soon as two reports or fewer wait.

#[test]
fn flushes_keep_their_places() {
    check("| o1 | | u1 |", "| o1 | u1 |");
    // Those of dropped reports are one.
    check("o1 | u1 | u1 | o2 o3 o4 |", "o1 | o2 -2 o3 o4 |");
}

#[test]
fn updates_fall_off_before_what_is_told_once_before_first_reports() {
    check("u1 x o3 o4 o5", "x o3 -1 o4 o5");
    check("x u1 o3 o4 o5 o6", "o3 o4 -2 o5 o6");
    check("o1 o2 o3 o4 u5", "o1 o2 -1 o3 o4");
    check("o1 o2 o3 o4 o5", "o2 o3 -1 o4 o5");
    check("b o2 o3 o4 o5 s", "b o4 -2 o5 s-2");
}

#[test]
fn a_summary_says_what_was_dropped_and_comes_after_the_notice() {
    check("x x x x x s", "x x -2 x s-2");
    check("o1 o2 o3 o4 s", "o2 o3 -1 o4 s-1");
}

#[test]
fn what_follows_a_dropped_report_makes_sense() {
    // The first report is dropped: the update is the first.
    check("o1 o2 o3 o4 o5 r5", "o3 o4 -2 o5 r5");
    let mut backlog = Backlog::new(limits(1));
    add(&mut backlog, "O1 o2");
    assert_eq!(drain(&mut backlog), "o2 -1");
    add(&mut backlog, "u1 u1");
    assert_eq!(drain(&mut backlog), "O1 -1");
    add(&mut backlog, "o3 x");
    assert_eq!(drain(&mut backlog), "o3 -1");
    add(&mut backlog, "o4 o5");
    assert_eq!(drain(&mut backlog), "o5 -1");
    // It never heard of it, and need not hear that it is over.
    add(&mut backlog, "r4");
    assert_eq!(drain(&mut backlog), "-1");
    assert_eq!(backlog.dropped(), 5);
}

#[test]
fn an_alert_that_was_dropped_is_made_up_for() {
    check("o1 U1 u2 u3 u4 u1", "o1 u3 -2 u4 U1");
}

#[test]
fn every_report_is_told_or_counted() {
    let mut backlog = Backlog::new(limits(10));
    let mut told = 0;
    for round in 0..1_000 {
        add(
            &mut backlog,
            ["o1", "u1", "x", "U2", "|", "r7"][round * 7 % 6],
        );
        if round % 3 == 0
            && let Some(Step::Report(report)) = backlog.pop()
        {
            told += u64::from(!matches!(*report, Report::Health(_)));
        }
    }
    let rest = drain(&mut backlog);
    let rest = rest.split(' ').filter(|word| !word.starts_with(['-', '|']));
    let flushes = (0..1_000).filter(|round| round * 7 % 6 == 4).count() as u64;
    assert_eq!(
        told + rest.count() as u64 + backlog.dropped() + flushes,
        1_000
    );
    assert_eq!(backlog.told, backlog.dropped());
}

#[test]
fn bytes_are_bounded_but_one_report_is_always_told() {
    let one = estimate(&report("x"));
    let mut backlog = Backlog::new(Limits {
        reports: 100,
        bytes: 3 * one,
    });
    add(&mut backlog, "x x x x x");
    assert_eq!(drain(&mut backlog), "-2 x x x".replace("-2 x x", "x x -2"));
    backlog.limits.bytes = 0;
    add(&mut backlog, "x x");
    assert_eq!(drain(&mut backlog), "x -1");
}
