//! What is judged once, at the end: whether it had piled up in a command that runs for seconds, and
//! what outlives the command.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::time::Duration;

use memguard_tests::{Finding, Memguard, finding::listed, machine, program, text};
use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_mins(1);

fn judged(finding: Finding<'_>) -> (&str, &str, u64) {
    let moment = text(finding.0, "/memguard/finding/judged");
    (finding.verdict(), moment, finding.open_count())
}

/// With the options that everybody has: what piled up is a leak and reaches the gate, a pool and
/// what was opened at once are left and do not.
#[test]
fn a_short_command_that_piles_up_leaks() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    for (mode, expected, code) in [
        ("leak", ("leak", "exit", 12), 23),
        ("pool", ("left", "exit", 4), 0),
        ("burst", ("left", "exit", 12), 0),
    ] {
        let command = [program("short_run"), mode.to_owned()];
        let command = command.each_ref().map(String::as_str);
        let ran = Memguard::run(&["--fail-on", "leak"], &command).finish_within(PATIENCE);
        let lines = ran.lines();
        let findings = lines.latest_findings();
        println!("{mode}: {}, exit code {}", listed(&findings), ran.code);
        let all: Vec<_> = findings.iter().copied().map(judged).collect();
        assert_eq!(all, [expected], "{mode}");
        assert_eq!(ran.code, code, "{mode}");
    }
}

/// What a process holds that outlives the command and the grace is told as it stands, with paths.
#[test]
fn what_outlives_the_grace_is_judged_as_it_stands() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let options = ["--fail-on", "left:3", "--grace", "1s"];
    let command = [program("short_run"), "daemon".to_owned()];
    let command = command.each_ref().map(String::as_str);
    let ran = Memguard::run(&options, &command).finish_within(PATIENCE);
    let daemon: i32 = ran.stdout.trim().parse().expect("it says who it is");
    kill_process(Pid::from_raw(daemon).unwrap(), Signal::KILL).expect("it still runs");
    let lines = ran.lines();
    let mut findings = lines.latest_findings();
    println!("{}, exit code {}", listed(&findings), ran.code);
    findings.retain(|finding| finding.pid() == u64::from(daemon.unsigned_abs()));
    let all: Vec<_> = findings.iter().copied().map(judged).collect();
    assert_eq!(all, [("left", "end", 3)]);
    let target = text(findings[0].0, "/memguard/finding/samples/0/target");
    assert_eq!(target, "/etc/passwd");
    assert_eq!(ran.code, 23);
}
