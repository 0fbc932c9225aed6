//! The life of findings.

use std::time::Duration;

use super::*;
use crate::model::{finding::Growth, testing::finding};

const GROUP: GroupId = GroupId {
    process: ProcessId {
        tgid: 7,
        start_ticks: 1,
    },
    kind: Kind::File,
    stack: None,
    topic: None,
};

fn second(second: u64) -> Stamp {
    Stamp(second * 1_000_000_000)
}

const THROTTLE: ReportThrottle = ReportThrottle {
    update: Duration::from_mins(1),
    alert: Duration::from_hours(1),
};

#[test]
fn a_finding_is_told_when_it_matters() {
    let mut findings = Findings::new(THROTTLE);
    for (at, verdict, count, told) in [
        (0, Verdict::Aged, 10, Some(State::Opened)),
        (1, Verdict::Aged, 15, None),
        (3, Verdict::Leak, 15, Some(State::Updated)),
        (62, Verdict::Leak, 30, None),
        (63, Verdict::Leak, 31, Some(State::Updated)),
        (123, Verdict::Leak, 34, None),
        (124, Verdict::Leak, 35, Some(State::Updated)),
    ] {
        let judged = findings.judged(GROUP, finding(verdict, count), second(at));
        assert_eq!(judged.map(|finding| finding.state), told, "at {at} s");
    }
    assert_eq!(findings.counts(), [(Verdict::Aged, 0), (Verdict::Leak, 1)]);
    assert!(findings.last_words().is_empty(), "the last count was told");
    let judged = findings.judged(GROUP, finding(Verdict::Leak, 40), second(130));
    assert!(judged.is_none());
    assert_eq!(findings.last_words().len(), 1);
    assert!(findings.leaks(GROUP.process, GROUP.kind, GROUP.stack));
    let over = findings.close(GROUP, Resolution::Ended, second(400));
    let over: Vec<_> = over
        .iter()
        .map(|it| (it.state, it.id, it.resolution))
        .collect();
    assert_eq!(over, [(State::Resolved, 1, Some(Resolution::Ended))]);
    assert!(!findings.is_open(GROUP));
}

#[test]
fn what_was_no_finding_after_all_is_not_counted() {
    for (verdict, why, counted) in [
        (Verdict::Leak, Resolution::Released, 1),
        (Verdict::Leak, Resolution::Withdrawn, 0),
        (Verdict::Suspect, Resolution::Released, 0),
        (Verdict::Suspect, Resolution::Ended, 1),
        (Verdict::Aged, Resolution::Released, 1),
    ] {
        let mut findings = Findings::new(THROTTLE);
        findings.judged(GROUP, finding(verdict, 10), second(1));
        assert!(findings.close(GROUP, why, second(2)).is_some());
        assert_eq!(findings.count(verdict), counted, "{verdict:?} {why:?}");
    }
}

/// Of one process and of all: each finding is closed once, with the others left alone.
#[test]
fn findings_are_closed_by_group_by_process_and_by_what_they_are() {
    let group = |tgid: u32, kind| GroupId {
        process: ProcessId {
            tgid,
            ..GROUP.process
        },
        kind,
        ..GROUP
    };
    let mut findings = Findings::new(THROTTLE);
    for group in [7, 8, 9].map(|tgid| [Kind::File, Kind::Dir].map(|kind| group(tgid, kind))) {
        for group in group {
            findings.judged(group, finding(Verdict::Leak, 10), second(1));
        }
    }
    let ids = |closed: Vec<Finding>| closed.iter().map(|it| it.id).collect::<Vec<_>>();
    let (why, now) = (Resolution::Released, second(2));
    let one = group(7, Kind::File);
    assert_eq!(findings.close(one, why, now).map(|it| it.id), Some(1));
    assert!(findings.close(one, why, now).is_none() && !findings.is_open(one));
    assert_eq!(ids(findings.close_process(one.process, why, now)), [2]);
    let dirs = findings.close_where(|group| group.kind == Kind::Dir, why, now);
    assert_eq!(ids(dirs), [4, 6]);
    let left = [7, 8, 9].map(|tgid| findings.open_of(group(tgid, Kind::File).process));
    assert_eq!(left, [0, 1, 1]);
}

