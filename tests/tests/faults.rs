//! What goes wrong around memguard, and what it then says: wrong requests, missing rights, its own
//! sudden death.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use memguard_tests::{Guard, Memguard, Ran, Running, Scratch, bpf, machine, wait_until};
use rustix::process::Signal;

const NOBODY: u32 = 65534;

/// An unknown process is refused in a sentence that names it.
#[test]
fn an_unknown_pid_is_refused() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let pid = ended_process().to_string();
    let ran = Memguard::watch(&["-p", &pid, "-d", "130s"]).finish();
    assert!([2, 3].contains(&ran.code), "exit {}", ran.code);
    short_message_with(&ran, &[&pid]);
}

/// A file that cannot be written is refused before anything happens: the command does not run, and
/// nothing appears.
#[test]
fn an_unwritable_file_is_refused_before_the_start() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let scratch = Scratch::new();
    let marker = scratch.text("marker");
    let own_pid = std::process::id().to_string();
    for output in [scratch.text("no-such-folder/lines.jsonl"), scratch.text("")] {
        let run = Memguard::plain(&["run", "-o", &output, "--", "touch", &marker]).finish();
        assert_eq!(run.code, 125, "{output}");
        short_message_with(&run, &[output.trim_end_matches('/')]);
        assert!(!scratch.path("marker").exists(), "the command has run");

        let watch = Memguard::plain(&["watch", "-p", &own_pid, "-o", &output]).finish();
        assert!(
            [2, 3].contains(&watch.code),
            "exit {} for {output}",
            watch.code
        );
        short_message_with(&watch, &[output.trim_end_matches('/')]);
        assert!(!scratch.path("no-such-folder").exists());
    }
    let entries = std::fs::read_dir(scratch.dir()).unwrap().count();
    assert_eq!(entries, 0, "something was written");
}

/// What the command line cannot mean ends with 2.
#[test]
fn bad_usage_ends_with_two() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let own_pid = std::process::id().to_string();
    let check = |arguments: &[&str]| {
        let ran = Memguard::plain(arguments).finish();
        println!("{arguments:?}: {}", ran.code);
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(!ran.stderr.trim().is_empty(), "{arguments:?} is told why");
        assert_eq!(ran.stdout, "", "{arguments:?}");
    };
    check(&["no-such-command"]);
    check(&["watch", "--no-such-flag"]);
    check(&["watch", "-p", "no-number"]);
    check(&["watch", "-p", &own_pid, "-d", "no-duration"]);
    check(&["watch", "-p", &own_pid, "--format", "no-format"]);
    check(&["run"]);
    check(&["run", "--fail-on", "no-gate", "--", "true"]);
}

/// A watch that ends before anything can be judged says so, and is carried out.
#[test]
fn a_watch_too_short_to_judge_says_so() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let own_pid = std::process::id().to_string();
    let ran = Memguard::plain(&["watch", "-p", &own_pid, "-d", "1s", "-i", "2s"]).finish();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("1s") && ran.stderr.contains("2s"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.lines().all(|line| line.len() <= 80),
        "{}",
        ran.stderr
    );
    let ran = Memguard::plain(&["watch", "-p", &own_pid, "-d", "2s", "-i", "500ms"]).finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

/// Without rights: 3 from `watch`, 125 from `run`, a sentence on what is missing and a way out; the
/// command is not run.
#[test]
fn without_rights_it_says_what_to_do() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let scratch = Scratch::new();
    let memguard = scratch.copy_program(&machine::memguard());
    let shared = scratch.shared_dir("shared");
    let marker = shared.join("marker").display().to_string();
    let mut target = sleeper();
    let pid = target.pid().to_string();
    let as_nobody = |arguments: &[&str]| {
        let nobody = |command: &mut Command| {
            command.uid(NOBODY).gid(NOBODY).current_dir("/");
        };
        Memguard::program(&memguard, arguments)
            .with(nobody)
            .finish()
    };
    for (arguments, code) in [
        (["watch", "-p", &pid, "-d", "130s"].as_slice(), 3),
        (["run", "--", "touch", &marker].as_slice(), 125),
    ] {
        let ran = as_nobody(arguments);
        assert_eq!(ran.code, code, "{arguments:?}");
        let fixes = ["sudo", "root", "CAP_BPF", "cap_bpf", "setcap"];
        let fixed = fixes.iter().any(|fix| ran.stderr.contains(fix));
        assert!(fixed, "no way out is named: {}", ran.stderr);
    }
    assert!(!Path::new(&marker).exists(), "the command has run");
    assert!(target.poll().is_none(), "the target is unharmed");
}

/// After `kill -9` of memguard its BPF programs go away, and what it watched lives on.
#[test]
fn nothing_stays_attached_after_a_sudden_death() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let before = bpf::loaded();
    let mut target = sleeper();
    let pid = target.pid();
    let mut watch = Memguard::watch(&["-p", &pid.to_string(), "-d", "130s"]).start();
    watch.wait_for(Duration::from_secs(10), "a census", |lines| {
        lines.event_of("memguard.census", pid).is_some()
    });
    let mut ours = programs_of(&watch);
    ours.retain(|id| !before.contains(id));
    println!("{} BPF programs while it runs: {ours:?}", ours.len());
    assert!(!ours.is_empty(), "nothing to compare with");

    watch.signal(Signal::KILL);
    let ran = watch.finish_within(Duration::from_secs(20));
    assert_eq!(ran.code, 137);
    wait_until(
        Duration::from_secs(20),
        "all of its BPF programs are gone",
        || {
            let loaded = bpf::loaded();
            ours.iter().all(|id| !loaded.contains(id))
        },
    );
    assert!(target.poll().is_none(), "the target is unharmed");
}

fn programs_of(watch: &Running) -> std::collections::BTreeSet<u32> {
    bpf::held_by(watch.pid())
}

/// A process that does nothing for longer than any test.
fn sleeper() -> Guard {
    Guard::spawn(Command::new("sleep").arg("300").stdout(Stdio::null())).unwrap()
}

/// The pid of a process that has just ended and been reaped.
fn ended_process() -> u32 {
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    ended.id()
}

/// Standard error holds at most three lines, and all of `words`; standard output nothing.
fn short_message_with(ran: &Ran, words: &[&str]) {
    let lines = ran
        .stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count();
    assert!(
        (1..=3).contains(&lines),
        "{lines} lines, not one clear sentence: {}",
        ran.stderr
    );
    for word in words {
        assert!(ran.stderr.contains(word), "no {word:?} in {}", ran.stderr);
    }
    assert_eq!(ran.stdout, "");
}
