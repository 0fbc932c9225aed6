//! `memguard watch -a` while thousands of processes come and go: each is judged. Nothing is asked
//! of the rest of the host, which may do what it likes.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use memguard_tests::{
    Account, Counters, Lines, Memguard, by_process, lines::number, machine, program,
};
use rustix::process::Signal;
use serde_json::Value;

/// Children that it is about.
const CHILDREN: u64 = 10_000;
const LEFT_BY_EACH: u64 = 5;
/// The whole host may keep memguard busy, and others the CPUs.
const PATIENCE: Duration = Duration::from_mins(3);
/// So much that what the rest of the host does at the same time finds room too.
const RING: &str = "67108864";

/// Ten thousand children, each gone within a millisecond or so, leave 5 descriptors each. Every one
/// is judged, whatever else happens on the host; of that, nothing is asked. What memguard holds of
/// them afterwards is asked in `state.rs`, where nobody else is watched.
#[test]
fn ten_thousand_short_children_are_judged() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let options = ["-a", "-d", "10m", "-i", "500ms", "--ring-bytes", RING];
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(PATIENCE, "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    let storm = Storm::of(CHILDREN);
    watch.wait_for(PATIENCE, "every child is judged", |lines| {
        storm.ended(lines).len() as u64 == CHILDREN
    });
    watch.signal(Signal::INT);
    let lines = watch.finish_within(PATIENCE).lines();
    storm.is_judged(&lines);
    let counters = Counters::of(lines.stopped());
    println!("{counters}");
    counters.assert_identities();
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
