//! Example reports.

use std::time::Duration;

use super::{
    findings::{RANGE, bare_finding, doubt, finding, growth, limit, mappings},
    subjects::{SECOND, process, unknown_process},
};
use crate::model::{
    finding::{Evidence, Finding, Limit, Resolution, Severity, State, Verdict},
    ids::Stamp,
    report::{
        Census, CensusRow, Cost, Health, Lost, Mappings, ProcessExited, Report, RunExit, Started,
        Summary, Threshold, ThresholdAlert,
    },
    resource::Kind,
};

fn threshold_alert() -> ThresholdAlert {
    ThresholdAlert {
        stamp: Stamp(501 * SECOND),
        process: process(),
        severity: Severity::Warn,
        threshold: Threshold::Warning,
        value: 256 << 20,
        used: 260 << 20,
    }
}

pub(in crate::output) fn started() -> Started {
    Started {
        stamp: Stamp(400 * SECOND),
        scope: "pid 4242 and its descendants".to_owned(),
        attached: vec!["sys_exit_openat".to_owned(), "sys_enter_close".to_owned()],
        missing: vec![("sys_exit_creat".to_owned(), "not in this kernel".to_owned())],
        kernel_bytes: 4_823_450,
    }
}

pub(in crate::output) fn census() -> Census {
    let tcp = CensusRow {
        kind: Kind::Tcp,
        count: 214,
        targets: vec![("tcp #.#.#.#:# -> #.#.#.#:# CLOSE_WAIT".to_owned(), 214)],
    };
    let files = [("/var/log/api.log", 20), ("/etc/hosts", 1)];
    let targets = files
        .map(|(target, count)| (target.to_owned(), count))
        .into();
    let files = CensusRow {
        kind: Kind::File,
        count: 25,
        targets,
    };
    let epoll = CensusRow {
        kind: Kind::Epoll,
        count: 1,
        targets: Vec::new(),
    };
    Census {
        stamp: Stamp(401 * SECOND),
        process: process(),
        open: 240,
        preexisting: 238,
        limit: Some(Limit {
            exhausted_in: None,
            ..limit()
        }),
        rss_bytes: Some(31 << 20),
        rows: vec![tcp, files, epoll],
        partial: false,
    }
}

pub(super) fn exited() -> ProcessExited {
    ProcessExited {
        stamp: Stamp(501 * SECOND),
        process: process(),
        status: Some(9),
        left: 16,
        verified: true,
        evidence: Evidence::default(),
    }
}

pub(super) fn health() -> Health {
    let lost = [("evicted_ring_full", 10), ("released_ring_full", 2)];
    Health {
        stamp: Stamp(502 * SECOND),
        what: Lost::Events,
        lost: lost.map(|(name, number)| (name.to_owned(), number)).into(),
        processes: vec![process().id, unknown_process().id],
    }
}

/// The end of `watch`.
pub(in crate::output) fn summary() -> Summary {
    Summary {
        stamp: Stamp(503 * SECOND),
        observed: Duration::from_millis(12_345),
        processes_judged: 41,
        processes_running: 0,
        findings: vec![(Verdict::Left, 3), (Verdict::Leak, 1)],
        left: 16,
        left_untold: None,
        suppressions: Vec::new(),
        known: None,
        counters: vec![("seen".to_owned(), 100), ("paired".to_owned(), 84)],
        evidence: Evidence::default(),
        cost: Cost {
            cpu: Duration::from_millis(120),
            cpu_observing: Some(Duration::from_millis(80)),
            rss_bytes: Some(6_396_313),
            kernel_bytes: 4_823_450,
            events_read: Some(1_234),
            bpf_time: Some(Duration::from_micros(24_690)),
        },
        exit: None,
    }
}

fn run_summary() -> Summary {
    let reason = "--fail-on left".to_owned();
    let exit = RunExit {
        process: Some(process()),
        command_code: 0,
        code: 23,
        reason,
    };
    Summary {
        exit: Some(exit),
        ..summary()
    }
}

/// One of each kind, and those that differ within a kind.
pub(in crate::output) fn reports() -> Vec<Report> {
    let unread = Census {
        process: unknown_process(),
        limit: None,
        rss_bytes: None,
        rows: Vec::new(),
        partial: true,
        ..census()
    };
    let untold = ProcessExited {
        status: None,
        verified: false,
        evidence: doubt(),
        ..exited()
    };
    let resolved = Finding {
        state: State::Resolved,
        resolution: Some(Resolution::Ended),
        open_count: 0,
        ..finding()
    };
    vec![
        Report::Started(started()),
        Report::Census(census()),
        Report::Census(unread),
        Report::Finding(Box::new(finding())),
        Report::Finding(Box::new(bare_finding())),
        Report::Finding(Box::new(resolved)),
        Report::Finding(Box::new(growth())),
        Report::Finding(Box::new(mappings())),
        Report::Crossed(Box::new(threshold_alert())),
        Report::Mappings(Mappings {
            stamp: Stamp(501 * SECOND),
            process: process(),
            ranges: vec![RANGE],
        }),
        Report::Exited(exited()),
        Report::Exited(untold),
        Report::Health(health()),
        Report::RunSummary(Box::new(run_summary())),
        Report::Stopped(Box::new(Summary {
            evidence: doubt(),
            ..summary()
        })),
    ]
}
