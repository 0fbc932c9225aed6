//! Everyday programs behave under `memguard run` as they do without it, and it costs them little.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use memguard_tests::{Memguard, Ran, Scratch, machine, nginx};

/// Runs `command` bare and traced, and compares exit code and both outputs.
fn same_as_bare(command: &[&str]) -> Ran {
    let bare = Memguard::program(Path::new(command[0]), &command[1..]).finish();
    let traced = Memguard::run(&[], command).finish();
    println!("{command:?}: bare {}, traced {}", bare.code, traced.code);
    assert_eq!(traced.code, bare.code, "{command:?}: {}", traced.stderr);
    assert_eq!(traced.stdout, bare.stdout, "{command:?}");
    assert_eq!(traced.lines().counters().lost(), 0, "{command:?}");
    traced
}

/// `git` answers its version, makes a repository and shows its state.
#[test]
fn git() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    if !machine::has("git") {
        return;
    }
    let scratch = Scratch::new();
    assert_eq!(same_as_bare(&["git", "--version"]).code, 0);
    let repository = scratch.text("repository");
    let made = Memguard::run(&[], &["git", "init", "-q", &repository]).finish();
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert_eq!(same_as_bare(&["git", "-C", &repository, "status"]).code, 0);
    assert_ne!(
        same_as_bare(&["git", "-C", &repository, "log"]).code,
        0,
        "there is no commit"
    );
}

/// `gcc` runs its passes as children and writes the object file; a wrong source fails as it should.
#[test]
fn gcc() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    if !machine::has("gcc") {
        return;
    }
    let scratch = Scratch::new();
    let right = scratch.write("right.c", "int f(void) { return 1; }\n");
    let wrong = scratch.write("wrong.c", "int f(void) { return }\n");
    let object = scratch.text("out.o");
    assert_eq!(same_as_bare(&["gcc", "-c", "-o", &object, &right]).code, 0);
    assert!(scratch.path("out.o").is_file());
    assert_eq!(same_as_bare(&["gcc", "-c", "-o", &object, &wrong]).code, 1);
}

/// `tar` packs and lists a directory.
#[test]
fn tar() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    if !machine::has("tar") {
        return;
    }
    let scratch = Scratch::new();
    scratch.write("a", "a\n");
    scratch.write("b", "b\n");
    let (dir, archive) = (scratch.text(""), scratch.text("out.tar"));
    assert_eq!(
        same_as_bare(&["tar", "-cf", &archive, "-C", &dir, "a", "b"]).code,
        0
    );
    assert_eq!(same_as_bare(&["tar", "-tf", &archive]).stdout, "a\nb\n");
}

/// `curl` reads a file, and fails with its own code on one that is not there.
#[test]
fn curl() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    if !machine::has("curl") {
        return;
    }
    let scratch = Scratch::new();
    let url = format!("file://{}", scratch.write("content", "content\n"));
    assert_eq!(same_as_bare(&["curl", "-s", &url]).stdout, "content\n");
    assert_eq!(
        same_as_bare(&["curl", "-s", &format!("{url}-not")]).code,
        37
    );
}

/// `nginx` finds its configuration right, or wrong, as it does bare.
#[test]
fn nginx_checks_its_configuration() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    if !machine::has("nginx") {
        return;
    }
    let scratch = Scratch::new();
    let prefix = scratch.text("");
    let right = nginx::configure(&scratch, nginx::free_port());
    let wrong = scratch.write("wrong.conf", "no_such_directive;\n");
    assert_eq!(
        same_as_bare(&["nginx", "-p", &prefix, "-c", &right, "-t"]).code,
        0
    );
    assert_eq!(
        same_as_bare(&["nginx", "-p", &prefix, "-c", &wrong, "-t"]).code,
        1
    );
}

/// `memguard run -- true` takes less than a second more than `true`, from start to exit.
#[test]
fn a_run_costs_under_a_second() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let memguard = machine::memguard();
    costs_under_a_second(
        || Command::new("true"),
        || {
            let mut command = Command::new(&memguard);
            command.args(["run", "--", "true"]);
            command
        },
    );
}

/// The same where a shell waits for the pipe behind it: nothing that outlives the run keeps the
/// pipe open.
#[test]
fn a_run_in_a_shell_costs_under_a_second() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let memguard = machine::memguard();
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("MEMGUARD", &memguard);
        command
    };
    costs_under_a_second(
        || shell("x=$(true)"),
        || shell("x=$(\"$MEMGUARD\" run -- true)"),
    );
}

/// Compares medians of five interleaved runs.
fn costs_under_a_second(bare: impl Fn() -> Command, traced: impl Fn() -> Command) {
    let (mut bare_times, mut traced_times): (Vec<_>, Vec<_>) =
        (0..5).map(|_round| (time(bare()), time(traced()))).unzip();
    let (bare, traced) = (median(&mut bare_times), median(&mut traced_times));
    println!("bare {bare:?}, traced {traced:?} (medians of 5, all traced: {traced_times:?})");
    assert!(traced < bare + Duration::from_secs(1));
}

fn time(mut command: Command) -> Duration {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    assert!(command.status().unwrap().success());
    start.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
