//! Random histories of processes and threads, carried out by real ones: what memguard says each has
//! left is what a naive model of the kernel says, and what `/proc` showed.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use memguard_tests::{
    Account, Memguard, Ran, Scratch, history::History, machine, program, zoo::reported_at_exit,
};

const PATIENCE: Duration = Duration::from_mins(5);

/// Sixty histories of two hundred steps, the same every time.
#[test]
fn histories_end_as_the_model_says() {
    compare(1, 60, 200);
}

/// A thousand histories of five hundred steps, others every time unless `MEMGUARD_SEED` names the
/// first.
#[test]
#[ignore = "takes a minute"]
fn many_histories_end_as_the_model_says() {
    let chosen = env::var("MEMGUARD_SEED").ok();
    let clock = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(1, |since| since.as_secs())
    };
    let first = chosen
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(clock);
    compare(first, 1000, 500);
}

fn compare(first_seed: u64, count: u64, length: usize) {
    let Some(_alone) = machine::ready() else {
        return;
    };
    println!("seeds {first_seed} to {}", first_seed + count - 1);
    let histories: Vec<_> = (first_seed..first_seed + count)
        .map(|seed| History::random(seed, length))
        .collect();
    let ran = carry_out(&histories);
    let processes = compare_with_proc(&ran, &histories);

    let mut expected = String::new();
    for (index, history) in histories.iter().enumerate() {
        for (actor, left) in history.left() {
            let pid = processes[&(index, *actor)];
            for ((verdict, kind, call), count) in left {
                writeln!(expected, "expect {pid} {verdict} {kind} {count} {call}").unwrap();
            }
        }
    }
    let steps: usize = histories.iter().map(History::len).sum();
    println!(
        "{count} histories, {steps} steps, {} processes",
        processes.len()
    );
    for (operation, times) in operations(&histories) {
        println!("met: {times} {operation}");
    }
    let lines = ran.lines();
    Account::of(&expected).compare(&reported_at_exit(&lines));
    let counters = lines.counters();
    println!("{counters}");
    counters.assert_identities();
    assert_eq!(counters.lost(), 0);
    assert_eq!(counters.get("ledger.held"), 0);
}

fn carry_out(histories: &[History]) -> Ran {
    let scratch = Scratch::new();
    let mut command = vec![program("history")];
    for history in histories {
        let path = scratch.path(&history.seed.to_string());
        std::fs::write(&path, history.encoded()).unwrap();
        command.push(path.display().to_string());
    }
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let ran = Memguard::run(&["--kinds", "all"], &command).finish_within(PATIENCE);
    assert_eq!(ran.code, 0, "the model and the kernel differ");
    ran
}

/// The tables that the processes saw at their end are those of the model. Returns the pid of each,
/// by history and the actor with which it began.
fn compare_with_proc(ran: &Ran, histories: &[History]) -> BTreeMap<(usize, usize), u64> {
    let mut processes = BTreeMap::new();
    let mut tables = 0;
    for line in ran.stdout.lines() {
        let mut words = line.split(' ');
        let what = words.next().unwrap();
        let numbers: Vec<i64> = words.map(|word| word.parse().unwrap()).collect();
        let (index, actor) = (numbers[0] as usize, numbers[1] as usize);
        if what == "process" {
            processes.insert((index, actor), numbers[2] as u64);
            continue;
        }
        let history = &histories[index];
        let mut seen: Vec<_> = numbers[2..].iter().map(|number| *number as i32).collect();
        seen.sort_unstable();
        let seed = history.seed;
        assert_eq!(
            seen,
            history.tables()[&actor],
            "actor {actor} of seed {seed}"
        );
        tables += 1;
    }
    let expected: usize = histories.iter().map(|history| history.tables().len()).sum();
    println!("{tables} tables in /proc are those of the model, of {expected}");
    assert_eq!(tables, expected);
    processes
}

fn operations(histories: &[History]) -> BTreeMap<&'static str, usize> {
    let mut all = BTreeMap::new();
    for (operation, times) in histories.iter().flat_map(History::operations) {
        *all.entry(operation).or_default() += times;
    }
    all
}

#[test]
#[ignore]
fn debug_small() {
    let n: usize = env::var("LEN").unwrap().parse().unwrap();
    let count: u64 = env::var("COUNT").unwrap().parse().unwrap();
    let histories: Vec<_> = (1..=count).map(|s| History::random(s, n)).collect();
    let ran = carry_out(&histories);
    let processes = compare_with_proc(&ran, &histories);
    let lines = ran.lines();
    let rep = reported_at_exit(&lines);
    let mut bad: Vec<(usize, usize, String)> = vec![];
    for (index, h) in histories.iter().enumerate() {
        let mut text = String::new();
        for (actor, left) in h.left() {
            let pid = processes[&(index, *actor)];
            let mut exp: BTreeMap<String, u64> = BTreeMap::new();
            for ((v, _k, c), n) in left {
                *exp.entry(format!("{v}")).or_default() += n;
                let _ = c;
            }
            let mut act: BTreeMap<String, u64> = BTreeMap::new();
            for f in rep.iter().filter(|f| f.pid() == pid) {
                *act.entry(f.verdict().to_owned()).or_default() += f.open_count();
            }
            if exp != act {
                writeln!(
                    text,
                    "  process of actor {actor} pid {pid}: expected {exp:?} {left:?}"
                )
                .unwrap();
                for f in rep.iter().filter(|f| f.pid() == pid) {
                    writeln!(
                        text,
                        "      got {} {} {} {:?}",
                        f.verdict(),
                        f.kind(),
                        f.open_count(),
                        f.calls()
                    )
                    .unwrap();
                }
            }
        }
        if !text.is_empty() {
            bad.push((h.len(), index, text));
        }
    }
    bad.sort();
    println!("{} bad of {}", bad.len(), histories.len());
    for (_, index, text) in bad
        .iter()
        .filter(|b| {
            let t = histories[b.1].told();
            !t.contains("Unshare") && !t.contains("RangeOwn")
        })
        .take(6)
    {
        println!(
            "== seed {}\n{}{}",
            histories[*index].seed,
            histories[*index].told(),
            text
        );
    }
}
