//! `memguard watch -a` while thousands of processes come and go: each is judged, and nothing of
//! them stays in memguard.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use memguard_tests::{
    Account, Counters, Lines, Memguard, Running, by_process, lines::number, machine, program,
    wait_until,
};
use rustix::process::Signal;

const CHILDREN: u64 = 10_000;
const LEFT_BY_EACH: u64 = 5;
const PATIENCE: Duration = Duration::from_mins(1);
/// Two sweeps and more: marks of releases live as long.
const SETTLED: Duration = Duration::from_secs(4);
/// What the rest of the host may do in the meantime.
const OTHERS: u64 = 2000;

/// Ten thousand children, each gone within a millisecond or so, leave 5 descriptors each, and then
/// ten thousand more. All are judged, and afterwards memguard holds no more than it would have
/// without them; the second ten thousand need no memory that the first had not needed.
#[test]
fn ten_thousand_short_children_leave_no_state() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let before = state(&watch(|_| {}));
    let mut children = Vec::new();
    let mut memory = Vec::new();
    let lines = watch(|watch| {
        for _ in 0..2 {
            children.push(storm());
            settle(watch);
            memory.push(anonymous_memory(watch.pid()));
        }
    });
    let after = state(&lines);
    println!("state before: {before:?}");
    println!("state after:  {after:?}");
    println!("anonymous memory after each ten thousand, KiB: {memory:?}");

    for children in &children {
        assert_eq!(children.total(), CHILDREN * LEFT_BY_EACH);
        all_are_judged(&lines, children);
    }
    for (name, count) in after {
        let limit = before.get(&name).copied().unwrap_or(0) + OTHERS;
        assert!(
            count <= limit,
            "{name}: {count} after, at most {limit} expected"
        );
    }
    assert!(memory[1] <= memory[0] + 4096, "it goes on growing");
}

fn storm() -> Account {
    let count = CHILDREN.to_string();
    let storm = Memguard::program(
        Path::new(&program("zoo_processes")),
        &["s40_fork_storm", &count],
    );
    let ran = storm.finish_within(PATIENCE);
    assert_eq!(ran.code, 0);
    Account::of(&ran.stdout)
}

/// Each child is reported with exactly its 5, and none twice.
fn all_are_judged(lines: &Lines, children: &Account) {
    let pids = children.pids();
    let mut left = lines.left_behind();
    left.retain(|finding| pids.contains(&finding.pid()));
    let left = by_process(&left);
    let mut exits: BTreeMap<u64, u64> = BTreeMap::new();
    for exit in lines.events("memguard.process.exited") {
        let pid = number(exit, "/process/pid");
        if pids.contains(&pid) {
            *exits.entry(pid).or_default() += 1;
        }
    }
    let wrong: Vec<_> = left
        .iter()
        .filter(|(_, count)| **count != LEFT_BY_EACH)
        .collect();
    println!(
        "{} children, {} with descriptors left, {} of them with another count than {LEFT_BY_EACH}; \
         {} exits told",
        pids.len(),
        left.len(),
        wrong.len(),
        exits.len()
    );
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(left.len(), pids.len());
    assert!(exits.values().all(|times| *times == 1), "judged twice");
}

/// What is held when the watch ends.
fn state(lines: &Lines) -> BTreeMap<String, u64> {
    let counters = stopped(lines);
    counters.assert_identities();
    ["acquisitions.held", "ledger.held", "ledger.state"]
        .into_iter()
        .map(|name| (name.to_owned(), counters.get(name)))
        .collect()
}

fn stopped(lines: &Lines) -> Counters {
    let stopped = lines.events("memguard.agent.stopped");
    assert_eq!(stopped.len(), 1, "one end");
    Counters::of(stopped[0])
}

/// Watches the whole host while `meanwhile` is done.
fn watch(mut meanwhile: impl FnMut(&Running)) -> Lines {
    let mut watch = Memguard::watch(&["-a", "-d", "5m", "-i", "500ms"]).start();
    watch.wait_for(PATIENCE, "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    meanwhile(&watch);
    watch.signal(Signal::INT);
    watch.finish_within(PATIENCE).lines()
}

/// A span of time: here the clock is the condition.
fn settle(watch: &Running) {
    let over = watch.elapsed() + SETTLED;
    wait_until(SETTLED * 2, "sweeps", || watch.elapsed() >= over);
}

/// Anonymous resident memory of a process, in KiB.
fn anonymous_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap()
}