#[test]
fn what_stays_flat_is_cleared_and_may_climb_again() {
    let mut findings = Findings::new(THROTTLE);
    let climbing = |count| Finding {
        growth: Some(Growth {
            slope_per_second: 0.1,
            window: Duration::from_mins(3),
            trend: None,
        }),
        ..finding(Verdict::Leak, count)
    };
    let flat = |count| Finding {
        verdict: Verdict::Aged,
        ..climbing(count)
    };
    for (at, judged, told) in [
        (0, climbing(10), Some(Verdict::Leak)),
        (100, climbing(20), Some(Verdict::Leak)),
        (200, flat(20), None),
        (279, flat(20), None),
        (280, flat(20), Some(Verdict::Cleared)),
        (900, flat(20), None),
        (960, climbing(21), Some(Verdict::Leak)),
    ] {
        let judged = findings.judged(GROUP, judged, second(at));
        assert_eq!(judged.map(|finding| finding.verdict), told, "at {at} s");
    }
    assert_eq!(
        (
            findings.count(Verdict::Leak),
            findings.count(Verdict::Cleared)
        ),
        (1, 0)
    );
}

#[test]
fn what_loses_its_founders_is_withdrawn_and_counts_no_more() {
    let mut findings = Findings::new(THROTTLE);
    let held = |seconds: std::ops::Range<u64>| seconds.map(second).collect::<Vec<_>>();
    findings.judged(GROUP, finding(Verdict::Leak, 20), second(30));
    findings.found(GROUP, &held(0..20));
    for (now, gone) in [
        (0..20, false),
        (5..40, false),
        (18..40, true),
        (20..60, true),
    ] {
        let gone_now = findings.has_lost_its_founders(GROUP, &held(now.clone()));
        assert_eq!(gone_now, gone, "{now:?} are held");
    }
    assert_eq!(findings.count(Verdict::Leak), 1);
    let over = findings.close(GROUP, Resolution::Released, second(50));
    let why = over.and_then(|over| over.resolution);
    assert_eq!(why, Some(Resolution::Withdrawn), "released after all");
    assert_eq!(findings.count(Verdict::Leak), 0);
}

/// At its limit a process can acquire no more: that is no plateau.
#[test]
fn what_has_reached_its_limit_is_not_cleared() {
    let mut findings = Findings::new(THROTTLE);
    let limited = |verdict, used| Finding {
        limit: Some(crate::model::finding::Limit {
            name: "RLIMIT_NOFILE",
            value: 256,
            used,
            exhausted_in: None,
            uncertainty: None,
        }),
        ..finding(verdict, used)
    };
    findings.judged(GROUP, limited(Verdict::Leak, 200), second(0));
    findings.judged(GROUP, limited(Verdict::Leak, 256), second(100));
    findings.judged(GROUP, limited(Verdict::Aged, 256), second(900));
    assert_eq!(findings.count(Verdict::Leak), 1, "full");
    let told = findings.judged(GROUP, limited(Verdict::Aged, 100), second(1_800));
    assert_eq!(
        told.map(|it| it.verdict),
        Some(Verdict::Cleared),
        "room again"
    );
}

#[test]
fn memory_that_grows_is_told_by_its_bytes() {
    let mut findings = Findings::new(THROTTLE);
    let grown = |bytes| Finding {
        open_bytes: Some(bytes),
        ..finding(Verdict::Growth, 0)
    };
    for (at, bytes, told) in [(0, 100, true), (60, 109, false), (61, 110, true)] {
        let judged = findings.judged(GROUP, grown(bytes), second(at));
        assert_eq!(judged.is_some(), told, "{bytes} bytes");
    }
}
