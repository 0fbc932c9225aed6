//! Who touches new memory, where `--attribute faults` asks: programs whose memory one function gets
//! from the kernel and another writes to first. What they say of themselves, by the clock of the
//! day, is what the estimates are held against; `tests/programs/touch_growth.c` has the steps.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::time::{Duration, Instant};

use memguard_tests::{
    Driven, Finding, Lines, Memguard, Running, finding::Touched, machine, number, program,
    wait_until,
};
use rustix::process::Signal;

const OPTIONS: [&str; 12] = [
    "-d",
    "5m",
    "--kinds",
    "heap",
    "--warm-up",
    "2s",
    "--min-age",
    "1s",
    "-i",
    "1s",
    "--growth-warning",
    "1M",
];
/// How far an estimate may be from the truth.
const NEAR: std::ops::Range<f64> = 0.75..1.25;
/// From here on a quarter is more than chance makes of every 64th fault.
const ENOUGH: u64 = 64 << 20;

/// Who gets memory from the kernel is a site, who writes to it first is told as who touches, with
/// how much; of a process that is not watched, and of what was given back, nothing is told.
#[test]
fn who_touches_is_told_apart_from_who_acquires() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let mut programs = start(&["leak", "other", "other"]);
    let [leak, other, unwatched] = &mut programs[..] else {
        panic!("three programs");
    };
    let pids = format!("{},{}", leak.pid(), other.pid());
    let watch = start_watch(&pids, &["--attribute", "faults"]);
    for program in [&mut *leak, other, unwatched] {
        program.go();
    }
    let told = |program: &Driven, lines: &Lines| {
        let growth = last_growth(lines, program.pid());
        growth.is_some_and(|growth| growth.open_bytes() > Some(ENOUGH))
    };
    wait_until(Duration::from_mins(2), "both are told with enough", || {
        let lines = watch.lines();
        told(leak, &lines) && told(other, &lines)
    });
    let lines = end(watch);
    compare(&lines, leak, "leak_touch", "other_touch");
    compare(&lines, other, "other_touch", "leak_touch");
    assert!(last_growth(&lines, unwatched.pid()).is_none());
    counted(&lines);
}

/// Without the option nothing is sampled, and nothing is told.
#[test]
fn nothing_is_told_where_nobody_asked() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let mut programs = start(&["leak"]);
    let [leak] = &mut programs[..] else {
        panic!("one program");
    };
    let mut watch = start_watch(&leak.pid().to_string(), &[]);
    leak.go();
    let pid = leak.pid();
    watch.wait_for(Duration::from_mins(1), "growth", |lines| {
        last_growth(lines, pid).is_some()
    });
    let lines = end(watch);
    assert_eq!(last_growth(&lines, pid).unwrap().touched(), None);
    assert!(counter(&lines, "faults.sampled").is_none());
}

/// What cannot be attributed is refused before anything begins.
#[test]
fn kinds_that_do_not_grow_are_refused() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::watch(&["-p", "1", "--kinds", "fd", "--attribute", "faults"]).finish();
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("--attribute"), "{}", ran.stderr);
}

fn start(scenarios: &[&str]) -> Vec<Driven> {
    let start = |scenario| Driven::start(&program("touch_growth"), &[scenario, "300"]);
    scenarios.iter().copied().map(start).collect()
}

fn start_watch(pids: &str, more: &[&str]) -> Running {
    let options: Vec<&str> = [&["-p", pids], &OPTIONS[..], more].concat();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(Duration::from_secs(10), "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    watch
}

fn end(watch: Running) -> Lines {
    let begin = Instant::now();
    watch.signal(Signal::INT);
    let lines = watch.finish_within(Duration::from_secs(20)).lines();
    println!("ended within {:?}", begin.elapsed());
    lines
}

/// The last line about the anonymous memory of a process.
fn last_growth(lines: &Lines, pid: u32) -> Option<Finding<'_>> {
    let of_process = |finding: &Finding<'_>| {
        finding.pid() == u64::from(pid)
            && (finding.verdict(), finding.kind()) == ("growth", "anon")
            && !finding.is_resolved()
    };
    lines.finding_lines().into_iter().rfind(of_process)
}

/// Its own function comes first, near to the truth, the other's not at all, and who acquired is
/// told as before.
#[track_caller]
fn compare(lines: &Lines, program: &Driven, own: &str, foreign: &str) {
    let growth = last_growth(lines, program.pid()).unwrap();
    let touched = growth.touched().expect("nothing is told of who touches");
    let truth = truth(program, growth.written_at());
    println!("{growth}");
    println!(
        "truth: {truth}; touched: {touched:?}; sites: {:?}",
        growth.sites()
    );
    let first = touched.first().expect("nobody touches");
    assert!(is_of(first, own), "{first:?}");
    let share = first.bytes as f64 / truth as f64;
    println!("{share:.3} of the truth by {} samples", first.samples);
    assert!(NEAR.contains(&share), "{share}");
    assert!(!touched.iter().any(|site| is_of(site, foreign)));
    let others: u64 = touched.iter().skip(1).map(|site| site.bytes).sum();
    assert!(others < truth / 10, "others touched {others}");
    let acquirer = growth
        .sites()
        .into_iter()
        .next()
        .and_then(|site| site.place);
    assert!(acquirer.is_some_and(|place| place.starts_with("reserve ")));
}

fn is_of(site: &Touched, function: &str) -> bool {
    let place = site.place.as_deref().unwrap_or_default();
    place.starts_with(&format!("{function} "))
}

/// What a program said that it had touched by that time.
fn truth(program: &Driven, time: f64) -> u64 {
    let printed = program.printed();
    let said = printed.lines().filter_map(|line| {
        let (at, bytes) = line.strip_prefix("at ")?.split_once(' ')?;
        Some((at.parse::<f64>().ok()?, bytes.parse::<u64>().ok()?))
    });
    let before = said.take_while(|(at, _)| *at <= time);
    before.last().map(|(_, bytes)| bytes).unwrap()
}

/// What was sampled came to a stack; rings are everybody's, so others may make that some are lost.
#[track_caller]
fn counted(lines: &Lines) {
    let [sampled, lost, unwound] = ["sampled", "lost", "unwound"]
        .map(|name| counter(lines, &format!("faults.{name}")).unwrap());
    println!("{sampled} sampled, {lost} lost, {unwound} unwound");
    assert!(unwound > 0 && unwound <= sampled);
    assert!(lost <= sampled / 2);
}

fn counter(lines: &Lines, name: &str) -> Option<u64> {
    let stopped = lines.events("memguard.agent.stopped");
    let pointer = format!("/memguard/counters/{name}");
    stopped[0].pointer(&pointer)?;
    Some(number(stopped[0], &pointer))
}
