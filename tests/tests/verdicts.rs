//! When a verdict comes, at default options, and that none comes for what only a collector closes.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{path::Path, time::Duration};

use memguard_tests::{
    Finding, Lines, Memguard, Running, finding::listed, machine, programs::sources, text,
    times::unix_seconds,
};

/// A little more than it may take, for what starts and is named beside it.
const LENIENCE: f64 = 8.0;

fn start(what: &str) -> Running {
    let script = sources().join("verdicts.py");
    Memguard::program(Path::new("python3"), &[&script.to_string_lossy(), what]).start()
}

fn of<'a>(lines: &'a Lines, process: &Running) -> Vec<Finding<'a>> {
    let mut findings = lines.finding_lines();
    findings.retain(|finding| finding.pid() == u64::from(process.pid()));
    findings.retain(|finding| finding.resource() != "heap");
    println!("{}", listed(&findings));
    findings
}

/// Seconds from the first line of the watch to the first with this verdict.
fn first(findings: &[Finding<'_>], verdict: &str, began: f64) -> Option<f64> {
    let mut told = findings
        .iter()
        .filter(|finding| finding.verdict() == verdict);
    told.next().map(|finding| finding.written_at() - began)
}

fn began(lines: &Lines) -> f64 {
    let started = lines.events("memguard.agent.started");
    let started = started.first().expect("it has started");
    unix_seconds(text(started, "/timestamp"))
}

#[test]
fn who_forgets_and_who_keeps_is_told_in_time() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let [forgets, keeps] = ["forgets", "keeps"].map(start);
    let pids = format!("{},{}", forgets.pid(), keeps.pid());
    let watch = Memguard::watch(&["-p", &pids, "-d", "70s"]);
    let ran = watch.start().finish_within(Duration::from_secs(110));
    let lines = ran.lines();
    let began = began(&lines);

    let told = of(&lines, &forgets);
    let leak = first(&told, "leak", began).expect("a leak");
    assert!(leak <= 60.0, "told after {leak} s");

    let told = of(&lines, &keeps);
    let suspect = first(&told, "suspect", began).expect("suspected");
    // The first ten seconds of a program are its start.
    assert!(
        suspect <= 10.0 + 15.0 + LENIENCE,
        "suspected after {suspect} s"
    );
    assert_eq!(
        first(&told, "leak", began),
        None,
        "nothing has been released yet"
    );
    let suspected = told.iter().filter(|it| it.verdict() == "suspect");
    assert!(
        suspected.clone().all(|it| !it.warns()),
        "nobody is alarmed by a suspicion"
    );
    assert!(
        !suspected
            .clone()
            .any(|it| it.is_resolved() && it.open_count() > 0)
    );
}

#[test]
fn what_a_collector_closes_is_no_leak() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let collected = start("collected");
    let pid = collected.pid().to_string();
    let options = [
        "-p",
        &pid,
        "-d",
        "85s",
        "--warm-up",
        "5s",
        "--min-age",
        "5s",
    ];
    let ran = Memguard::watch(&options)
        .start()
        .finish_within(Duration::from_mins(2));
    let lines = ran.lines();
    let told = of(&lines, &collected);
    let accused = told.iter().find(|finding| finding.verdict() == "leak");
    assert!(accused.is_none(), "{}", listed(&told));
    assert!(
        !told.iter().any(|finding| finding.warns()),
        "nobody is alarmed"
    );
}
