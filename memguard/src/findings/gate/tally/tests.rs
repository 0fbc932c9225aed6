use std::{slice, sync::Arc};

use super::*;
use crate::model::{
    finding::{Moment, Resolution},
    origin::{NamedStack, Origin, StackId},
    testing,
};

fn tally(gate: &str) -> GateTally {
    GateTally::new(gate.parse().expect(gate))
}

fn told(id: u64, verdict: Verdict, open_count: u64) -> Finding {
    Finding {
        id,
        ..testing::finding(verdict, open_count)
    }
}

fn from(place: &str, finding: Finding) -> Finding {
    let stack = NamedStack {
        id: StackId(1),
        frames: Vec::new(),
        incomplete: None,
        interpreter: None,
    };
    let origin = Origin {
        stack: Arc::new(stack),
        place: Some(place.to_owned()),
        topic: None,
    };
    Finding {
        origin: Some(origin),
        ..finding
    }
}

fn over(id: u64, verdict: Verdict, why: Resolution) -> Finding {
    Finding {
        state: State::Resolved,
        resolution: Some(why),
        ..told(id, verdict, 0)
    }
}

fn at_exit(finding: Finding) -> Finding {
    Finding {
        moment: Moment::Exit,
        ..finding
    }
}

fn near(used: u64) -> Finding {
    let limit = Limit {
        name: "RLIMIT_NOFILE",
        value: 100,
        used,
        exhausted_in: None,
        uncertainty: None,
    };
    Finding {
        limit: Some(limit),
        ..told(1, Verdict::Exhaustion, used)
    }
}

fn check(gate: &str, findings: &[Finding], expected: bool, why: &str) {
    let mut tally = tally(gate);
    for finding in findings {
        tally.take(finding, true);
    }
    let reached = tally.reached();
    assert_eq!(reached.is_some(), expected, "{gate}: {why}: {reached:?}");
}

#[test]
fn a_gate_is_reached_by_what_it_names() {
    use Verdict::{Aged, Growth, Leak, Left, Suspect};
    for (gate, verdicts) in [
        ("never", &[][..]),
        ("leak", &[Leak]),
        ("growth", &[Leak, Growth]),
        ("suspect", &[Leak, Suspect]),
        ("left", &[]),
    ] {
        for verdict in [Leak, Growth, Suspect, Aged] {
            let expected = verdicts.contains(&verdict);
            check(gate, &[told(1, verdict, 4)], expected, verdict.name());
        }
    }
    let left = at_exit(told(1, Left, 3));
    check("left", slice::from_ref(&left), true, "left");
    check("left:3", slice::from_ref(&left), true, "as many");
    check("left:4", slice::from_ref(&left), false, "too few");
    check(
        "left:4",
        &[left.clone(), at_exit(told(2, Leak, 1))],
        true,
        "a leak is left too",
    );
    check("leak", &[left], false, "left is no leak");
}

#[test]
fn a_limit_counts_from_its_half_on() {
    check("exhaustion", &[near(49)], false, "below half");
    check("exhaustion", &[near(49), near(50)], true, "it came to half");
    let fell = Finding {
        state: State::Updated,
        ..near(49)
    };
    check("exhaustion", &[near(80), fell], false, "it fell");
    check("leak", &[near(99)], false, "it is not asked for");
}

#[test]
fn what_is_withdrawn_or_was_a_mere_suspicion_reaches_no_gate() {
    use Resolution::{Ended, Released, Withdrawn};
    use Verdict::{Exhaustion, Leak, Suspect};
    for (verdict, why, expected) in [
        (Leak, Released, true),
        (Leak, Ended, true),
        (Leak, Withdrawn, false),
        (Suspect, Released, false),
        (Suspect, Ended, true),
        (Suspect, Withdrawn, false),
    ] {
        let steps = [told(1, verdict, 9), over(1, verdict, why)];
        check("suspect", &steps, expected, &format!("{verdict:?} {why:?}"));
    }
    let steps = [near(90), over(1, Exhaustion, Ended)];
    check("exhaustion", &steps, true, "it ended full");
    let steps = [near(90), over(1, Exhaustion, Withdrawn)];
    check("exhaustion", &steps, false, "withdrawn");
}

#[test]
fn a_finding_counts_as_it_was_told_last_and_only_if_it_counts() {
    let mut tally = tally("leak");
    let updated = |verdict| Finding {
        state: State::Updated,
        ..told(1, verdict, 9)
    };
    tally.take(&told(1, Verdict::Suspect, 9), true);
    tally.take(&updated(Verdict::Leak), true);
    tally.take(&updated(Verdict::Leak), true);
    let reached = tally.reached().expect("it leaks");
    assert!(reached.starts_with("1 leak ("), "{reached}");
    tally.take(&updated(Verdict::Cleared), true);
    assert_eq!(tally.reached(), None, "it was cleared");
    tally.take(&told(2, Verdict::Leak, 9), false);
    tally.take(&over(2, Verdict::Leak, Resolution::Ended), true);
    assert_eq!(tally.reached(), None, "it is suppressed");
    assert!(tally.living.is_empty());
}

#[test]
fn the_reason_is_one_line_and_names_the_largest() {
    let mut leaks = tally("leak");
    leaks.take(&from("get (pool.c:8)", told(1, Verdict::Leak, 4)), true);
    leaks.take(
        &from("load (orders.c:41)", told(2, Verdict::Leak, 16)),
        true,
    );
    let expected = "2 leaks (files from load (orders.c:41) of pid 7, 16 of them), --fail-on leak";
    assert_eq!(leaks.reached().as_deref(), Some(expected));

    let mut left = tally("exhaustion,left:7");
    left.take(&near(60), true);
    left.take(&at_exit(from("f", told(2, Verdict::Left, 7))), true);
    let expected = "1 count near its limit (60 of RLIMIT_NOFILE 100 in use by pid 7), 7 descriptors \
                    left at exit (files from f of pid 7, 7 of them), --fail-on \
                    exhaustion,left:7";
    assert_eq!(left.reached().as_deref(), Some(expected));
}

#[test]
fn names_that_programs_choose_are_cut() {
    let mut tally = tally("leak");
    let place = "f".repeat(5_000);
    tally.take(&from(&place, told(1, Verdict::Leak, 4)), true);
    let reason = tally.reached().expect("it leaks");
    assert!(
        reason.chars().count() < 300 && reason.contains("ff… of"),
        "{reason}"
    );
}

#[test]
fn what_a_file_has_lost_counts_too() {
    let mut tally = tally("leak,left:5");
    tally.untold(Verdict::Leak, 0);
    tally.untold(Verdict::Growth, 3);
    tally.untold_left(4);
    assert_eq!(tally.reached(), None);
    tally.untold(Verdict::Leak, 2);
    tally.untold_left(1);
    let expected = "2 leaks, 5 descriptors left at exit, --fail-on leak,left:5";
    assert_eq!(tally.reached().as_deref(), Some(expected));
}
