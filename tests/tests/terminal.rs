//! What memguard shows on a terminal, and does not leave there.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{process::Stdio, time::Duration};

use memguard_tests::{
    Guard, Memguard, machine,
    terminal::{Terminal, screen},
    wait_until,
};
use rustix::process::Signal;

/// The part of the progress line that no other line has.
const HELD: &str = " held, ";
const PATIENCE: Duration = Duration::from_secs(20);

fn sleeper() -> Guard {
    let mut sleep = std::process::Command::new("sleep");
    Guard::spawn(sleep.arg("60")).expect("sleep starts")
}

/// While there is nothing to tell a line says how far it is: first the warm-up, then that it
/// judges. In the end the line is gone, and nothing else with it.
#[test]
fn progress_is_shown_and_leaves_nothing() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let (sleep, terminal) = (sleeper(), Terminal::new());
    let pid = sleep.pid().to_string();
    let options = [
        "watch",
        "-p",
        &pid,
        "--warm-up",
        "2s",
        "--min-age",
        "1s",
        "-i",
        "1s",
    ];
    let watch = Memguard::plain(&options)
        .with(|command| {
            command.stdout(terminal.stdio()).stderr(terminal.stdio());
        })
        .start();
    for phase in ["warm-up until 2 s", "judging:"] {
        wait_until(PATIENCE, &format!("{phase:?} on the terminal"), || {
            terminal.raw().contains(phase)
        });
    }
    watch.signal(Signal::INT);
    let ran = watch.finish_within(PATIENCE);
    let raw = terminal.finish();
    let shown = screen(&raw);
    println!("{}", shown.join("\n"));
    assert_eq!(ran.code, 0);
    assert!(
        raw.contains(HELD) && raw.contains("no findings, 0 lost"),
        "{raw}"
    );
    assert!(!shown.iter().any(|line| line.contains(HELD)), "{shown:#?}");
    for start in [
        "memguard: watching",
        "sleep[",
        "memguard: nothing leaked",
        "observed ",
        "cost: ",
    ] {
        let found = shown.iter().filter(|line| line.starts_with(start)).count();
        assert_eq!(found, 1, "{start}: {shown:#?}");
    }
    for line in &shown {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

/// Nobody who did not ask for it gets it: not a file, not `--quiet`, not who reads through a pipe
/// that may end on the same terminal, and not lines for machines on the terminal itself.
#[test]
fn progress_stays_away_where_it_would_disturb() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let sleep = sleeper();
    let pid = sleep.pid().to_string();
    for (options, stdout_is_terminal) in [
        (&["--quiet"][..], true),
        (&["--format", "jsonl"], true),
        (&["--format", "jsonl"], false),
    ] {
        let terminal = Terminal::new();
        let times = ["--warm-up", "1s", "--min-age", "1s", "-i", "1s", "-d", "2s"];
        let ran = Memguard::plain(&["watch", "-p", &pid])
            .with(|command| {
                command.args(times).args(options).stderr(terminal.stdio());
                command.stdout(if stdout_is_terminal {
                    terminal.stdio()
                } else {
                    Stdio::piped()
                });
            })
            .finish();
        let raw = terminal.finish();
        println!("{options:?}, {stdout_is_terminal}: {} bytes", raw.len());
        assert_eq!(ran.code, 0, "{raw}");
        assert!(!raw.contains(HELD), "{options:?}: {raw}");
    }
    let plain = Memguard::plain(&[
        "watch",
        "-p",
        &pid,
        "--warm-up",
        "1s",
        "--min-age",
        "1s",
        "-i",
        "500ms",
        "-d",
        "2s",
    ]);
    let ran = plain.finish();
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (0, ""),
        "no terminal, no line"
    );
}

/// The tour on a terminal: what it finds is printed between the lines of progress, and neither
/// spoils the other. Nothing is wider than the terminal.
#[test]
fn the_tour_is_neat() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let terminal = Terminal::new();
    let ran = Memguard::plain(&["demo"])
        .with(|command| {
            command.stdout(terminal.stdio()).stderr(terminal.stdio());
        })
        .finish();
    let raw = terminal.finish();
    let shown = screen(&raw);
    println!("{}", shown.join("\n"));
    assert_eq!(ran.code, 0);
    assert!(raw.contains(HELD), "there was progress");
    assert!(!shown.iter().any(|line| line.contains(HELD)), "{shown:#?}");
    let leaks = shown
        .iter()
        .filter(|line| line.starts_with("LEAK  memguard["));
    assert!(leaks.count() >= 1, "{shown:#?}");
    let closed = "127.0.0.1 has closed its end, this process has not";
    assert!(shown.iter().any(|line| line.contains(closed)), "{shown:#?}");
    for line in &shown {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
