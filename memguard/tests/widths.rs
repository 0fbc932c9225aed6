//! Nothing that memguard says is wider than a terminal of 80 columns.

#![cfg(test)] // so that the allowances for tests in clippy.toml reach the helpers too

use std::process::{Command, Output};

const COLUMNS: usize = 80;
const SUBCOMMANDS: [&str; 6] = ["watch", "run", "doctor", "report", "diff", "demo"];

fn memguard(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memguard"));
    command.args(arguments).env("COLUMNS", "200");
    command.output().expect("memguard starts")
}

/// Both outputs; every character that memguard prints of its own takes one column.
fn check(arguments: &[&str]) -> String {
    let Output { stdout, stderr, .. } = memguard(arguments);
    let text = [stdout, stderr].concat();
    let text = String::from_utf8(text).expect("it is text");
    assert!(!text.is_empty(), "{arguments:?} says nothing");
    for line in text.lines() {
        let columns = line.chars().count();
        assert!(
            columns <= COLUMNS,
            "{arguments:?}, {columns} columns: {line}"
        );
    }
    println!("{arguments:?}: {} lines", text.lines().count());
    text
}

fn golden(name: &str) -> String {
    format!("{}/src/output/golden/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn help_is_narrow() {
    check(&[]);
    for help in ["-h", "--help"] {
        check(&[help]);
        for subcommand in SUBCOMMANDS {
            check(&[subcommand, help]);
        }
    }
    for subcommand in SUBCOMMANDS {
        check(&["help", subcommand]);
    }
}

/// As whoever runs the tests; what it finds is not the point.
#[test]
fn doctor_is_narrow() {
    check(&["doctor"]);
}

#[test]
fn files_are_shown_narrow() {
    let [old, new, all] = ["old.jsonl", "new.jsonl", "reports.jsonl"].map(golden);
    check(&["report", &old]);
    check(&["report", &all]);
    check(&["diff", &old, &new]);
}

#[test]
fn errors_are_narrow() {
    let all = golden("reports.jsonl");
    for arguments in [
        &["watch"][..],
        &["watch", "-p", "1", "--fail-on", "left"],
        &["watch", "-p", "4194304"],
        &["watch", "-p", "1", "--cgroup", "/"],
        &["watch", "--cgroup", "/proc"],
        &["watch", "--comm", "a name that is longer than fifteen"],
        &["watch", "-a", "-p", "1"],
        &["watch", "-p", "1", "-i", "0s"],
        &["watch", "-p", "1", "-d", "soon"],
        &["watch", "-p", "1", "--kinds", "sockets"],
        &["watch", "-p", "1", "--kinds", "fd", "--attribute", "faults"],
        &["watch", "-p", "1", "--rss-warning", "much"],
        &[
            "watch",
            "-p",
            "1",
            "-o",
            "/no/such/directory/for/findings.jsonl",
        ],
        &["watch", "-p", "1", "--suppressions", "/no/such/file"],
        &["watch", "-p", "1", "--suppressions", &all],
        &["watch", "-p", "1", "-d", "0x"],
        &["run"],
        &["run", "--fail-on", "right", "--", "true"],
        &["run", "--fail-on", "left:0", "--", "true"],
        &["run", "--baseline", "/no/such/file", "--", "true"],
        &[
            "run",
            "--baseline",
            "/dev/null",
            "--suppressions",
            &all,
            "--",
            "true",
        ],
        &["report"],
        &["report", "/no/such/file"],
        &["report", "/proc/version"],
        &["report", "--format", "pdf", &all],
        &["diff", &all],
        &["diff", &all, "/no/such/file"],
        &["frobnicate"],
    ] {
        // A word is not broken, and may be longer than a line.
        let text = check_but_words(arguments);
        println!("{text}");
    }
}

fn check_but_words(arguments: &[&str]) -> String {
    let output = memguard(arguments);
    assert!(!output.status.success(), "{arguments:?} succeeds");
    let text = String::from_utf8(output.stderr).expect("it is text");
    assert!(!text.is_empty(), "{arguments:?} says nothing");
    for line in text.lines() {
        let word = !line.trim().contains(' ');
        let columns = line.chars().count();
        assert!(
            word || columns <= COLUMNS,
            "{arguments:?}, {columns} columns: {line}"
        );
    }
    text
}
