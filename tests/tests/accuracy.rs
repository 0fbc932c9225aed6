//! Are the verdicts right? More than ninety workloads, about half of them leaking, side by side
//! under one `memguard watch`: no false alarm, and at most one miss. The long look is written down
//! in `docs/accuracy.md`, which has to be of the detectors that are there.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use memguard_tests::{
    Lines, Memguard, Running,
    accuracy::{
        Outcome, Report, Staff, Times, Worker, digest,
        table::{Circumstances, digest_of, tables, write_page},
        times::{LONG, SHORT},
        workloads::is_complete,
    },
    lines::text,
    machine,
};
use rustix::process::Signal;

/// Leaks that may be missed.
const MISSES: usize = 1;
/// Of each kind.
const ENOUGH: usize = 32;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn page() -> PathBuf {
    root().join("docs/accuracy.md")
}

/// Half a minute.
#[test]
fn verdicts_are_right() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let (report, _) = look(&SHORT);
    assert_right(&report);
}

/// Five minutes, written down.
#[test]
#[ignore = "takes six minutes and writes docs/accuracy.md; cargo xtask accuracy runs it"]
fn a_long_look_is_written_down() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    assert!(is_complete(), "a table is of all workloads");
    let (report, lines) = look(&LONG);
    let circumstances = Circumstances {
        when: text(&lines.all()[0], "/timestamp").to_owned(),
        times: LONG,
        digest: digest::of_detectors(root()),
    };
    write_page(&page(), &circumstances, &report);
    assert_right(&report);
}

/// A table of other detectors says nothing of these.
#[test]
fn the_table_is_of_these_detectors() {
    let page = fs::read_to_string(page()).unwrap_or_default();
    let advice = "docs/accuracy.md is of other detectors: run `cargo xtask accuracy`";
    let (written, current) = (digest_of(&page), digest::of_detectors(root()));
    println!("written of {written:?}, now {current}");
    assert_eq!(written, Some(current.as_str()), "{advice}");
}

/// The workloads are what they are called, without memguard.
#[test]
#[ignore = "takes half a minute, and the same is looked at under memguard"]
fn workloads_do_what_they_say() {
    let mut staff = Staff::hire(&SHORT);
    staff.carry_out(&SHORT);
    assert_true(&staff);
}

fn look(times: &Times) -> (Report, Lines) {
    let started = Instant::now();
    let mut staff = Staff::hire(times);
    println!("started after {:?}", started.elapsed());
    let watch = watch(&staff.pids(), times);
    println!("attached after {:?}", started.elapsed());
    let begun = staff.carry_out(times);
    watch.signal(Signal::INT);
    let lines = watch.finish_within(Duration::from_secs(20)).lines();
    println!("ended after {:?}", started.elapsed());
    keep(&lines);
    let report = Report::of(&staff, &lines, begun);
    println!("{}", tables(&report));
    assert_true(&staff);
    (report, lines)
}

fn watch(pids: &str, times: &Times) -> Running {
    let options = times.options();
    let options = options.iter().map(String::as_str);
    let options: Vec<&str> = ["-p", pids, "-d", "1h"]
        .into_iter()
        .chain(options)
        .collect();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(Duration::from_secs(20), "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    watch
}

/// For who has to find out why a verdict is wrong: all lines, where the environment says so.
fn keep(lines: &Lines) {
    if let Some(path) = std::env::var_os("MEMGUARD_KEEP_LINES") {
        let all: Vec<_> = lines.all().iter().map(ToString::to_string).collect();
        fs::write(path, all.join("\n")).unwrap();
    }
}

/// Each leaking workload really holds more and more, and each healthy one does not.
#[track_caller]
fn assert_true(staff: &Staff) {
    let workers = staff.workers.iter();
    let (leaking, healthy): (Vec<_>, Vec<_>) = workers.partition(|it| it.workload.leaks);
    println!("{} leaking, {} healthy", leaking.len(), healthy.len());
    let enough = leaking.len() >= ENOUGH && healthy.len() >= ENOUGH;
    assert!(enough || !is_complete(), "not enough to judge by");
    let least = staff.workers.iter().map(Worker::looks).min();
    assert!(least >= Some(10), "hardly a look: {least:?}");
    let untrue: Vec<_> = staff.workers.iter().flat_map(Worker::untrue).collect();
    assert!(untrue.is_empty(), "{}", untrue.join("\n"));
}

#[track_caller]
fn assert_right(report: &Report) {
    let alarms = report.rows.iter().flat_map(|row| {
        let named = |alarm: &String| format!("{}: {alarm}", row.workload.name);
        row.false_alarms.iter().map(named)
    });
    let alarms: Vec<_> = alarms.collect();
    let missed = report.with(Outcome::Miss);
    let missed: Vec<_> = missed.iter().map(|row| row.workload.name).collect();
    println!("{} false alarms, missed: {missed:?}", alarms.len());
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
    assert!(missed.len() <= MISSES, "missed: {missed:?}");
}
