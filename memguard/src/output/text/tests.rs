//! Text as people see it, in golden files.

use std::{collections::VecDeque, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::{
    model::{
        finding::{Doubt, Evidence},
        ids::ProcessId,
        report::Census,
        resource::Kind,
    },
    output::testing,
};

fn shown(reports: &[Report], style: TextStyle, live: Live) -> String {
    let mut out = Vec::new();
    let mut sink = TextSink::new(&mut out, style, live);
    for report in reports {
        sink.report(report).expect("a Vec takes everything");
    }
    sink.finish().expect("a Vec takes everything");
    String::from_utf8(out).expect("text is UTF-8")
}

fn columns(columns: u16) -> TextStyle {
    TextStyle {
        colour: false,
        columns,
        ..TextStyle::default()
    }
}

fn named(index: u32) -> Arc<crate::model::process::ProcessInfo> {
    let mut process = (*testing::process()).clone();
    process.id = ProcessId {
        tgid: 100 + index,
        ..process.id
    };
    process.executable = Some(format!("/usr/bin/worker-{index}"));
    Arc::new(process)
}

fn found(verdict: Verdict, index: u32, kind: Kind) -> Finding {
    let (id, open_count) = (u64::from(index), u64::from(index) + 1);
    let (process, growth, limit) = (named(index), None, None);
    Finding {
        id,
        verdict,
        process,
        kind,
        open_count,
        growth,
        limit,
        ..testing::finding()
    }
}

fn report(finding: Finding) -> Report {
    Report::Finding(Box::new(finding))
}

#[test]
fn golden_at_eighty_columns() {
    testing::check_golden(
        "watch.txt",
        &shown(&testing::reports(), columns(80), Live::Yes),
    );
}

#[test]
fn golden_at_forty_columns() {
    testing::check_golden(
        "narrow.txt",
        &shown(&testing::reports(), columns(1), Live::Yes),
    );
}

#[test]
fn golden_at_two_hundred_columns() {
    testing::check_golden(
        "wide.txt",
        &shown(&testing::reports(), columns(200), Live::Yes),
    );
}

#[test]
fn golden_in_colour() {
    let style = TextStyle {
        colour: true,
        columns: 80,
        ..TextStyle::default()
    };
    let text = shown(&testing::reports(), style, Live::Yes);
    testing::check_golden("colour.txt", &text.replace('\u{1b}', "^["));
}

#[test]
fn golden_of_a_run() {
    let mut reports = vec![Report::Started(testing::started())];
    reports.extend((0..30).map(|index| {
        // Three labels of processes, each with the same site.
        let finding = found(Verdict::Left, index, Kind::File);
        report(Finding {
            process: named(index % 3),
            ..finding
        })
    }));
    reports.extend((30..40).map(|index| report(found(Verdict::Left, index, Kind::Pipe))));
    reports.push(report(found(Verdict::Leak, 41, Kind::Unix)));
    let summary = |report: &Report| matches!(report, Report::RunSummary(_));
    reports.extend(testing::reports().into_iter().filter(summary));
    reports.push(Report::Stopped(Box::new(testing::summary())));
    testing::check_golden("run.txt", &shown(&reports, columns(80), Live::No));
}

#[test]
fn golden_of_an_end_without_findings() {
    let clean = || Summary {
        findings: Vec::new(),
        left: 0,
        ..testing::summary()
    };
    let reasons = [
        "the ring was full for 3 s",
        "2 processes ended before they could be read",
    ];
    let reasons = reasons.map(|it| Doubt::Written(it.to_owned())).into();
    let evidence = Evidence {
        events_lost: 1,
        reasons,
    };
    let mut text = String::new();
    for summary in [
        clean(),
        Summary {
            evidence,
            processes_running: 3,
            ..clean()
        },
    ] {
        text += &shown(
            &[Report::Stopped(Box::new(summary))],
            columns(80),
            Live::Yes,
        );
    }
    testing::check_golden("nothing.txt", &text);
}

#[test]
fn golden_of_aged_handles() {
    let mut reports: Vec<_> = (0..4)
        .map(|index| report(found(Verdict::Aged, index, Kind::File)))
        .collect();
    let other = found(Verdict::Aged, 9, Kind::Tcp);
    reports.push(report(Finding {
        process: named(2),
        ..other
    }));
    reports.push(report(found(Verdict::Inherited, 5, Kind::Pipe)));
    reports.push(report(Finding {
        state: State::Updated,
        ..found(Verdict::Aged, 1, Kind::File)
    }));
    testing::check_golden("aged.txt", &shown(&reports, columns(80), Live::Yes));
}

/// Forty workers end at once with the same files, some also with what came over an exec, and five
/// more of which no stack says where theirs are from; one of another name, and one of the same but
/// another kind, are told in full.
#[test]
fn golden_of_many_ends() {
    let worker = |verdict, pid, kind| {
        let mut process = (*named(0)).clone();
        process.id.tgid = pid;
        report(Finding {
            process: Arc::new(process),
            samples: Vec::new(),
            history: None,
            ..found(verdict, 1, kind)
        })
    };
    let mut reports = vec![report(found(Verdict::Left, 7, Kind::File))];
    for pid in 300..340 {
        reports.push(worker(Verdict::Left, pid, Kind::File));
        if pid % 4 == 0 {
            reports.push(worker(Verdict::Inherited, pid, Kind::Pipe));
            reports.push(worker(Verdict::Inherited, pid, Kind::File));
        }
    }
    reports.push(worker(Verdict::Left, 339, Kind::Eventfd));
    let without_stack = |pid| {
        let mut report = worker(Verdict::Left, pid, Kind::File);
        if let Report::Finding(finding) = &mut report {
            finding.origin = None;
        }
        report
    };
    reports.extend((400..405).map(without_stack));
    testing::check_golden("ended.txt", &shown(&reports, columns(80), Live::Yes));
    assert_eq!(
        shown(&reports, columns(80), Live::No),
        "",
        "a run tells it at its end"
    );
}

#[test]
fn a_burst_of_census_shows_the_ten_largest() {
    let census = |index: u32| {
        let (open, process, rows) = (u64::from(index % 37), named(index), Vec::new());
        Report::Census(Census {
            open,
            process,
            rows,
            limit: None,
            rss_bytes: None,
            ..testing::census()
        })
    };
    let reports: Vec<_> = (0..37).map(census).collect();
    let text = shown(&reports, columns(80), Live::Yes);
    let mut lines: VecDeque<_> = text.lines().collect();
    assert_eq!(lines.pop_back(), Some("… and 27 more processes"));
    let expected: Vec<_> = (27..37)
        .rev()
        .map(|open| format!("worker-{open}[{}]  {open} descriptors", 100 + open))
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn what_is_held_back_comes_before_what_follows() {
    let census = Report::Census(testing::census());
    let mut out = Vec::new();
    let mut sink = TextSink::new(&mut out, columns(80), Live::Yes);
    sink.report(&census).expect("written");
    assert!(sink.out.is_empty());
    sink.flush().expect("written");
    assert!(!sink.out.is_empty());
    let both = shown(
        &[census, report(testing::finding())],
        columns(80),
        Live::Yes,
    );
    assert!(both.starts_with("api[4242]  240 descriptors"), "{both}");
    assert!(both.contains("\nLEAK  api[4242]: 214"), "{both}");
}

/// Lines within the width, without blanks at their end, and no control character but the newline.
fn check_lines(text: &str, columns: usize) {
    for line in text.split('\n') {
        assert!(clean::width(line) <= columns, "{line}");
        assert_eq!(line, line.trim_end());
        assert!(
            !line.contains(|char: char| char.is_control() || char == '\u{202e}'),
            "{line:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_is_shown_within_the_lines(
        text in testing::hostile_text(),
        length in 0_usize..8,
        width in 0_u16..300,
        colour: bool,
    ) {
        let reports = testing::hostile_reports(&text, length);
        let text = shown(&reports, TextStyle { colour, columns: width, ..TextStyle::default() }, Live::Yes);
        let escapes = ["\u{1b}[1;31m", "\u{1b}[33m", "\u{1b}[32m", "\u{1b}[2m", "\u{1b}[0m"];
        let plain = escapes.iter().fold(text, |text, escape| text.replace(escape, ""));
        check_lines(&plain, usize::from(width).max(40));
    }
}
