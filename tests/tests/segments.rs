//! Shared memory and semaphores with a name, in `/dev/shm`: what is left behind is told, and what
//! is used as it should be is not. `tests/programs/segments.py` says who does what.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{fs, path::Path, process::id, time::Duration};

use memguard_tests::{Finding, Lines, Memguard, Ran, machine, programs::sources};
use rustix::process::Signal;

/// How the names of a test begin; whatever is there under such a name goes with it.
struct Prefix(String);

impl Prefix {
    fn of(test: &str) -> Self {
        let prefix = Self(format!("memguard-{test}-{}-", id()));
        prefix.clear();
        prefix
    }

    fn there(&self) -> Vec<std::path::PathBuf> {
        let all = fs::read_dir("/dev/shm").expect("/dev/shm");
        let all = all.filter_map(|entry| Some(entry.ok()?.path()));
        let begins = |path: &std::path::PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy());
            name.is_some_and(|name| name.trim_start_matches("sem.").starts_with(&self.0))
        };
        all.filter(begins).collect()
    }

    fn clear(&self) {
        for path in self.there() {
            let _gone = fs::remove_file(path);
        }
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        self.clear();
    }
}

fn script() -> String {
    let script = sources().join("segments.py");
    script.to_string_lossy().into_owned()
}

fn run(options: &[&str], what: &str, prefix: &Prefix) -> Ran {
    Memguard::run(options, &["python3", &script(), what, &prefix.0]).finish()
}

/// What is told of shared memory.
fn segments(lines: &Lines) -> Vec<Finding<'_>> {
    let mut findings = lines.latest_findings();
    findings.retain(|finding| finding.resource() == "shm");
    findings
}

fn is_only_left(ran: &Ran, prefix: &Prefix, bytes: u64) {
    let lines = ran.lines();
    let told = segments(&lines);
    let [left] = &told[..] else {
        panic!("not one finding: {told:?}");
    };
    println!("{left}");
    assert_eq!((left.verdict(), left.kind()), ("left", "posix"));
    assert_eq!((left.open_count(), left.open_bytes()), (1, Some(bytes)));
    let there = prefix.there();
    let path = there.first().expect("it is still there");
    let line = lines.all().iter().map(ToString::to_string);
    let name = path.to_string_lossy().into_owned();
    assert!(line.into_iter().any(|line| line.contains(&name)), "{name}");
}

#[test]
fn what_outlives_the_command_is_told() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let prefix = Prefix::of("left");
    let ran = run(&[], "left", &prefix);
    is_only_left(&ran, &prefix, 4096);
    assert_eq!(ran.code, 0);
    prefix.clear();
    let ran = run(&["--fail-on", "left"], "left", &prefix);
    assert_eq!(ran.code, 23, "it reaches the gate");
}

#[test]
fn a_semaphore_is_known_by_its_number_for_it_is_renamed() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let prefix = Prefix::of("semaphore");
    let ran = run(&[], "semaphore", &prefix);
    is_only_left(&ran, &prefix, 32);
}

#[test]
fn what_is_unlinked_in_time_or_was_there_before_is_not_told() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let prefix = Prefix::of("healthy");
    fs::write(format!("/dev/shm/{}before", prefix.0), b"12345").expect("a file");
    for what in ["healthy", "existing"] {
        let ran = run(&[], what, &prefix);
        let lines = ran.lines();
        assert_eq!(ran.code, 0, "{what}");
        assert!(
            segments(&lines).is_empty(),
            "{what}: {:?}",
            segments(&lines)
        );
    }
    assert_eq!(prefix.there().len(), 1, "only what was there before");
}

/// Whose leaks are told.
fn leaking(lines: &Lines) -> Vec<u64> {
    let mut told = segments(lines);
    told.retain(|it| it.verdict() == "leak" && it.open_count() >= 12);
    told.iter().map(|finding| finding.pid()).collect()
}

#[test]
fn what_piles_up_is_a_leak_whether_its_maker_runs_or_not() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let prefixes = ["workers", "grows"].map(Prefix::of);
    let start = |what: &str, prefix: &Prefix| {
        let words = [&*script(), what, &prefix.0];
        Memguard::program(Path::new("python3"), &words).start()
    };
    let grows = start("grows", &prefixes[1]);
    let options = "-d 5m --warm-up 3s --min-age 2s -i 1s -a";
    let options: Vec<&str> = options.split(' ').collect();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(Duration::from_secs(20), "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    let workers = start("workers", &prefixes[0]);
    let runs = u64::from(grows.pid());
    watch.wait_for(Duration::from_mins(3), "both leaks", |lines| {
        let leaking = leaking(lines);
        leaking.contains(&runs) && leaking.iter().any(|pid| *pid != runs)
    });
    watch.signal(Signal::INT);
    // Who is started in the background of a shell ignores SIGINT.
    for running in [&workers, &grows] {
        running.signal(Signal::TERM);
    }
    for ended in [workers, grows, watch] {
        ended.finish_within(Duration::from_secs(30));
    }
}
