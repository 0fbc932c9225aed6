//! Scenarios of the kernel's semantics of descriptors that are judged while the processes run. They
//! run side by side under one `memguard watch`, at times scaled from a minute to a second; each
//! test then looks at one of them. The steps are in `tests/programs/zoo_running.c` under the same
//! names.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    collections::BTreeMap,
    sync::OnceLock,
    time::{Duration, Instant},
};

use memguard_tests::{
    Account, Driven, Finding, Lines, Memguard, Running, finding::listed, lines::number, machine,
    program, total, wait_until,
};
use rustix::process::Signal;

const WARM_UP: Duration = Duration::from_secs(2);
/// What is called a minute elsewhere, and four looks a second.
const QUICK: [&str; 8] = [
    "--kinds",
    "all",
    "--warm-up",
    "2s",
    "--min-age",
    "1s",
    "-i",
    "250ms",
];
/// Until the last leak has reached its age and been told of.
const SETTLED: Duration = Duration::from_millis(2500);

/// Standard input, output and error, which every program has.
const STANDARD: u64 = 3;

/// How many a program can lose within the time that one look at its table takes.
const AT_ONCE: u64 = 3;

/// Begin as soon as they are watched: what they do first counts as their start.
const AT_THE_START: [&str; 1] = ["s03_plateau"];
/// Begin when the warm-up is over.
const LATER: [&str; 14] = [
    "s01_simple_leak",
    "s03_plateau",
    "s04_slow_leak",
    "s05_late_close",
    "s27_accept_before_attach",
    "s28_preexisting",
    "s29_close_range",
    "s36_leader_gone",
    "s37_thread_unshares",
    "s42_ring_leak",
    "s44_ring_close",
    "s76_compat",
    "s76_compat_reuse",
    "s80_emfile",
];

/// All that the one watch has seen.
struct Watched {
    lines: Lines,
    /// Pid and account, by name; those that begin at the start have "early " before it.
    programs: BTreeMap<String, (u32, Account)>,
}

/// The watch, made by the first test that asks.
fn watched() -> Option<&'static Watched> {
    static WATCHED: OnceLock<Watched> = OnceLock::new();
    let _alone = machine::ready()?;
    Some(WATCHED.get_or_init(watch_all))
}

fn watch_all() -> Watched {
    let zoo = program("zoo_running");
    let mut early = AT_THE_START.map(|name| Driven::start(&zoo, &[name]));
    let mut later = LATER.map(|name| Driven::start(&zoo, &[name]));
    let pids: Vec<_> = early
        .iter()
        .chain(&later)
        .map(|one| one.pid().to_string())
        .collect();
    let watch = watch(&pids.join(","));
    let attached = Instant::now();
    early.iter_mut().for_each(Driven::go);
    wait_until(WARM_UP * 2, "the end of the warm-up", || {
        attached.elapsed() > WARM_UP
    });
    later.iter_mut().for_each(Driven::go);

    for one in early.iter().chain(&later) {
        wait_until(Duration::from_secs(20), one.said(), || one.is_done());
    }
    let done = Instant::now();
    wait_until(SETTLED * 2, "the last leak's age", || {
        done.elapsed() > SETTLED
    });
    watch.signal(Signal::INT);
    let lines = watch.finish_within(Duration::from_secs(10)).lines();
    let outcome = |one: &Driven| (one.pid(), one.account());
    let early = AT_THE_START.iter().zip(&early);
    let early = early.map(|(name, one)| (format!("early {name}"), outcome(one)));
    let later = LATER.iter().zip(&later);
    let later = later.map(|(name, one)| ((*name).to_owned(), outcome(one)));
    Watched {
        lines,
        programs: early.chain(later).collect(),
    }
}

fn watch(pids: &str) -> Running {
    let options: Vec<&str> = ["-p", pids, "-d", "5m"]
        .iter()
        .chain(&QUICK)
        .copied()
        .collect();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(Duration::from_secs(5), "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    watch
}

/// What this process and the watch say of it: every finding line, and what is open in the end.
#[track_caller]
fn of(name: &str) -> Option<(Vec<Finding<'static>>, &'static Lines, &'static Account)> {
    let Watched { lines, programs } = watched()?;
    let (pid, account) = &programs[name];
    if let Some(reason) = account.skipped() {
        println!("SKIPPED: {reason}");
        return None;
    }
    let mut findings = lines.finding_lines();
    findings.retain(|finding| finding.pid() == u64::from(*pid));
    println!("{}", listed(&findings));
    Some((findings, lines, account))
}

/// What leaks is found, and its last count is exact.
#[track_caller]
fn leaks(name: &str) -> Option<Vec<Finding<'static>>> {
    let (findings, lines, account) = of(name)?;
    let pid = findings.first().map(|finding| finding.pid());
    let mut last = lines.findings("leak");
    last.retain(|finding| Some(finding.pid()) == pid);
    account.compare(&last);
    let first = findings
        .iter()
        .find(|finding| finding.verdict() == "leak")
        .unwrap();
    assert!(
        first.open_count() < total(&last),
        "found only when it was over: {first}"
    );
    Some(findings)
}

