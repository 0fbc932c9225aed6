use super::*;
use crate::model::{report::Started, testing};

fn started(scope: &str) -> Report {
    Report::Started(Started {
        stamp: crate::model::ids::Stamp(0),
        scope: scope.to_owned(),
        attached: Vec::new(),
        missing: Vec::new(),
        kernel_bytes: 0,
    })
}

fn ended(leaks: u64) -> Report {
    Report::Stopped(Box::new(Summary {
        findings: vec![(Verdict::Leak, leaks)],
        ..Summary::default()
    }))
}

fn told(id: u64, state: State, verdict: Verdict, open_count: u64) -> Report {
    Report::Finding(Box::new(Finding {
        id,
        state,
        ..testing::finding(verdict, open_count)
    }))
}

fn review(reports: Vec<Report>) -> Review {
    let mut review = Review::default();
    for report in reports {
        let host = "a".to_owned();
        review.take(
            Run {
                host,
                ..Run::default()
            },
            Some(report),
        );
    }
    review
}

/// Verdict, count, whether it is resolved and whether it counts.
fn findings(review: &Review) -> Vec<(Verdict, u64, bool, bool)> {
    let told = |it: &Reviewed| {
        let Finding {
            verdict,
            open_count,
            ..
        } = it.finding;
        (verdict, open_count, it.resolved, it.counts())
    };
    review.findings().iter().map(told).collect()
}

#[test]
fn the_last_state_counts() {
    use State::{Opened, Resolved, Updated};
    use Verdict::{Aged, Cleared, Leak, Left};
    for (reports, expected) in [
        (
            vec![told(1, Opened, Aged, 2), told(1, Updated, Leak, 4)],
            vec![(Leak, 4, false, true)],
        ),
        (
            vec![told(1, Opened, Leak, 4), told(1, Resolved, Leak, 0)],
            vec![(Leak, 4, true, true)],
        ),
        (
            vec![told(1, Opened, Aged, 4), told(1, Resolved, Aged, 0)],
            vec![(Aged, 4, true, false)],
        ),
        (
            vec![told(1, Opened, Leak, 4), told(1, Updated, Cleared, 4)],
            vec![(Cleared, 4, false, true)],
        ),
        (
            vec![told(1, Resolved, Leak, 0)],
            vec![(Leak, 0, true, true)],
        ),
        (
            vec![told(1, Opened, Left, 4), told(2, Opened, Left, 5)],
            vec![(Left, 4, false, true), (Left, 5, false, true)],
        ),
    ] {
        assert_eq!(findings(&review(reports)), expected);
    }
}

#[test]
fn numbers_are_unique_in_one_run_only() {
    let leak = |count| told(1, State::Opened, Verdict::Leak, count);
    let review = review(vec![
        started("x"),
        leak(2),
        ended(1),
        started("y"),
        leak(3),
        ended(1),
    ]);
    assert_eq!(findings(&review).len(), 2);
    assert_eq!(review.runs().len(), 2);
    assert_eq!(review.summary().findings[0], (Verdict::Leak, 2));
    assert!(review.summary().evidence.conclusive());
}

#[test]
fn lines_of_several_hosts_may_be_mixed() {
    use State::{Opened, Updated};
    let mut review = Review::default();
    let lines = [
        ("a", started("x")),
        ("b", started("y")),
        ("a", told(1, Opened, Verdict::Aged, 2)),
        ("b", told(1, Opened, Verdict::Leak, 5)),
        ("a", told(1, Updated, Verdict::Leak, 4)),
        ("b", ended(1)),
        ("a", ended(1)),
    ];
    for (host, report) in lines {
        let host = host.to_owned();
        let origin = Run {
            host,
            ..Run::default()
        };
        review.take(origin, Some(report));
    }
    let expected = [
        (Verdict::Leak, 4, false, true),
        (Verdict::Leak, 5, false, true),
    ];
    assert_eq!(findings(&review), expected);
    let summary = review.summary();
    assert_eq!(summary.findings[0], (Verdict::Leak, 2));
    assert!(summary.evidence.conclusive());
}

#[test]
fn what_was_withdrawn_is_none_of_it() {
    let over = |why| {
        Report::Finding(Box::new(Finding {
            id: 1,
            state: State::Resolved,
            resolution: Some(why),
            ..testing::finding(Verdict::Leak, 0)
        }))
    };
    for (why, counts, leaks) in [
        (Resolution::Released, true, 1),
        (Resolution::Withdrawn, false, 0),
    ] {
        let leak = told(1, State::Opened, Verdict::Leak, 4);
        let review = review(vec![started("x"), leak, over(why), ended(0)]);
        let [finding] = review.findings() else {
            panic!("one finding");
        };
        assert_eq!(
            (finding.counts(), finding.is_withdrawn()),
            (counts, !counts)
        );
        assert_eq!(review.summary().found(Verdict::Leak), leaks, "{why:?}");
    }
}

#[test]
fn lines_that_a_file_has_not_are_counted() {
    let leak = told(1, State::Opened, Verdict::Leak, 2);
    let left = told(2, State::Opened, Verdict::Left, 5);
    let summary = Summary {
        findings: vec![(Verdict::Leak, 3), (Verdict::Left, 1)],
        left: 25,
        left_untold: Some(4),
        ..Summary::default()
    };
    let stopped = Report::Stopped(Box::new(summary));
    let review = review(vec![started("x"), leak, left, stopped]);
    let (findings, left) = review.untold();
    let some: Vec<_> = findings
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!((some, left), (vec![(Verdict::Leak, 2)], 20));
    assert_eq!(review.summary().left_untold, Some(4));
}

#[test]
fn what_a_file_has_lost_is_in_its_summary() {
    let leak = told(1, State::Opened, Verdict::Leak, 2);
    let summary = review(vec![started("x"), leak.clone(), ended(3)]).summary();
    assert_eq!(summary.findings[0], (Verdict::Leak, 3));
    let summary = review(vec![started("x"), leak]).summary();
    assert_eq!(summary.findings[0], (Verdict::Leak, 1));
    assert!(!summary.evidence.conclusive());
}
