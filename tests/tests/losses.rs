//! More events than anybody can read: every loss is counted, and none of them accuses anybody.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::time::Duration;

use memguard_tests::{
    Lines, Memguard, Ran, by_process, finding::listed, flag, machine, number, program, total,
};
use rustix::process::Signal;

const PATIENCE: Duration = Duration::from_mins(1);

/// Descriptors that each child of `flood` opens, and how many children there are.
const EACH: u64 = 15_000;
const CHILDREN: u64 = 8;

/// 120 000 descriptors opened at full speed and kept, with memguard running beside: whatever is
/// lost is counted, nothing is counted twice, and nobody is charged with more than he holds.
#[test]
fn a_flood_is_counted_to_the_last_event() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = flood("hold", &[]).finish_within(PATIENCE);
    let lost = accounted_for(&ran);
    let lines = ran.lines();
    println!(
        "lost {lost}, left {} of {}",
        total(&lines.left_behind()),
        EACH * CHILDREN
    );
    not_overstated(&lines, EACH);
}

/// The same while memguard is stopped and cannot read at all: the ring must overflow, and the
/// summary must say so.
#[test]
fn losses_are_counted_when_nobody_reads() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = flood_unread("hold");
    let lost = accounted_for(&ran);
    let lines = ran.lines();
    println!(
        "lost {lost}, left {} of {}",
        total(&lines.left_behind()),
        EACH * CHILDREN
    );
    assert!(lost > 0, "the ring cannot hold {} records", EACH * CHILDREN);
    not_overstated(&lines, EACH);
}

/// The same with everything closed again: losing releases accuses nobody.
#[test]
fn lost_releases_accuse_nobody() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = flood_unread("close");
    let lost = accounted_for(&ran);
    let lines = ran.lines();
    let findings = lines.left_behind();
    println!("lost {lost}, left {} of 0", total(&findings));
    assert!(
        lost > 0,
        "the ring cannot hold {} records",
        2 * EACH * CHILDREN
    );
    assert!(findings.is_empty(), "{}", listed(&findings));
}

fn flood(mode: &str, go: &[&str]) -> Memguard {
    let (program, each, children) = (program("flood"), EACH.to_string(), CHILDREN.to_string());
    let command: Vec<&str> = [program.as_str(), &each, &children, mode]
        .iter()
        .chain(go)
        .copied()
        .collect();
    Memguard::run(&[], &command)
}

/// Runs the flood from its first event to its last while memguard itself is stopped.
fn flood_unread(mode: &str) -> Ran {
    let mut running = flood(mode, &["go"]).start();
    running.wait_for_output(Duration::from_secs(10), "ready\n");
    running.signal(Signal::STOP);
    running.type_in("go\n");
    running.wait_for_output(PATIENCE, "flooded\n");
    running.signal(Signal::CONT);
    running.finish_within(PATIENCE)
}

/// The exit code is the command's, both identities hold, and the summary owns up to its losses.
/// Returns how many records were lost.
fn accounted_for(ran: &Ran) -> u64 {
    assert_eq!(ran.code, 0, "the code of the command");
    let lines = ran.lines();
    let counters = lines.counters();
    println!("{counters}");
    counters.assert_identities();
    assert!(
        counters.get("acquisitions.seen") >= EACH * CHILDREN,
        "the flood was traced"
    );
    let lost = counters.lost();
    let summary = lines.summary();
    let said = number(summary, "/memguard/evidence/events_lost");
    let conclusive = flag(summary, "/memguard/evidence/conclusive");
    assert_eq!(said > 0, lost > 0, "the summary tells of losses: {summary}");
    assert!(
        !(conclusive && lost > 0),
        "not conclusive with {lost} lost: {summary}"
    );
    lost
}

fn not_overstated(lines: &Lines, truth: u64) {
    let left = by_process(&lines.left_behind());
    assert!(
        left.len() as u64 <= CHILDREN,
        "more processes than there were: {left:?}"
    );
    let over: Vec<_> = left.iter().filter(|(_, count)| **count > truth).collect();
    assert!(over.is_empty(), "more than {truth} each: {over:?}");
}
