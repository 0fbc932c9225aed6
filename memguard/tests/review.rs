//! `report` and `diff` as users meet them, and what `watch` and `run` refuse of the same options:
//! through the program, without root and without a kernel that takes BPF.

#![cfg(test)] // so that the allowances for tests in clippy.toml reach the helpers too

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// How a command ended, and what it said.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Its complaints, wherever their lines were broken.
    fn said(&self) -> String {
        let words: Vec<_> = self.stderr.split_whitespace().collect();
        words.join(" ")
    }
}

fn run_with(arguments: &[&str], input: Stdio) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memguard"));
    let output = command
        .args(arguments)
        .stdin(input)
        .output()
        .expect("memguard starts");
    let text = |bytes| String::from_utf8(bytes).expect("it speaks UTF-8");
    Ran {
        code: output.status.code().expect("it was not killed"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn run(arguments: &[&str]) -> Ran {
    run_with(arguments, Stdio::null())
}

fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/output/golden");
    folder.join(name).to_str().expect("a plain path").to_owned()
}

/// A file of a test's own.
fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, text).expect("it is writable");
    path.to_str().expect("a plain path").to_owned()
}

/// Lines joined.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room")
}

#[test]
fn report_shows_the_golden_text_and_stacks() {
    let old = golden("old.jsonl");
    for (arguments, expected) in [
        (vec!["report", &old], "review.txt"),
        (
            vec!["report", "--format", "text", "--color", "never", &old],
            "review.txt",
        ),
    ] {
        let ran = run(&arguments);
        let expected = fs::read_to_string(golden(expected)).expect("it is committed");
        assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (0, &*expected, ""));
    }
    let all = golden("reports.jsonl");
    for (format, expected) in [
        ("folded", "review.folded"),
        ("folded-bytes", "review.folded-bytes"),
    ] {
        let ran = run(&["report", "--format", format, &all]);
        let expected = fs::read_to_string(golden(expected)).expect("it is committed");
        assert_eq!((ran.code, ran.stdout), (0, expected));
    }
}

#[test]
fn report_reads_standard_input() {
    let input = File::open(golden("old.jsonl")).expect("it is committed");
    let ran = run_with(&["report", "-"], input.into());
    let expected = fs::read_to_string(golden("review.txt")).expect("it is committed");
    assert_eq!((ran.code, ran.stdout), (0, expected));
}

#[test]
fn report_has_the_gates_of_watch_and_run() {
    let folder = scratch();
    let lines = fs::read_to_string(golden("old.jsonl")).expect("it is committed");
    let only = |verdict: &str| {
        let word = format!("\"verdict\":\"{verdict}\"");
        let kept: Vec<_> = lines.lines().filter(|line| line.contains(&word)).collect();
        file(&folder, verdict, &(kept.join("\n") + "\n"))
    };
    for (verdict, gates) in [
        (
            "leak",
            ["suspect", "leak", "growth", "leak,left:3"].as_slice(),
        ),
        ("growth", &["growth"]),
        ("left", &["left", "left:16", "leak,left:3"]),
        ("aged", &[]),
    ] {
        let path = only(verdict);
        for gate in [
            "never",
            "suspect",
            "leak",
            "exhaustion",
            "growth",
            "left",
            "left:16",
            "left:17",
            "leak,left:3",
        ] {
            let ran = run(&["report", "--fail-on", gate, &path]);
            let reached = gates.contains(&gate);
            assert_eq!(ran.code, i32::from(reached), "{verdict} {gate}");
            let said = ran.said();
            let why = said.starts_with("memguard: exits with 1: ")
                && said.ends_with(&format!(", --fail-on {gate}"));
            assert_eq!(why, reached, "{verdict} {gate}: {}", ran.stderr);
        }
    }
}

#[test]
fn gates_that_make_no_sense_are_refused() {
    let (old, own) = (golden("old.jsonl"), std::process::id().to_string());
    for (arguments, expected) in [
        (
            vec!["report", "--fail-on", "left:0", &old],
            "left:0 would always be reached",
        ),
        (
            vec!["report", "--fail-on", "leek", &old],
            "expected never, or suspect, leak, exhaustion, growth, left or left:N",
        ),
        (
            vec!["watch", "-p", &own, "--fail-on", "left"],
            "left is no gate of watch",
        ),
        (
            vec!["run", "--fail-on", "never,leak", "--", "true"],
            "never stands alone",
        ),
    ] {
        let ran = run(&arguments);
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{arguments:?}");
        assert!(ran.said().contains(expected), "{}", ran.stderr);
    }
}

