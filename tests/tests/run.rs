//! `memguard run`: what a command leaves behind, the exit code, and that the command itself
//! notices nothing.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use memguard_tests::{
    Memguard, Ran, Scratch, by_kind, by_process, by_resource, machine, program, total,
};

/// Exactly 7 files and 9 TCP sockets are reported, each as left behind and by this one program; the
/// 100 balanced pairs and the 2 closed sockets are not.
#[test]
fn counts_files_and_sockets_apart() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::run(&[], &[&program("leak_fds_sockets")]).finish();
    let lines = ran.lines();
    let left = lines.findings("left");
    println!("left: {:?}, expected fd 7, socket 9", by_resource(&left));
    assert_eq!(
        by_resource(&left),
        BTreeMap::from([("fd", 7), ("socket", 9)])
    );
    assert_eq!(by_kind(&left).get("tcp"), Some(&9));
    assert_eq!(by_process(&left).len(), 1, "one process only");
    assert_eq!(
        lines.latest_findings().len(),
        left.len(),
        "no other verdict"
    );
    assert_eq!(ran.code, 0);
}

/// Without a gate the exit code is the command's own, whatever it leaves behind.
#[test]
fn the_exit_code_is_the_commands_own() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    for code in ["0", "5"] {
        let ran = Memguard::run(&[], &[&program("leak_fds_sockets"), code]).finish();
        println!("command {code}, memguard {}", ran.code);
        assert_eq!(ran.code.to_string(), code);
        assert_eq!(total(&ran.lines().left_behind()), 16);
    }
}

/// The gate turns success into 23 or the code that was asked for, only when it is reached, and
/// never hides the failure of the command.
#[test]
fn the_gate_decides_the_exit_code_of_a_success() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let check = |options: &[&str], command_code: &str, expected: i32| {
        let ran = Memguard::run(options, &[&program("leak_fds_sockets"), command_code]).finish();
        println!(
            "{options:?}, command {command_code}: {}, expected {expected}",
            ran.code
        );
        assert_eq!(
            ran.code, expected,
            "{options:?} with command code {command_code}"
        );
    };
    check(&["--fail-on", "left"], "0", 23);
    check(&["--fail-on", "left"], "5", 5);
    check(&["--fail-on", "left", "--leak-exit-code", "42"], "0", 42);
    check(&["--fail-on", "left:10"], "0", 23);
    check(&["--fail-on", "left:1000"], "0", 0);
    check(&["--fail-on", "never"], "0", 0);
}

/// What an earlier run has, and what a rule suppresses, reaches no gate; anything else does. The
/// baseline may be the file that is written.
#[test]
fn what_is_known_or_suppressed_reaches_no_gate() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let scratch = Scratch::new();
    let old = scratch.path("old.jsonl").to_string_lossy().into_owned();
    let rules = scratch.write("rules.supp", "left command=leak_fds* # known\n");
    let leaker = program("leak_fds_sockets");
    let check = |options: &[&str], command: &str, expected: i32| {
        let gate = ["run", "--fail-on", "left", "-o", &old];
        let ran = Memguard::plain(&[&gate, options, &["--", command]].concat()).finish();
        println!("{options:?} {command}: {}, expected {expected}", ran.code);
        assert_eq!(ran.code, expected, "{options:?} {command}: {ran:?}");
    };
    check(&[], &leaker, 23);
    check(&["--baseline", &old], &leaker, 0);
    check(&["--suppressions", &rules], &leaker, 0);
    // Nothing of it is in the file, so it is new to the next run.
    check(&["--baseline", &old], &leaker, 23);
    let ran = Memguard::plain(&["report", "--fail-on", "left", &old]).finish();
    assert_eq!(ran.code, 1, "{ran:?}");
    let ran = Memguard::plain(&[
        "report",
        "--fail-on",
        "left",
        "--suppressions",
        &rules,
        &old,
    ]);
    assert_eq!(ran.finish().code, 0);
}

