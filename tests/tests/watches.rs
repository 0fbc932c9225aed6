//! Watches of inotify, any number of which are in one descriptor: `s78_watches` of
//! `tests/programs/zoo_tasks.c` forgets every other one.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::time::Duration;

use memguard_tests::{Driven, Finding, Memguard, machine, program, wait_until};
use rustix::process::Signal;

/// They are told with their limit, and nothing else of the process is.
#[test]
fn watches_that_pile_up_are_told() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let mut watcher = Driven::start(&program("zoo_tasks"), &["s78_watches", "60"]);
    let pid = watcher.pid();
    let options = "-d 5m --kinds all --warm-up 3s --min-age 2s -i 1s -p";
    let target = pid.to_string();
    let options: Vec<&str> = options.split(' ').chain([&*target]).collect();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(Duration::from_secs(20), "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    watcher.go();
    let is_watches = |finding: &Finding<'_>| finding.kind() == "inotify-watch";
    watch.wait_for(Duration::from_mins(1), "watches", |lines| {
        lines.latest_findings().iter().any(is_watches)
    });
    watch.signal(Signal::INT);
    let lines = watch.finish_within(Duration::from_secs(20)).lines();
    let mut findings = lines.latest_findings();
    findings.retain(|finding| finding.pid() == u64::from(pid) && finding.verdict() == "leak");
    let [told] = findings.as_slice() else {
        panic!("not one finding: {findings:?}");
    };
    println!("{told}");
    assert_eq!((told.resource(), told.kind()), ("watch", "inotify-watch"));
    assert!(told.open_count() >= 10, "{}", told.open_count());
    let (limit, used) = told.limit().expect("a limit");
    assert!(
        used >= told.open_count() && used < limit,
        "{used} of {limit}"
    );
    watcher.end_input();
    wait_until(Duration::from_mins(2), "its end", || !watcher.lives());
}