/// What does not leak is never called a leak.
#[track_caller]
fn never_leaks(name: &str) {
    let Some((mut findings, _, account)) = of(name) else {
        return;
    };
    let seen = findings.len();
    findings.retain(|finding| finding.verdict() == "leak" || finding.warns());
    println!("{seen} finding lines, {} of them alarming", findings.len());
    assert_eq!(account.total(), 0);
    assert!(findings.is_empty(), "{}", listed(&findings));
}

/// One every ten milliseconds.
#[test]
fn s01_simple_leak() {
    leaks("s01_simple_leak");
}

/// Five hundred from the start, kept for ever.
#[test]
fn s03_cache_plateau() {
    never_leaks("early s03_plateau");
}

/// The same after the warm-up: old, but no pile.
#[test]
fn s03_late_cache_plateau() {
    never_leaks("s03_plateau");
}

/// One of a thousand.
#[test]
fn s04_slow_leak() {
    leaks("s04_slow_leak");
}

/// Long lives in a steady population.
#[test]
fn s05_late_close() {
    never_leaks("s05_late_close");
}

/// The first accept was blocked before memguard came; its connection is counted as the others are.
#[test]
fn s27_accept_before_attach() {
    leaks("s27_accept_before_attach");
}

/// What was open before, and is closed later, is counted at once and never a leak.
#[test]
fn s28_preexisting() {
    never_leaks("s28_preexisting");
    let Some(Watched { lines, programs }) = watched() else {
        return;
    };
    let (pid, _) = &programs["s28_preexisting"];
    let census = lines.event_of("memguard.census", *pid).unwrap();
    let said = number(census, "/memguard/census/preexisting_count");
    println!("census says {said} open before, truth 100 and {STANDARD}");
    assert_eq!(said, 100 + STANDARD);
}

/// Fifty at a time, closed by one call.
#[test]
fn s29_close_range() {
    never_leaks("s29_close_range");
}

/// A process whose first thread has gone is looked at through another.
#[test]
fn s36_leader_gone() {
    leaks("s36_leader_gone");
}

/// A thread's own table is looked at through that thread.
#[test]
fn s37_thread_unshares() {
    leaks("s37_thread_unshares");
}

/// Opened by `io_uring`, without a system call for each.
#[test]
fn s42_ring_leak() {
    leaks("s42_ring_leak");
}

/// Closed by `io_uring`, of which nobody tells.
#[test]
fn s44_ring_close() {
    never_leaks("s44_ring_close");
}

/// Opened through the 32-bit interface: found by looking at the table.
#[test]
fn s76_compat_32() {
    leaks("s76_compat");
}

/// The same under numbers that were open before and were closed by `close_range`.
#[test]
#[ignore = "a number that was open at the start, closed and opened again without a trace, looks unchanged"]
fn s76_compat_32_reuse() {
    leaks("s76_compat_reuse");
}

/// Up to the limit, and the finding says how far that is.
#[test]
fn s80_emfile() {
    let Some(findings) = leaks("s80_emfile") else {
        return;
    };
    let limits: Vec<_> = findings.iter().filter_map(|it| it.limit()).collect();
    println!("limit and use, as told: {limits:?}");
    assert!(
        limits
            .iter()
            .any(|(limit, used)| *limit == 256 && *used > 128),
        "the limit is never told"
    );
}

/// memguard is killed while a leak goes on, and started again: it finds the leak again, and what
/// was lost before is counted as open before, not as a leak.
#[test]
fn s82_agent_restart() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let mut leaker = Driven::start(&program("zoo_running"), &["s01_simple_leak", "16"]);
    let pid = leaker.pid();
    let mut first = watch(&pid.to_string());
    wait_until(WARM_UP * 2, "the end of the warm-up", || {
        first.elapsed() > WARM_UP + Duration::from_millis(200)
    });
    leaker.go();
    let found = Duration::from_secs(15);
    let leak = |lines: &Lines| !lines.findings("leak").is_empty();
    let lines = first.wait_for(found, "a leak finding", leak);
    let before = total(&lines.findings("leak"));
    drop(first);

    let mut second = watch(&pid.to_string());
    let lines = second.wait_for(found, "the leak again", leak);
    let after = total(&lines.findings("leak"));
    let census = lines.event_of("memguard.census", pid).unwrap();
    let preexisting = number(census, "/memguard/census/preexisting_count");
    println!("first {before}; then {preexisting} open before, of which {after} more leaked");
    assert!(leaker.lives() && !leaker.is_done());
    assert!(
        preexisting >= before,
        "what was lost under the first is open before the second"
    );

    wait_until(Duration::from_secs(30), "all is lost", || leaker.is_done());
    let done = second.elapsed() + SETTLED;
    wait_until(SETTLED * 2, "the last leak's age", || {
        second.elapsed() > done
    });
    second.signal(Signal::INT);
    let ran = second.finish_within(Duration::from_secs(10));
    let lost = leaker.account().total();
    let told = total(&ran.lines().findings("leak"));
    let late = lost + STANDARD - preexisting;
    println!("lost {lost}, of which {late} under the second, which told of {told}");
    // What is lost between the attachment and the look at /proc is seen by both.
    assert!(
        (late..=late + AT_ONCE).contains(&told),
        "all that was lost under the second, and nothing from before"
    );
}