/// A command that leaves nothing passes the strictest gate.
#[test]
fn a_clean_command_passes_the_gate() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::run(&["--fail-on", "left:1"], &[&program("balanced"), "100"]).finish();
    assert_eq!(ran.code, 0);
    assert_eq!(ran.lines().finding_lines().len(), 0);
}

/// A command that dies by signal n ends as 128 + n, and its 3 descriptors are judged all the same.
#[test]
fn death_by_signal_is_judged() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    for signal in [9, 11, 15] {
        let number = signal.to_string();
        let ran = Memguard::run(&[], &[&program("die_by_signal"), &number]).finish();
        let left = total(&ran.lines().left_behind());
        println!("signal {signal}: exit {}, left {left} of 3", ran.code);
        assert_eq!(ran.code, 128 + signal);
        assert_eq!(left, 3);
    }
}

/// A command, started with some signals ignored, as `env --ignore-signal` does it.
fn ignoring(signals: &[&str], command: &[&str]) -> Ran {
    let options = signals
        .iter()
        .map(|signal| format!("--ignore-signal={signal}"));
    let mut words: Vec<String> = options.collect();
    words.extend(command.iter().map(|word| (*word).to_owned()));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Memguard::program(Path::new("env"), &words).finish()
}

/// Where SIGCHLD is ignored the kernel reaps children itself, and a wait for one fails. memguard
/// may be started like that, and knows nevertheless how the command ended.
#[test]
fn the_exit_code_survives_an_ignored_sigchld() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let memguard = machine::memguard().display().to_string();
    for (end, expected) in [("exit 7", 7), ("exit 0", 0), ("kill -9 $$", 128 + 9)] {
        let command = [&memguard, "run", "-q", "--", "sh", "-c", end];
        let ran = ignoring(&["CHLD"], &command);
        println!("{end}: {}, expected {expected}", ran.code);
        assert_eq!(ran.code, expected, "{end}: {ran}");
    }
}

/// The command ignores the signals that it would ignore without memguard, and no others.
#[test]
fn the_command_inherits_the_callers_signals() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let memguard = machine::memguard().display().to_string();
    let look = ["grep", "SigIgn", "/proc/self/status"];
    let mut seen = BTreeSet::new();
    for ignored in [&[][..], &["CHLD"], &["PIPE"], &["CHLD", "PIPE"]] {
        let bare = ignoring(ignored, &look).stdout;
        let command = [&[&memguard, "run", "-q", "--"], &look[..]].concat();
        let traced = ignoring(ignored, &command).stdout;
        println!("{ignored:?}: bare {bare:?}, traced {traced:?}");
        assert_eq!(traced, bare, "{ignored:?}");
        seen.insert(bare);
    }
    assert_eq!(
        seen.len(),
        4,
        "the signals were ignored as they should: {seen:?}"
    );
}

/// Descriptors of two threads count once each when a thread that is not the main one ends all.
#[test]
fn exit_by_another_thread_is_judged() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::run(&[], &[&program("exit_group_thread"), "7"]).finish();
    let left = total(&ran.lines().left_behind());
    println!("exit {}, left {left} of 4", ran.code);
    assert_eq!((ran.code, left), (7, 4));
}

/// Each of the four processes of a tree is judged by itself: 1, 2, 3 and 4.
#[test]
fn a_tree_is_judged_per_process() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    judged_per_process("after");
}

/// Copies that a child inherited are not counted against it: the same 1, 2, 3 and 4, though the
/// children also hold what their parents had open.
#[test]
fn inherited_copies_are_not_left_by_the_child() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    judged_per_process("before");
}

fn judged_per_process(order: &str) {
    let ran = Memguard::run(&[], &[&program("tree"), order]).finish();
    let truth: BTreeMap<u64, u64> = ran.stdout.lines().filter_map(role).collect();
    let lines = ran.lines();
    let left = by_process(&lines.left_behind());
    println!("left per process {left:?}, truth {truth:?}");
    assert_eq!(
        truth.values().sum::<u64>(),
        10,
        "the program has said what it leaves"
    );
    assert_eq!(left, truth);
    assert_eq!(ran.code, 0);
}

