//! Reports and strings that try to break a line, a quote, a terminal, a limit.

use std::sync::Arc;

use proptest::prelude::*;

use super::{
    findings::{finding, sample},
    reports::{census, exited, health, started, summary},
    subjects::process,
};
use crate::model::{
    finding::{Doubt, Evidence, Finding, Sample},
    process::ProcessInfo,
    report::{Census, CensusRow, Health, ProcessExited, Report, RunExit, Started, Summary},
    resource::Kind,
};

/// Strings that try to break a line, a quote, a terminal, a limit.
pub(in crate::output) fn hostile_text() -> impl Strategy<Value = String> {
    const NASTY: [&str; 11] = [
        "\"",
        "\\",
        "\n",
        "\r\n",
        "\0",
        "\u{1b}[2J",
        "\u{9b}",
        "\u{fffd}",
        "\u{202e}",
        "日",
        " ",
    ];
    let piece = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        4 => prop::sample::select(&NASTY).prop_map(str::to_owned),
        1 => (any::<char>(), 0..5_000_usize).prop_map(|(char, times)| char.to_string().repeat(times)),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Every kind of report, with `text` wherever a string comes from outside and lists of `length`
/// (of at most 64 where they are nested).
pub(in crate::output) fn hostile_reports(text: &str, length: usize) -> Vec<Report> {
    let text = || text.to_owned();
    let texts = || vec![text(); length];
    let numbers = || vec![(text(), u64::MAX); length];
    let some = || Some(text());
    let process = Arc::new(ProcessInfo {
        name: some(),
        executable: some(),
        command_line: some(),
        cgroup: some(),
        container: some(),
        ..(*process()).clone()
    });
    let process = || Arc::clone(&process);
    let evidence = || Evidence {
        events_lost: u64::MAX,
        reasons: texts().into_iter().map(Doubt::Written).collect(),
    };
    let samples = vec![
        Sample {
            target: some(),
            ..sample(9)
        };
        length
    ];
    let row = CensusRow {
        kind: Kind::OtherSocket,
        count: u64::MAX,
        targets: vec![(text(), u64::MAX); length.min(64)],
    };
    let missing = vec![(text(), text()); length];
    let exit = RunExit {
        process: Some(process()),
        command_code: 0,
        code: 1,
        reason: text(),
    };
    let summary = Summary {
        counters: numbers(),
        evidence: evidence(),
        ..summary()
    };
    let run = Summary {
        exit: Some(exit),
        ..summary.clone()
    };
    vec![
        Report::Started(Started {
            scope: text(),
            attached: texts(),
            missing,
            ..started()
        }),
        Report::Census(Census {
            process: process(),
            rows: vec![row; length],
            ..census()
        }),
        Report::Finding(Box::new(Finding {
            process: process(),
            samples,
            suggestion: some(),
            evidence: evidence(),
            ..finding()
        })),
        Report::Exited(ProcessExited {
            process: process(),
            evidence: evidence(),
            ..exited()
        }),
        Report::Health(Health {
            lost: numbers(),
            processes: vec![process().id; length],
            ..health()
        }),
        Report::RunSummary(Box::new(run)),
        Report::Stopped(Box::new(summary)),
    ]
}
