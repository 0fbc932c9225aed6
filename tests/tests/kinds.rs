//! What is open is told as what the kernel has it for, while a process runs and when it has ended.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{collections::BTreeMap, thread, time::Duration};

use memguard_tests::{
    Driven, Finding, Memguard,
    finding::{listed, total},
    machine,
    origins::stack::Stack,
    program,
};

const START: Duration = Duration::from_secs(20);

/// What `kinds_at_exit all` opens.
const ALL: [(&str, u64); 8] = [
    ("device", 3),
    ("dir", 4),
    ("file", 3),
    ("memfd", 1),
    ("other", 1),
    ("pipe", 1),
    ("pty", 1),
    ("unix", 1),
];

fn kinds<'a>(findings: &[Finding<'a>]) -> BTreeMap<&'a str, u64> {
    println!("{}", listed(findings));
    let mut kinds = BTreeMap::new();
    for finding in findings {
        *kinds.entry(finding.kind()).or_default() += finding.open_count();
    }
    kinds
}

#[test]
fn a_kind_is_the_same_while_running_and_at_the_end() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let mut opens = Driven::start(&program("kinds_at_exit"), &["all"]);
    let pid = opens.pid();
    let options = "-d 5m --kinds all --warm-up 1s --min-age 2s -i 1s -p";
    let target = pid.to_string();
    let options: Vec<&str> = options.split(' ').chain([&*target]).collect();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(START, "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    // What comes during the warm-up is resident.
    thread::sleep(Duration::from_secs(2));
    opens.go();
    let count = ALL.iter().map(|(_, count)| count).sum::<u64>();
    let lines = watch.wait_for(Duration::from_secs(40), "all is aged", |lines| {
        total(&lines.findings("aged")) >= count
    });
    assert_eq!(kinds(&lines.findings("aged")), BTreeMap::from(ALL));
    opens.end_input();
    let lines = watch.wait_for(START, "all is left", |lines| {
        total(&lines.findings("left")) >= count
    });
    assert_eq!(kinds(&lines.findings("left")), BTreeMap::from(ALL));
}

/// How many were left of each kind by each function among these, and by others.
fn left(how: &str, functions: &[&str]) -> BTreeMap<(String, String), u64> {
    let ran = Memguard::run(&[], &[&program("kinds_at_exit"), how]).finish();
    let lines = ran.lines();
    let findings = lines.findings("left");
    println!("{}", listed(&findings));
    let mut left = BTreeMap::new();
    for finding in findings {
        let stack = Stack::of(finding.0).expect("a stack");
        let has = |function: &&&str| {
            let mut named = stack.frames.iter().filter_map(|it| it.function.as_deref());
            named.any(|it| it == **function)
        };
        let by = functions.iter().find(has).map_or("another", |it| *it);
        let key = (finding.kind().to_owned(), by.to_owned());
        *left.entry(key).or_default() += finding.open_count();
    }
    left
}

fn expected(all: &[(&str, &str, u64)]) -> BTreeMap<(String, String), u64> {
    let each = all.iter();
    let each = each.map(|(kind, by, count)| (((*kind).to_owned(), (*by).to_owned()), *count));
    each.collect()
}

#[test]
fn a_number_below_three_makes_no_standard_stream() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    assert_eq!(left("low", &["low"]), expected(&[("file", "low", 2)]));
    assert_eq!(left("daemon", &[]), expected(&[]), "nor a leak of one");
}

#[test]
fn what_a_thread_left_in_a_table_of_its_own_is_told() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let by_both = expected(&[("file", "in_thread", 2), ("file", "thread", 1)]);
    assert_eq!(left("thread", &["in_thread", "thread"]), by_both);
}