/// Reads "ROLE PID COUNT".
fn role(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split(' ').skip(1);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// 127 where there is no such command, 126 where it cannot be executed, as a shell has it.
#[test]
fn commands_that_cannot_start() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let scratch = Scratch::new();
    let text_file = scratch.write("not-executable", "no program\n");
    let check = |command: &str, expected: i32| {
        let ran = Memguard::run(&[], &[command]).finish();
        println!("{command}: {}, expected {expected}", ran.code);
        assert_eq!(ran.code, expected, "{command}");
        assert!(
            ran.stderr.contains(command),
            "the message names the command: {}",
            ran.stderr
        );
    };
    check("/no/such/command", 127);
    check("memguard-test-no-such-command", 127);
    check(&text_file, 126);
    check(&scratch.dir().display().to_string(), 126);
}

/// A command that cannot start leaves nothing behind: no word but why, no file where none was, and
/// what was in a file stays.
#[test]
fn commands_that_cannot_start_leave_nothing() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let scratch = Scratch::new();
    let kept = scratch.write("kept.jsonl", "of an earlier run\n");
    for file in [kept.clone(), scratch.text("new.jsonl")] {
        let ran = Memguard::plain(&["run", "-o", &file, "--", "/no/such/command"]).finish();
        assert_eq!((ran.code, ran.stdout.as_str()), (127, ""));
    }
    let text = Memguard::plain(&["run", "--", "/no/such/command"]).finish();
    assert_eq!(text.code, 127);
    assert_eq!(
        text.stderr,
        "memguard: /no/such/command: command not found\n"
    );
    assert!(!scratch.path("new.jsonl").exists(), "a file was left");
    let content = std::fs::read_to_string(&kept).expect("it is still there");
    assert_eq!(content, "of an earlier run\n");
}

/// The command's standard output and error are exactly its own.
#[test]
fn output_of_the_command_is_untouched() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::run(&[], &["sh", "-c", "echo out; echo err >&2"]).finish();
    println!("stdout {:?}, stderr {:?}", ran.stdout, ran.stderr);
    assert_eq!(ran.stdout, "out\n");
    assert_eq!(ran.stderr, "err\n");
}

/// The command reads memguard's standard input.
#[test]
fn input_of_the_command_is_untouched() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let mut running = Memguard::run(&[], &["cat"]).start();
    running.type_in("a line\n");
    let ran = running.finish_within(std::time::Duration::from_secs(10));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "a line\n"));
}

/// The command has the descriptors that it would have without memguard, and none of memguard's.
#[test]
fn the_command_inherits_nothing_from_memguard() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let list = ["sh", "-c", "ls /proc/self/fd"];
    let bare = Memguard::program(Path::new("sh"), &list[1..]).finish();
    let traced = Memguard::run(&[], &list).finish();
    println!("bare {:?}, traced {:?}", bare.stdout, traced.stdout);
    assert_eq!(traced.stdout, bare.stdout);
}

/// Without `-o` the findings are text on standard error, and name the program.
#[test]
fn findings_without_a_file_are_text_on_stderr() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::plain(&["run", "--", &program("leak_fds_sockets")]).finish();
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(ran.stderr.contains("leak_fds_socket"), "{}", ran.stderr);
    assert!(
        !ran.stderr.contains("\"event_name\""),
        "text, not JSON: {}",
        ran.stderr
    );
}

/// Under sudo the command runs as the user who called sudo.
#[test]
fn drops_to_the_invoking_user_under_sudo() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::run(&[], &["id", "-u"])
        .env("SUDO_UID", "65534")
        .env("SUDO_GID", "65534")
        .env("SUDO_USER", "nobody")
        .finish();
    println!("the command ran as uid {}", ran.stdout.trim_end());
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "65534\n"));
}
