//! Two runs of the same program, before and after somebody worked on it.

use std::sync::Arc;

use super::{
    findings::{finding, growth, mappings},
    read_review,
    reports::{started, summary},
    subjects::context,
};
use crate::{
    model::{
        finding::{Finding, Moment, State, Verdict},
        origin::Origin,
        process::ProcessInfo,
        report::{Report, Summary},
        resource::{Call, Kind},
    },
    output::{JsonlSink, Sink as _, wire::Context},
    review::Review,
};

/// A finding in another function, thus with another fingerprint.
fn elsewhere(id: u64, function: &str, verdict: Verdict, open_count: u64) -> Finding {
    let finding = finding();
    let origin = finding.origin.map(|Origin { stack, .. }| {
        let mut stack = (*stack).clone();
        for frame in stack.frames.iter_mut().filter(|it| it.application) {
            (frame.function, frame.file) = (Some(function.into()), None);
        }
        Origin {
            stack: Arc::new(stack),
            place: None,
            topic: None,
        }
    });
    let left = verdict == Verdict::Left;
    Finding {
        moment: if left { Moment::Exit } else { Moment::Running },
        id,
        fingerprint: function.bytes().map(u64::from).sum(),
        verdict,
        kind: Kind::File,
        calls: vec![Call::Openat],
        origin,
        open_count,
        growth: None,
        limit: None,
        samples: Vec::new(),
        suggestion: None,
        ..finding
    }
}

fn run(findings: Vec<Finding>, counts: Vec<(Verdict, u64)>, left: u64) -> Vec<Report> {
    let told = findings.into_iter().map(|it| Report::Finding(Box::new(it)));
    let end = Summary {
        findings: counts,
        left,
        ..summary()
    };
    let end = [Report::Stopped(Box::new(end))];
    [Report::Started(started())]
        .into_iter()
        .chain(told)
        .chain(end)
        .collect()
}

fn old() -> Vec<Report> {
    let growth = Finding {
        fingerprint: 0x9909,
        ..growth()
    };
    let resolved = Finding {
        state: State::Resolved,
        open_count: 0,
        ..elsewhere(4, "load_config", Verdict::Leak, 0)
    };
    let findings = vec![
        Finding {
            open_count: 14,
            ..finding()
        },
        elsewhere(2, "rotate_log", Verdict::Left, 9),
        elsewhere(3, "read_header", Verdict::Left, 7),
        elsewhere(4, "load_config", Verdict::Leak, 12),
        elsewhere(5, "open_cache", Verdict::Aged, 3),
        resolved,
        growth,
    ];
    run(
        findings,
        vec![
            (Verdict::Leak, 2),
            (Verdict::Left, 2),
            (Verdict::Aged, 1),
            (Verdict::Growth, 1),
        ],
        16,
    )
}

fn new() -> Vec<Report> {
    let worker = |mut finding: Finding, tgid| {
        let process = (*finding.process).clone();
        let mut id = process.id;
        id.tgid = tgid;
        finding.process = Arc::new(ProcessInfo { id, ..process });
        finding
    };
    let growth = Finding {
        open_bytes: Some(99 << 20),
        fingerprint: 0x9909,
        ..growth()
    };
    let mapped = Finding {
        fingerprint: 0x4a4a,
        ..mappings()
    };
    let findings = vec![
        finding(),
        worker(elsewhere(2, "rotate_log", Verdict::Left, 4), 4301),
        worker(elsewhere(3, "rotate_log", Verdict::Left, 2), 4302),
        elsewhere(4, "read_header", Verdict::Left, 7),
        elsewhere(5, "open_cache", Verdict::Leak, 3),
        mapped,
        growth,
    ];
    run(
        findings,
        vec![(Verdict::Leak, 3), (Verdict::Left, 3), (Verdict::Growth, 1)],
        13,
    )
}

/// The lines of both, the older first.
pub(in crate::output) fn two_runs() -> [String; 2] {
    [(old(), "node-7"), (new(), "node-8")].map(|(reports, host)| lines(&reports, host))
}

/// What the lines of both come to.
pub(in crate::output) fn two_reviews() -> [Review; 2] {
    two_runs().map(|lines| read_review(&lines))
}

fn lines(reports: &[Report], name: &str) -> String {
    let Context {
        mut host,
        clock,
        redaction,
    } = context();
    name.clone_into(&mut host.name);
    let mut out = Vec::new();
    let mut sink = JsonlSink::new(&mut out, host, clock, redaction);
    for report in reports {
        sink.report(report).expect("a Vec takes everything");
    }
    let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let text = String::from_utf8(out).expect("lines are UTF-8");
    text.replace(&version, "\"version\":\"0.0.0\"")
}