/// What was withdrawn was nothing, whatever the file says before.
#[test]
fn a_leak_that_was_withdrawn_fails_no_report() {
    let folder = scratch();
    let lines = fs::read_to_string(golden("old.jsonl")).expect("it is committed");
    let leak = |line: &&str| line.contains("\"verdict\":\"leak\"");
    let opened = lines.lines().filter(leak);
    let opened = opened.filter(|line| line.contains("memguard.finding.opened"));
    let mut all: Vec<String> = opened.map(str::to_owned).collect();
    let over = |line: &String| {
        line.replace("finding.opened", "finding.resolved")
            .replace("\"resolution\":null", "\"resolution\":\"withdrawn\"")
    };
    assert!(!all.is_empty());
    let gate = |all: &[String]| {
        let path = file(&folder, "all", &(all.join("\n") + "\n"));
        run(&["report", "--fail-on", "suspect", &path])
    };
    assert_eq!(gate(&all).code, 1);
    for at in 0..all.len() {
        let resolved = over(&all[at]);
        all.push(resolved);
    }
    let ran = gate(&all);
    println!("{}", ran.stdout);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    assert!(
        ran.stdout
            .starts_with("memguard: INCONCLUSIVE: nothing leaked")
    );
}

#[test]
fn report_names_bad_lines_and_loses_nothing_else() {
    let folder = scratch();
    let good = fs::read_to_string(golden("old.jsonl")).expect("it is committed");
    let half = &good[..good.len() - 100];
    let path = file(&folder, "cut.jsonl", &format!("\u{1b}[2J oops\n{half}"));
    let ran = run(&["report", "--fail-on", "leak", &path]);
    println!("{}{}", ran.stderr, ran.stdout);
    assert_eq!(ran.code, 1);
    let mut complaints = ran.stderr.lines();
    let first = complaints.next().expect("two complaints");
    assert!(
        first.ends_with("cut.jsonl:1 is not valid JSON at column 1"),
        "{first}"
    );
    let last = complaints.next().expect("two complaints");
    assert!(
        last.ends_with("cut.jsonl:10 ends in the middle of an object"),
        "{last}"
    );
    assert!(
        ran.stdout
            .starts_with("memguard: INCONCLUSIVE: 2 leaks, 1 process")
    );
    assert!(
        flat(&ran.stdout).contains("because 2 lines could not be read; the file has no summary")
    );
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stdout.contains('\u{1b}'));
}

