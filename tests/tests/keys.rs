//! Keys of the kernel: those that a process adds and never unlinks are told with their place and
//! their user's quota, also when it has ended; those that come and go are not.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{path::Path, time::Duration};

use memguard_tests::{Memguard, Running, finding::listed, machine, program, text};
use rustix::process::Signal;

/// Keys are looked for every five seconds, and growth takes a minute of them.
const TOLD: Duration = Duration::from_mins(4);

fn keys(arguments: &[&str]) -> Running {
    Memguard::program(program("keys").as_ref(), arguments).start()
}

/// Without the support of the kernel there are none.
fn are_there() -> bool {
    let there = Path::new("/proc/key-users").exists();
    if !there {
        println!("skipped: this kernel has no keys (CONFIG_KEYS)");
    }
    there
}

#[test]
fn keys_that_pile_up_are_told_and_those_that_come_and_go_are_not() {
    let Some(_alone) = machine::ready().filter(|_| are_there()) else {
        return;
    };
    let [pile, churn, update] = ["pile", "churn", "update"].map(|mode| keys(&[mode]));
    let pids = [&pile, &churn, &update].map(|it| it.pid().to_string());
    let pids = pids.join(",");
    let options = "-d 10m --warm-up 3s --min-age 2s -i 1s -p";
    let options: Vec<&str> = options.split(' ').chain([&*pids]).collect();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(TOLD, "a leak", |lines| !lines.findings("leak").is_empty());
    watch.signal(Signal::TERM);
    let lines = watch.finish_within(Duration::from_secs(30)).lines();
    let findings = lines.latest_findings();
    println!("{}", listed(&findings));
    let [told] = findings.as_slice() else {
        panic!("not one finding: {}", listed(&findings));
    };
    assert_eq!(told.pid(), u64::from(pile.pid()));
    let is = (told.verdict(), told.resource(), told.kind());
    assert_eq!(is, ("leak", "key", "key"));
    assert!(text(told.0, "/body").contains("add (keys.c:"));
    let (limit, used) = told.limit().expect("a quota");
    assert!(
        told.open_count() <= used && used < limit,
        "{used} of {limit}"
    );
}

#[test]
fn keys_that_are_left_to_a_user_are_told_and_those_of_a_session_are_not() {
    let Some(_alone) = machine::ready().filter(|_| are_there()) else {
        return;
    };
    let left = |mode: &str| {
        let ran = Memguard::run(&[], &[&program("keys"), mode, "3"]).finish();
        assert_eq!(ran.code, 0, "{}", ran.output());
        let lines = ran.lines();
        let findings = lines.latest_findings();
        println!("{}", listed(&findings));
        let told = findings.iter().map(|it| (it.kind(), it.open_count()));
        let told: Vec<_> = told.map(|(kind, count)| (kind.to_owned(), count)).collect();
        told
    };
    assert_eq!(left("leave"), [("key".to_owned(), 3)]);
    assert_eq!(left("session"), []);
}

/// Two hundred keys are all that a user other than root may have, as the kernel comes.
#[test]
fn a_quota_that_is_near_is_told_at_once() {
    let Some(_alone) = machine::ready().filter(|_| are_there()) else {
        return;
    };
    let user = format!("--reuid={}", 50_000 + std::process::id() % 10_000);
    let program = program("keys");
    let arguments = [&*user, "--clear-groups", &*program, "pile"];
    let pile = Memguard::program("setpriv".as_ref(), &arguments).start();
    let pid = pile.pid().to_string();
    let mut watch = Memguard::watch(&["-p", &pid, "-d", "5m"]).start();
    let lines = watch.wait_for(Duration::from_secs(40), "exhaustion", |lines| {
        !lines.findings("exhaustion").is_empty()
    });
    let findings = lines.findings("exhaustion");
    println!("{}", listed(&findings));
    let told = findings.first().expect("it is told");
    assert_eq!((told.resource(), told.kind()), ("key", "all"));
    assert_eq!(told.limit_name(), Some("kernel.keys.maxkeys"));
    assert!(text(told.0, "/body").contains("most from add (keys.c:"));
}
