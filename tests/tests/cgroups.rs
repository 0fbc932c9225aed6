//! Control groups as a whole: of many processes none grows, and all of them together do.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::time::Duration;

use memguard_tests::{Cgroup, Driven, Memguard, lines::text, machine, program, wait_until};
use rustix::process::Signal;

/// Of many processes none grows by much, and all of them together do.
#[test]
fn many_small_processes_grow_together() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let cgroup = Cgroup::make();
    let path = cgroup.path().to_str().unwrap();
    let mut many = Driven::start(&program("zoo_growth"), &["s77_many_small"]);
    cgroup.takes(many.pid());
    let options = "-d 5m --kinds heap --warm-up 3s --min-age 2s -i 1s --cgroup";
    let options: Vec<&str> = options.split(' ').chain([path]).collect();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(Duration::from_secs(20), "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    many.go();
    watch.wait_for(Duration::from_mins(1), "a group that grows", |lines| {
        !lines.findings("growth").is_empty()
    });
    wait_until(Duration::from_mins(1), "all of them", || many.is_done());
    watch.signal(Signal::INT);
    let lines = watch.finish_within(Duration::from_secs(20)).lines();
    let growing = lines.findings("growth");
    for finding in &growing {
        println!("{finding}, {:?} bytes/s", finding.slope_per_second());
        assert_eq!(text(finding.0, "/memguard/finding/cgroup"), path);
    }
    assert!(!growing.is_empty(), "nothing grows");
    // 512 KiB and what a process needs besides, four times a second.
    let slope = growing[0].slope_per_second().unwrap();
    assert!((1.4e6..3.5e6).contains(&slope), "{slope}");
    drop(many);
}
