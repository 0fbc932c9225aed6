//! Processes are judged at the moment they exit, however short they live and however they end:
//! each exactly once, and each with exactly what it held.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use memguard_tests::{
    Lines, Memguard, Ran, by_process, flag, machine, number, program, text, total,
};

const PATIENCE: Duration = Duration::from_mins(1);

/// 1000 processes whose 2 to 8 threads all exit at the same time, by three ways of ending.
#[test]
fn threads_that_exit_together() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    every_child_left_one(&["spin_exit", "1000", "20"], 1000);
}

/// 3000 forked children, one after the other, gone within a millisecond.
#[test]
fn short_children() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    every_child_left_one(&["short_children", "3000"], 3000);
}

/// 300 children that execute a program first.
#[test]
fn short_children_that_execute() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    every_child_left_one(&["short_children", "300", "exec"], 300);
}

fn every_child_left_one(command: &[&str], children: usize) {
    let program = program(command[0]);
    let command: Vec<&str> = [program.as_str()]
        .into_iter()
        .chain(command[1..].iter().copied())
        .collect();
    let ran = Memguard::run(&[], &command).finish_within(PATIENCE);
    assert_eq!(ran.code, 0);
    let lines = ran.lines();
    let truth = pids(&ran);
    assert_eq!(
        truth.len(),
        children,
        "the program has said whom it started"
    );
    exited_once_each(&lines, &truth);

    let left = lines.left_behind();
    let per_process = by_process(&left);
    println!(
        "left {} by {} processes, expected 1 by each of {children}",
        total(&left),
        per_process.len()
    );
    let wrong: Vec<_> = per_process
        .iter()
        .filter(|(_, count)| **count != 1)
        .collect();
    assert_eq!(per_process.keys().copied().collect::<BTreeSet<_>>(), truth);
    assert!(
        wrong.is_empty(),
        "processes with another count than 1: {wrong:?}"
    );
    lines.counters().assert_identities();
}

/// The pids that the program printed.
fn pids(ran: &Ran) -> BTreeSet<u64> {
    ran.stdout
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect()
}

/// There is one `memguard.process.exited` for each of `pids`, told apart by pid and start time; it
/// was judged by the kernel's own table, which held 1.
fn exited_once_each(lines: &Lines, pids: &BTreeSet<u64>) {
    let mut exits: BTreeMap<(u64, &str), usize> = BTreeMap::new();
    for line in lines.events("memguard.process.exited") {
        let pid = number(line, "/process/pid");
        if pids.contains(&pid) {
            assert_eq!(number(line, "/memguard/exit/left_count"), 1, "{line}");
            assert!(flag(line, "/memguard/exit/verified"), "{line}");
            *exits
                .entry((pid, text(line, "/process/creation/time")))
                .or_default() += 1;
        }
    }
    let repeated: Vec<_> = exits.iter().filter(|(_, times)| **times > 1).collect();
    println!("{} exits of {} processes", exits.len(), pids.len());
    assert!(repeated.is_empty(), "judged more than once: {repeated:?}");
    let judged: BTreeSet<u64> = exits.keys().map(|(pid, _)| *pid).collect();
    let missing: Vec<_> = pids.difference(&judged).collect();
    assert!(missing.is_empty(), "never judged: {missing:?}");
    assert_eq!(exits.len(), pids.len());
}