#[test]
fn what_is_no_file_of_findings_is_refused() {
    let folder = scratch();
    let newer = fs::read_to_string(golden("old.jsonl")).expect("it is committed");
    let newer = newer.replace("\"schema_version\":\"1.1\"", "\"schema_version\":\"2.3\"");
    let old = golden("old.jsonl");
    let missing = folder
        .path()
        .join("missing")
        .to_str()
        .expect("plain")
        .to_owned();
    let directory = folder.path().to_str().expect("plain").to_owned();
    for (path, expected) in [
        (
            file(&folder, "newer", &newer),
            "line 1 has format version 2.3, but this memguard reads only up to 1.x",
        ),
        (file(&folder, "empty", ""), "it contains no memguard output"),
        (
            file(&folder, "passwd", "root:x:0:0\n"),
            "it contains no memguard output; line 1 is not valid JSON",
        ),
        (missing, "No such file"),
        (directory, "Is a directory"),
    ] {
        for arguments in [
            vec!["report", &path],
            vec!["diff", &path, &old],
            vec!["diff", &old, &path],
        ] {
            let ran = run(&arguments);
            assert_eq!((ran.code, &*ran.stdout), (2, ""), "{arguments:?}");
            assert!(
                ran.said().contains(&path) && ran.said().contains(expected),
                "{}",
                ran.stderr
            );
        }
        // Nothing has begun: 125, as of everything that goes wrong before the command.
        let ran = run(&["run", "--baseline", &path, "--", "true"]);
        assert_eq!(ran.code, 125, "{}", ran.stderr);
        assert!(
            ran.said().contains(&path) && ran.said().contains(expected),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_damaged_baseline_is_refused() {
    let folder = scratch();
    let good = fs::read_to_string(golden("old.jsonl")).expect("it is committed");
    let path = file(&folder, "cut.jsonl", &good[..good.len() - 100]);
    let ran = run(&["run", "--baseline", &path, "--", "true"]);
    assert_eq!(ran.code, 125);
    assert!(
        ran.said().contains("is damaged: line 9 ends in the middle"),
        "{}",
        ran.stderr
    );
}

#[test]
fn suppressed_findings_reach_no_gate() {
    let folder = scratch();
    let rules =
        "# known\nleak kind=tcp function=connect_*\nleak module=/usr/bin/api kind=file # both\n";
    let rules = file(&folder, "api.supp", rules);
    let old = golden("old.jsonl");
    let with = |more: &[&str]| {
        let first = ["report", &old, "--fail-on", "leak"];
        run(&[first.as_slice(), more].concat())
    };
    assert_eq!(with(&[]).code, 1);
    let ran = with(&["--suppressions", &rules]);
    println!("{}", ran.stdout);
    assert_eq!(ran.code, 0);
    let first = "memguard: 1 process that keeps growing, 16 descriptors left at exit, \
                 1 held for a long time, 2 suppressed";
    assert!(flat(&ran.stdout).starts_with(first));
    assert!(!ran.stdout.contains("LEAK"));
    let listed = flat(&with(&["--suppressions", &rules, "--show-suppressed"]).stdout);
    for expected in [
        "1 finding suppressed by: leak kind=tcp function=connect_*",
        "LEAK api[4242]: 14 TCP sockets from connect_upstream (pool.c:88)",
        "1 finding suppressed by: leak module=/usr/bin/api kind=file # both",
        "LEAK api[4242]: 12 files from load_config (api) never closed",
    ] {
        assert!(listed.contains(expected), "{listed}");
    }
}

#[test]
fn mistakes_in_suppressions_name_file_and_line() {
    let folder = scratch();
    let path = file(&folder, "bad.supp", "leak\nleek function=main\n");
    let own = std::process::id().to_string();
    let old = golden("old.jsonl");
    for (arguments, code) in [
        (vec!["report", &old, "--suppressions", &path], 2),
        (vec!["watch", "-p", &own, "--suppressions", &path], 2),
        (vec!["run", "--suppressions", &path, "--", "true"], 125),
    ] {
        let ran = run(&arguments);
        assert_eq!((ran.code, &*ran.stdout), (code, ""), "{}", ran.stderr);
        let expected =
            "bad.supp:2: \"leek\" is no verdict; expected any, leak, exhaustion, growth,";
        assert!(ran.said().contains(expected), "{}", ran.stderr);
    }
    assert_eq!(run(&["report", &old, "--show-suppressed"]).code, 0);
}

#[test]
fn diff_compares_by_fingerprint() {
    let [old, new] = ["old.jsonl", "new.jsonl"].map(golden);
    let ran = run(&["diff", &old, &new]);
    let first = "memguard: 1 new, 3 grew, 1 shrank, 1 gone, 1 the same\n";
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.starts_with(first), "{}", ran.stdout);
    let ran = run(&["diff", "--format", "jsonl", &old, &new]);
    let expected = fs::read_to_string(golden("difference.jsonl")).expect("it is committed");
    assert_eq!((ran.code, ran.stdout), (1, expected));
    assert_eq!(run(&["diff", "--fail-on", "never", &old, &new]).code, 0);
    assert_eq!(run(&["diff", &old, &old]).code, 0);
}

#[test]
fn diff_can_gate_on_what_grew() {
    let folder = scratch();
    let lines = fs::read_to_string(golden("old.jsonl")).expect("it is committed");
    let more = lines.replace("\"open_count\":14,", "\"open_count\":15,");
    let [old, new] = [("old", &lines), ("new", &more)].map(|(name, it)| file(&folder, name, it));
    for (arguments, code) in [
        (["diff", "--fail-on", "new", &old, &new], 0),
        (["diff", "--fail-on", "grew", &old, &new], 1),
        (["diff", "--fail-on", "grew", &new, &old], 0),
    ] {
        assert_eq!(run(&arguments).code, code, "{arguments:?}");
    }
    assert_eq!(run(&["diff", "-", "-"]).code, 2);
}

#[test]
fn every_help_has_examples() {
    for command in ["report", "diff"] {
        let ran = run(&[command, "--help"]);
        assert_eq!(ran.code, 0);
        assert!(
            ran.stdout.contains("\nExamples:\n  memguard "),
            "{}",
            ran.stdout
        );
    }
}

/// The built-in rules can be had as a file of one's own.
#[test]
fn the_built_in_rules_are_rules_as_they_are_printed() {
    let printed = run(&["doctor", "--default-suppressions"]);
    assert_eq!((printed.code, &*printed.stderr), (0, ""));
    assert!(
        printed
            .stdout
            .starts_with("# memguard built-in suppressions, version ")
    );
    let folder = scratch();
    let path = file(&folder, "mine.supp", &printed.stdout);
    let old = golden("old.jsonl");
    let ran = run(&[
        "report",
        "--no-default-suppressions",
        "--suppressions",
        &path,
        &old,
    ]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
}

/// Rules that help shows are rules.
#[test]
fn the_rules_of_the_help_are_good() {
    let folder = scratch();
    let help = run(&["report", "--help"]).stdout;
    let rules = help
        .lines()
        .skip_while(|line| !line.contains("* and ? are wildcards:"))
        .skip(1);
    let rules: Vec<_> = rules.take_while(|line| !line.is_empty()).collect();
    assert!(rules.len() >= 4, "{help}");
    let path = file(&folder, "help.supp", &rules.join("\n"));
    let ran = run(&["report", "--suppressions", &path, &golden("old.jsonl")]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
}
