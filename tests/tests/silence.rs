//! What is not said unless somebody asks, and what is said in one line whatever else is silent.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    fs,
    process::{Command, Stdio},
};

use memguard_tests::{Guard, Memguard, Ran, Scratch, machine, program};

/// A shell that waits until it is watched, and then runs what leaves 16 descriptors.
fn leaver() -> Guard {
    let script = format!("sleep 4; {}; true", program("leak_fds_sockets"));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Guard::spawn(&mut command).expect("there is a shell")
}

/// The line that says why a gate was reached.
fn reason(ran: &Ran) -> Option<&str> {
    let mut lines = ran.stderr.lines();
    lines.find(|line| line.starts_with("memguard: exits with "))
}

/// `watch` counts what processes left, and tells it only with `--left`, in text and in JSON.
#[test]
fn a_watch_tells_what_was_left_only_if_asked() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let scratch = Scratch::new();
    for (options, told) in [([].as_slice(), false), (&["--left"], true)] {
        let shells = [leaver(), leaver()];
        let [text, json] = shells.each_ref().map(|shell| shell.pid().to_string());
        let file = scratch.text("lines.jsonl");
        let to_file = [&["watch", "-p", &json, "-o", &file], options].concat();
        let to_file = Memguard::plain(&to_file).start();
        let shown = Memguard::plain(&[&["watch", "-p", &text], options].concat()).finish();
        let to_file = to_file.finish_within(std::time::Duration::from_secs(30));
        assert_eq!((shown.code, to_file.code), (0, 0), "{shown} {to_file}");
        let lines = fs::read_to_string(&file).expect("it was written");
        assert_eq!(lines.contains("\"verdict\":\"left\""), told, "{lines}");
        assert_eq!(shown.stdout.contains("\nLEFT "), told, "{shown}");
        let words: Vec<_> = shown.stdout.split_whitespace().collect();
        let said = words.join(" ");
        let counted =
            "nothing leaked, 16 descriptors left at exit by 1 process (--left shows them)";
        assert_eq!(said.contains(counted), !told, "{said}");
        assert!(said.contains("16 descriptors left at exit"), "{said}");
        assert!(lines.contains("\"left_count\":16"), "{lines}");
    }
}

/// A gate that is reached says why in one line, wherever findings go.
#[test]
fn a_gate_that_is_reached_says_why() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let scratch = Scratch::new();
    let (file, leaker) = (scratch.text("lines.jsonl"), program("forget_one"));
    for options in [&["-q"][..], &["-o", &file], &["--format", "jsonl"]] {
        let words = [
            &["run", "--fail-on", "leak,left:1"],
            options,
            &["--", &leaker],
        ]
        .concat();
        let ran = Memguard::plain(&words).finish();
        let said = reason(&ran).unwrap_or_else(|| panic!("{options:?}: {ran}"));
        println!("{options:?}: {said}");
        assert_eq!(ran.code, 23);
        assert!(
            said.starts_with("memguard: exits with 23: 1 descriptor left at exit (devices from ")
        );
        assert!(
            said.contains("forget_one (forget_one.c:") && said.ends_with("--fail-on leak,left")
        );
    }
    let ran = Memguard::plain(&["report", "--fail-on", "left", &file]).finish();
    assert_eq!(ran.code, 1, "{ran}");
    let said = reason(&ran).expect("a reason");
    assert!(
        said.starts_with("memguard: exits with 1: 1 descriptor left at exit"),
        "{said}"
    );
}

/// A gate that is not reached says nothing, and `left:N` is reached by N.
#[test]
fn a_gate_that_is_not_reached_is_silent() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let leaker = program("leak_fds_sockets");
    for (gate, code) in [
        ("left:17", 0),
        ("left:16", 23),
        ("exhaustion", 0),
        ("never", 0),
    ] {
        let ran = Memguard::plain(&["run", "-q", "--fail-on", gate, "--", &leaker]).finish();
        assert_eq!(ran.code, code, "{gate}: {ran}");
        let ends = format!("--fail-on {gate}");
        let said = reason(&ran).is_some_and(|line| line.ends_with(&ends));
        assert_eq!(said, code != 0, "{gate}: {ran}");
    }
}
