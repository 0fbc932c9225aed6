//! Colours, pipes and terminals: what is printed suits who reads it.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{path::Path, process::Command, time::Duration};

use memguard_tests::{
    Guard, Memguard, Ran, Scratch, machine,
    terminal::{Terminal, screen},
};

const QUICK: &str = "--warm-up 1s --min-age 1s -i 1s";
const PATIENCE: Duration = Duration::from_secs(30);
const ESCAPE: char = '\u{1b}';

fn golden(name: &str) -> String {
    let file = format!("../memguard/src/output/golden/{name}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    path.display().to_string()
}

/// What `report` prints on a terminal.
fn on_a_terminal(options: &[&str], variables: &[(&str, &str)]) -> String {
    let terminal = Terminal::new();
    let mut memguard = Memguard::plain(&["report", &golden("old.jsonl")]).with(|command| {
        command.args(options).stdout(terminal.stdio());
        command.env_remove("NO_COLOR").env("TERM", "xterm");
    });
    for (name, value) in variables {
        memguard = memguard.env(name, value);
    }
    let ran = memguard.finish();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    terminal.finish()
}

/// Colours are for terminals, unless `NO_COLOR` or a terminal without them says otherwise, and
/// `--color` has the last word.
#[test]
fn colours_are_where_they_are_wanted() {
    for (options, variables, coloured) in [
        (&[][..], &[][..], true),
        (&[], &[("NO_COLOR", "1")], false),
        (&[], &[("NO_COLOR", "")], true),
        (&[], &[("TERM", "dumb")], false),
        (&["--color", "always"], &[("NO_COLOR", "1")], true),
        (&["--color", "never"], &[], false),
    ] {
        let text = on_a_terminal(options, variables);
        println!("{options:?} {variables:?}: {}", text.contains(ESCAPE));
        assert_eq!(text.contains(ESCAPE), coloured, "{options:?} {variables:?}");
        let shown = screen(&text);
        assert!(
            shown.iter().any(|line| line.starts_with("LEAK  api[4242]")),
            "{shown:#?}"
        );
    }
    for (options, coloured) in [(&[][..], false), (&["--color", "always"], true)] {
        let old = golden("old.jsonl");
        let arguments = [&["report", &old], options].concat();
        let ran = Memguard::plain(&arguments).finish();
        assert_eq!(ran.stdout.contains(ESCAPE), coloured, "a pipe, {options:?}");
    }
}

/// Where the locale has no blocks the line of counts is ASCII.
#[test]
fn the_line_of_counts_suits_the_locale() {
    for (variables, blocks) in [
        (&[("LC_ALL", "C.UTF-8")][..], true),
        (&[("LC_ALL", "C")], false),
        (
            &[("LC_ALL", ""), ("LC_CTYPE", "en_US.utf8"), ("LANG", "C")],
            true,
        ),
        (&[("LC_ALL", ""), ("LC_CTYPE", ""), ("LANG", "C")], false),
    ] {
        let mut memguard = Memguard::plain(&["report", &golden("old.jsonl")]);
        for (name, value) in variables {
            memguard = memguard.env(name, value);
        }
        let text = memguard.finish().stdout;
        let [ascii, unicode] = ["*##  ", "▇██  "].map(|end| text.contains(end));
        assert_eq!((ascii, unicode), (!blocks, blocks), "{variables:?}: {text}");
    }
}

fn shell(line: &str) -> Ran {
    // Not every shell has pipefail: the code of memguard goes through a file.
    Memguard::program(Path::new("sh"), &["-c", line])
        .env("MEMGUARD", machine::memguard())
        .finish_within(PATIENCE)
}

/// A reader that goes ends memguard quietly, with the code of the gate, or 0.
#[test]
fn who_reads_no_further_is_no_error() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let sleep = Guard::spawn(Command::new("sleep").arg("60")).expect("sleep starts");
    let (scratch, pid, old) = (Scratch::new(), sleep.pid(), golden("old.jsonl"));
    for (command, code) in [
        (format!("report {old}"), "0"),
        (format!("report --fail-on leak {old}"), "1"),
        (format!("report --format folded {old}"), "0"),
        (format!("diff {old} {old}"), "0"),
        ("doctor".to_owned(), "0"),
        (format!("watch -p {pid} {QUICK} -d 3s"), "0"),
        (format!("watch -p {pid} {QUICK} -d 3s --format jsonl"), "0"),
    ] {
        let told = scratch.text("code");
        // `true` reads nothing: the pipe is broken at the first write, or before.
        let line = format!("{{ \"$MEMGUARD\" {command}; echo $? > {told}; }} | true");
        let ran = shell(&line);
        let said = std::fs::read_to_string(&told).unwrap_or_default();
        println!("{command}: {}", said.trim());
        // Why it is no success is said elsewhere.
        let why = if code == "0" {
            ""
        } else {
            "memguard: exits with 1: "
        };
        assert_eq!(said.trim(), code, "{command}");
        assert!(
            ran.stderr.starts_with(why)
                && ran.stderr.lines().count() == code.parse::<usize>().unwrap(),
            "{command}: {}",
            ran.stderr
        );
    }
}

/// The first line of many is enough for some.
#[test]
fn the_head_of_a_watch_is_enough() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let sleep = Guard::spawn(Command::new("sleep").arg("60")).expect("sleep starts");
    let pid = sleep.pid();
    let watch = format!("\"$MEMGUARD\" watch -p {pid} {QUICK} -d 3s --format jsonl");
    let ran = shell(&format!("{watch} | head -n 1"));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    assert!(
        ran.stdout.contains("memguard.agent.started"),
        "{}",
        ran.stdout
    );
}
