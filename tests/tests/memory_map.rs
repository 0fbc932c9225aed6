//! Random histories of address spaces, carried out by real processes: what memguard says is mapped
//! is mapped, and what the history has mapped is known to memguard. The steps are in
//! `tests/programs/memory_history.c`, which keeps a book; the judge of both is `/proc/PID/maps`.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    collections::BTreeMap,
    env,
    time::{Duration, Instant},
};

use memguard_tests::{
    Counters, Driven, Memguard, Running, machine,
    memory::{History, Pages, maps, tracked},
    program, times, wait_until,
};
use rustix::process::Signal;

/// How many histories, with which seeds, of how many steps for each thread.
#[derive(Clone, Copy)]
struct Batch {
    first: u64,
    count: usize,
    steps: usize,
}

/// For who has to find out why.
const SHORT: Batch = Batch {
    first: 1001,
    count: 60,
    steps: 30,
};
const MIDDLE: Batch = Batch {
    first: 1,
    count: 40,
    steps: 400,
};

// Without stacks and with a large ring: histories come faster than any program works, and here
// nothing is to be lost.
const OPTIONS: [&str; 13] = [
    "--stack-bytes",
    "off",
    "-d",
    "5m",
    "--kinds",
    "mmap,heap",
    "--warm-up",
    "1s",
    "--min-age",
    "1s",
    "-i",
    "250ms",
    "--show-mappings",
];
const RING_BYTES: &str = "67108864";
/// Until the youngest mapping has reached its age.
const SETTLED: Duration = Duration::from_millis(2500);
const PATIENCE: Duration = Duration::from_mins(2);

/// The books are right, without memguard: each page of a region is mapped if and only if it is in
/// its book, and so is all that was mapped elsewhere.
#[test]
fn books_are_what_proc_says() {
    for batch in [SHORT, MIDDLE] {
        let mut program = start(batch);
        check_books(batch, &carry_out(&mut program));
    }
}

/// A hundred histories, the same every time.
#[test]
fn ranges_are_what_proc_says() {
    compare(SHORT);
    compare(MIDDLE);
}

/// A hundred of two thousand steps, others every time unless `MEMGUARD_SEED` names the first.
#[test]
#[ignore = "takes a minute"]
fn ranges_of_many_are_what_proc_says() {
    let chosen = env::var("MEMGUARD_SEED").ok();
    let chosen = chosen.and_then(|seed| seed.parse().ok());
    compare(Batch {
        first: chosen.unwrap_or_else(|| times::now() as u64 % 1_000_000_000),
        count: 100,
        steps: 2000,
    });
}

fn start(batch: Batch) -> Driven {
    let words = [batch.first, batch.count as u64, batch.steps as u64];
    println!(
        "seeds from {}, {} of {} steps",
        words[0], words[1], words[2]
    );
    let words = words.map(|word| word.to_string());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Driven::start(&program("memory_history"), &words)
}

/// Lets the histories happen; the processes wait when it returns.
fn carry_out(program: &mut Driven) -> Vec<History> {
    program.go();
    wait_until(PATIENCE, "all histories", || {
        assert!(program.lives(), "a step of a history has failed");
        program.is_done()
    });
    History::all(&program.printed())
}

/// What is mapped by the books and by `/proc`, page by page.
#[track_caller]
fn check_books(batch: Batch, histories: &[History]) {
    let (mut pages, mut wrong) = (0, Vec::new());
    for history in histories {
        let mapped = maps(history.pid);
        let missing = history.book.without(&mapped);
        let surplus = mapped.within(&history.region).without(&history.book);
        pages += history.book.count();
        if !missing.is_empty() || !surplus.is_empty() {
            let seed = history.seed;
            wrong.push(format!("seed {seed}: not {missing}, but {surplus}"));
        }
    }
    println!("{pages} pages of {} histories", histories.len());
    for (step, count) in steps(histories) {
        println!("met: {count} {step}");
    }
    assert!(pages > 0, "nothing is mapped at all");
    assert!(
        wrong.is_empty(),
        "the books are wrong: {}",
        wrong.join("\n")
    );
    assert_eq!(histories.len(), batch.count);
}

fn steps(histories: &[History]) -> BTreeMap<&str, u64> {
    let mut all = BTreeMap::new();
    for (step, count) in histories.iter().flat_map(|history| &history.steps) {
        *all.entry(step.as_str()).or_default() += count;
    }
    all
}

fn compare(batch: Batch) {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let mut program = start(batch);
    let watch = watch(program.pid());
    let histories = carry_out(&mut program);
    let done = Instant::now();
    check_books(batch, &histories);
    wait_until(SETTLED * 2, "the youngest mapping's age", || {
        done.elapsed() > SETTLED
    });
    let mapped = histories
        .iter()
        .map(|history| (history.pid, maps(history.pid)))
        .collect();
    watch.signal(Signal::INT);
    let lines = watch.finish_within(Duration::from_secs(20)).lines();
    let counters = Counters::of(lines.events("memguard.agent.stopped")[0]);
    counters.assert_identities();
    println!("{counters}");
    assert_eq!(counters.lost(), 0, "something was lost");
    all_agree(&histories, &mapped, &tracked(&lines));
}

fn watch(pid: u32) -> Running {
    let pid = pid.to_string();
    let options = [["-p", pid.as_str()].as_slice(), &OPTIONS].concat();
    let watch = Memguard::watch(&options).env("MEMGUARD_RING_BYTES", RING_BYTES);
    let mut watch = watch.start();
    watch.wait_for(Duration::from_secs(10), "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    watch
}

/// What memguard has is mapped, and what a history has mapped memguard has. Shows the shortest
/// that differs.
#[track_caller]
fn all_agree(histories: &[History], mapped: &BTreeMap<u32, Pages>, tracked: &BTreeMap<u32, Pages>) {
    let mut wrong = Vec::new();
    let mut pages = 0;
    for history in histories {
        let History {
            pid, seed, book, ..
        } = history;
        let Some(tracked) = tracked.get(pid) else {
            wrong.push(format!("seed {seed}: process {pid} is not shown"));
            continue;
        };
        let gone = tracked.without(&mapped[pid]);
        let unknown = book.without(tracked);
        pages += tracked.within(book).count();
        if !gone.is_empty() {
            wrong.push(format!("seed {seed}: known, but not mapped: {gone}"));
        }
        if !unknown.is_empty() {
            wrong.push(format!("seed {seed}: mapped, but not known: {unknown}"));
        }
    }
    let expected: u64 = histories.iter().map(|history| history.book.count()).sum();
    println!("{pages} pages are known, of {expected}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(pages, expected);
}
