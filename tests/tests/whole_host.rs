//! `memguard watch -a` while thousands of processes come and go: each is judged, and nothing of
//! them stays in memguard.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use memguard_tests::{
    Account, Counters, Lines, Memguard, Running, by_process, lines::number, machine, program,
    wait_until,
};
use rustix::process::Signal;
use serde_json::Value;

/// Children that come first, so that what memguard sets up once is there.
const WARM_UP: u64 = 2000;
/// Children that it is about.
const CHILDREN: u64 = 10_000;
const LEFT_BY_EACH: u64 = 5;
const PATIENCE: Duration = Duration::from_mins(1);
/// Marks of releases live for two sweeps, and the modules of the dead twice five seconds.
const SETTLED: Duration = Duration::from_secs(12);

/// What may be more afterwards. The rest of the host has a part in all of it.
const MORE: [(&str, u64); 5] = [
    ("acquisitions.held", CHILDREN / 5),
    ("ledger.held", CHILDREN / 5),
    ("ledger.state", CHILDREN / 5),
    // Whatever is kept of a child beside an entry in a table is a block of its own.
    ("heap.blocks", CHILDREN / 5),
    // Tables give room back that they once needed, but not at once.
    ("heap.bytes", CHILDREN * 64),
];

/// Ten thousand children, each gone within a millisecond or so, leave 5 descriptors each. All are
/// judged, and afterwards memguard holds no more than without them, in entries and on its heap.
#[test]
fn ten_thousand_short_children_leave_no_state() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let before = state_after(&[WARM_UP]);
    let after = state_after(&[WARM_UP, CHILDREN]);
    for (name, more) in MORE {
        let (before, after) = (before.get(name), after.get(name));
        println!("{name}: {before} and then {after}, at most {more} more expected");
        assert!(after <= before + more, "{name}");
    }
}

/// What memguard holds in the end, with storms of so many children, all of them judged.
fn state_after(storms: &[u64]) -> Counters {
    let mut all = Vec::new();
    let lines = watch(|watch| {
        for children in storms {
            let storm = Storm::of(*children);
            watch.wait_for(PATIENCE, "every child is judged", |lines| {
                storm.ended(lines).len() as u64 == *children
            });
            settle(watch);
            all.push(storm);
        }
    });
    for storm in all {
        storm.is_judged(&lines);
    }
    let stopped = lines.events("memguard.agent.stopped");
    assert_eq!(stopped.len(), 1, "one end");
    let counters = Counters::of(stopped[0]);
    counters.assert_identities();
    println!("after {storms:?} children: {counters}");
    counters
}

/// A program that had many children.
struct Storm {
    pid: u64,
    children: BTreeSet<u64>,
}

impl Storm {
    fn of(children: u64) -> Self {
        let storm = Memguard::program(
            Path::new(&program("zoo_processes")),
            &["s40_fork_storm", &children.to_string()],
        );
        let storm = storm.start();
        let pid = u64::from(storm.pid());
        let ran = storm.finish_within(PATIENCE);
        assert_eq!(ran.code, 0);
        let account = Account::of(&ran.stdout);
        assert_eq!(account.total(), children * LEFT_BY_EACH);
        let children = account.pids();
        Self { pid, children }
    }

    /// Whether a line is about a child. Numbers come around quickly here, so that others may have
    /// the same.
    fn is_about(&self, line: &Value) -> bool {
        let parent = line.pointer("/process/parent_pid").and_then(Value::as_u64);
        parent == Some(self.pid) && self.children.contains(&number(line, "/process/pid"))
    }

    /// Children whose end was told, and how often it was.
    fn ended(&self, lines: &Lines) -> BTreeMap<u64, u64> {
        let mut ended = BTreeMap::new();
        for exit in lines.events("memguard.process.exited") {
            if self.is_about(exit) {
                *ended.entry(number(exit, "/process/pid")).or_default() += 1;
            }
        }
        ended
    }

    /// Each child is reported with exactly its 5, and none twice.
    fn is_judged(&self, lines: &Lines) {
        let mut left = lines.left_behind();
        left.retain(|finding| self.is_about(finding.0));
        let left = by_process(&left);
        let mut wrong = left.clone();
        wrong.retain(|_, count| *count != LEFT_BY_EACH);
        let mut twice = self.ended(lines);
        twice.retain(|_, times| *times != 1);
        println!(
            "{} children, {} with descriptors left, {} of them with another count than \
             {LEFT_BY_EACH}; {} judged twice",
            self.children.len(),
            left.len(),
            wrong.len(),
            twice.len()
        );
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(twice.is_empty(), "{twice:?}");
        assert_eq!(left.len(), self.children.len());
    }
}

/// Watches the whole host while `meanwhile` is done.
fn watch(meanwhile: impl FnOnce(&mut Running)) -> Lines {
    let mut watch = Memguard::watch(&["-a", "-d", "5m", "-i", "500ms"]).start();
    watch.wait_for(PATIENCE, "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    meanwhile(&mut watch);
    watch.signal(Signal::INT);
    watch.finish_within(PATIENCE).lines()
}

/// A span of time: here the clock is the condition.
fn settle(watch: &Running) {
    let over = watch.elapsed() + SETTLED;
    wait_until(SETTLED * 2, "sweeps", || watch.elapsed() >= over);
}
