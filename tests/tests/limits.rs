//! Counts that head for their limit, and what was open before memguard attached: told within
//! seconds, and silent where nothing is wrong.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::time::Duration;

use memguard_tests::{
    Driven, Finding, Lines, Memguard, Running, finding::listed, machine, number, program, text,
};

/// From attaching on, with what starting takes.
const SOON: Duration = Duration::from_secs(10);
/// Starting, on a host that is busy.
const START: Duration = Duration::from_secs(20);

fn watch(pid: u32) -> Running {
    watch_all(&pid.to_string())
}

fn watch_all(pids: &str) -> Running {
    let options = ["-p", pids, "-i", "2s", "-d", "5m"];
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(START, "memguard attaches", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    watch
}

fn has(lines: &Lines, verdict: &str) -> bool {
    !lines.findings(verdict).is_empty()
}

fn body(finding: Finding<'_>) -> &str {
    text(finding.0, "/body")
}

/// 400 files of before and ten a second: the limit of 1024 is near long before anything is a leak.
#[test]
fn a_limit_that_is_near_is_told_at_once() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let leaking = Driven::start(&program("limits"), &["fill", "1024", "400", "10"]);
    let mut watch = watch(leaking.pid());
    let lines = watch.wait_for(SOON, "exhaustion and hoard", |lines| {
        has(lines, "exhaustion") && has(lines, "hoard")
    });
    let exhaustion = lines.findings("exhaustion");
    let [exhaustion] = &exhaustion[..] else {
        panic!("one is told: {}", listed(&exhaustion));
    };
    println!("{exhaustion}");
    assert_eq!((exhaustion.resource(), exhaustion.kind()), ("fd", "all"));
    let (limit, used) = exhaustion.limit().unwrap();
    assert!(limit == 1024 && (400..1024).contains(&used), "{used}");
    let pace = exhaustion.slope_per_second().unwrap();
    assert!((6.0..=11.0).contains(&pace), "{pace} a second");
    let sites = exhaustion.sites();
    let most = sites.first().unwrap();
    assert!((1..=used).contains(&most.count), "{sites:?}");
    let before = number(exhaustion.0, "/memguard/finding/hoarded_count");
    assert!((400..=used).contains(&before), "{before} of before");

    let hoards = lines.findings("hoard");
    println!("{}", listed(&hoards));
    let said = body(hoards[0]);
    let of = "/etc/passwd, acquired before memguard attached";
    assert!(said.ends_with(of), "{said}");
    assert!(hoards[0].open_count() >= 400 && !hoards[0].warns());
}

/// A process that may open nothing any more.
#[test]
fn a_limit_that_is_reached_is_told() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let full = Driven::start(&program("limits"), &["fill", "128", "128", "5"]);
    let mut watch = watch(full.pid());
    let lines = watch.wait_for(SOON, "exhaustion", |lines| has(lines, "exhaustion"));
    let exhaustion = lines.findings("exhaustion");
    // `/proc` may count a number that is just being taken.
    let (limit, used) = exhaustion[0].limit().expect("a limit");
    assert!(
        limit == 128 && (128..=129).contains(&used),
        "{used} of {limit}"
    );
    assert!(exhaustion[0].warns(), "nothing is left");
}

#[test]
fn connections_that_only_this_side_can_close_are_a_hoard() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let holding = Driven::start(&program("limits"), &["half-closed", "40"]);
    let mut watch = watch(holding.pid());
    let lines = watch.wait_for(SOON, "a hoard", |lines| has(lines, "hoard"));
    let hoards = lines.findings("hoard");
    println!("{}", listed(&hoards));
    assert_eq!((hoards[0].kind(), hoards[0].open_count()), ("tcp", 40));
    assert!(body(hoards[0]).contains("CLOSE_WAIT"));
    assert!(hoards[0].warns(), "nobody else can close them");
}

/// Not only descriptors have limits.
#[test]
fn mappings_memory_and_threads_have_limits_too() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let all = [
        ("mmap/all", "vm.max_map_count", &["map", "400"][..]),
        ("mmap/space", "RLIMIT_AS", &["grow", "600", "8"]),
        ("thread/all", "RLIMIT_NPROC", &["start", "300", "4"]),
    ];
    let programs = all.map(|(_, _, arguments)| Driven::start(&program("limits"), arguments));
    let pids = programs.each_ref().map(|it| it.pid().to_string()).join(",");
    let mut watch = watch_all(&pids);
    let lines = watch.wait_for(Duration::from_secs(40), "three exhaustions", |lines| {
        lines.findings("exhaustion").len() >= all.len()
    });
    let told = lines.findings("exhaustion");
    println!("{}", listed(&told));
    for ((kind, limit, _), program) in all.iter().zip(&programs) {
        let of = |it: &&Finding<'_>| it.pid() == u64::from(program.pid());
        let told = told.iter().find(of).expect(kind);
        let is = format!("{}/{}", told.resource(), told.kind());
        assert_eq!((&*is, told.limit_name()), (*kind, Some(*limit)));
    }
}

/// Many files, each another one; a pool; a count that goes up and down by a fifth of its limit.
#[test]
fn what_is_ordinary_is_neither() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let healthy = Driven::start(&program("limits"), &["healthy"]);
    let pid = healthy.pid().to_string();
    let options = [
        "-p",
        &pid,
        "-i",
        "2s",
        "-d",
        "25s",
        "--warm-up",
        "5s",
        "--min-age",
        "5s",
    ];
    let ran = Memguard::watch(&options).finish_within(START + Duration::from_secs(25));
    let lines = ran.lines();
    let told: Vec<Finding<'_>> = lines
        .finding_lines()
        .into_iter()
        .filter(|finding| matches!(finding.verdict(), "exhaustion" | "hoard"))
        .collect();
    assert!(told.is_empty(), "{}", listed(&told));
}
