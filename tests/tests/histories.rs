//! Random histories of processes and threads, carried out by real ones: what memguard says each has
//! left is what a naive model of the kernel says, and what `/proc` showed.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    time::Duration,
};

use memguard_tests::{
    Account, Finding, Memguard, Ran, Scratch,
    history::{History, Tables},
    machine, program, times, total,
    zoo::reported_at_exit,
};

const PATIENCE: Duration = Duration::from_mins(5);

/// Pids by history and the actor with which a process began.
type Processes = BTreeMap<(usize, usize), u64>;

/// Sixty histories of two hundred steps and two hundred of twenty, the same every time, in which
/// every process has one table. The short ones are for who has to find out why.
#[test]
fn histories_end_as_the_model_says() {
    compare(&short_tier(Tables::OnePerProcess));
}

/// The same with threads that have tables of their own and processes that share one. There one
/// history of some thousand ends with one handle too few or too many, by how the ends of its
/// threads meet (`docs/journal/2026-11-21-origins.md`): one is carried out twice more, and must
/// then agree.
#[test]
fn histories_with_any_tables_end_as_the_model_says() {
    let mut histories = short_tier(Tables::Any);
    let differing = differing(&histories);
    assert!(differing.len() <= 1, "seeds {differing:?} differ");
    histories.retain(|history| differing.contains(&history.seed));
    if !histories.is_empty() {
        println!("seed {differing:?} differed once, a known gap: twice more");
        compare(&histories);
        compare(&histories);
    }
}

fn short_tier(tables: Tables) -> Vec<History> {
    println!("seeds 1001 to 1200 and 1 to 60");
    let short = (1001..=1200).map(|seed| History::random(seed, 20, tables));
    let long = (1..=60).map(|seed| History::random(seed, 200, tables));
    short.chain(long).collect()
}

/// Five hundred histories of five hundred steps, others every time unless `MEMGUARD_SEED` names the
/// first.
#[test]
#[ignore = "takes a minute"]
fn many_histories_end_as_the_model_says() {
    let chosen = env::var("MEMGUARD_SEED").ok();
    let chosen = chosen.and_then(|seed| seed.parse().ok());
    let first: u64 = chosen.unwrap_or_else(|| times::now() as u64);
    println!("seeds {first} to {}", first + 499);
    let histories = (first..first + 500).map(|seed| History::random(seed, 500, Tables::Any));
    compare(&histories.collect::<Vec<_>>());
}

fn compare(histories: &[History]) {
    let differing = differing(histories);
    assert!(differing.is_empty(), "seeds {differing:?} differ");
}

/// The seeds of those of which memguard does not say what the model does; the shortest is shown.
fn differing(histories: &[History]) -> BTreeSet<u64> {
    let Some(_alone) = machine::ready() else {
        return BTreeSet::new();
    };
    let ran = carry_out(histories);
    let processes = compare_with_proc(&ran, histories);
    let steps: usize = histories.iter().map(History::len).sum();
    println!(
        "{} histories, {steps} steps, {} processes",
        histories.len(),
        processes.len()
    );
    for (operation, times) in operations(histories) {
        println!("met: {times} {operation}");
    }

    let lines = ran.lines();
    let cases = cases(histories, &processes, &reported_at_exit(&lines));
    let by_count = differing_by("count", &cases, |case| {
        case.account.of_any_kind().differences(&case.reported)
    });
    let by_kind = differing_by("kind and call", &cases, |case| {
        case.account.differences(&case.reported)
    });
    let counters = lines.counters();
    println!("{counters}");
    counters.assert_identities();
    assert_eq!(counters.lost(), 0);
    assert_eq!(counters.get("ledger.held"), 0);
    by_count.union(&by_kind).copied().collect()
}

/// A history, what the model says its processes left, and what memguard says.
struct Case<'a> {
    history: &'a History,
    account: Account,
    reported: Vec<Finding<'a>>,
}

fn cases<'a>(
    histories: &'a [History],
    processes: &Processes,
    reported: &[Finding<'a>],
) -> Vec<Case<'a>> {
    let indices: BTreeMap<u64, usize> = processes
        .iter()
        .map(|((index, _), pid)| (*pid, *index))
        .collect();
    assert_eq!(indices.len(), processes.len(), "a number was used twice");
    let case = |(index, history)| Case {
        history,
        account: account(index, history, processes),
        reported: Vec::new(),
    };
    let mut cases: Vec<_> = histories.iter().enumerate().map(case).collect();
    for finding in reported {
        let index = indices.get(&finding.pid());
        let index = index.unwrap_or_else(|| panic!("of no history: {finding}"));
        cases[*index].reported.push(*finding);
    }
    let expected: u64 = cases.iter().map(|case| case.account.total()).sum();
    println!("{} handles reported, {expected} expected", total(reported));
    cases
}

/// What the model says of one history, with the pids of its processes.
fn account(index: usize, history: &History, processes: &Processes) -> Account {
    let mut expected = String::new();
    for (actor, left) in history.left() {
        let pid = processes[&(index, *actor)];
        for ((verdict, kind, call), count) in left {
            writeln!(expected, "expect {pid} {verdict} {kind} {count} {call}").unwrap();
        }
    }
    Account::of(&expected)
}

/// Compares history by history, and shows the shortest that differs with all its steps.
fn differing_by(
    what: &str,
    cases: &[Case<'_>],
    differences: impl Fn(&Case<'_>) -> Vec<String>,
) -> BTreeSet<u64> {
    let all = cases.iter().map(|case| (case.history, differences(case)));
    let differing: Vec<_> = all.filter(|(_, lines)| !lines.is_empty()).collect();
    let agreeing = cases.len() - differing.len();
    println!("{what}: {agreeing} of {} histories agree", cases.len());
    let shortest = differing.iter().min_by_key(|(history, _)| history.len());
    if let Some((history, lines)) = shortest {
        println!("seed {}:\n{}", history.seed, history.told());
        println!("{what}: {}", lines.join("\n"));
    }
    differing.iter().map(|(history, _)| history.seed).collect()
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
fn compare_with_proc(ran: &Ran, histories: &[History]) -> Processes {
    let mut processes = Processes::new();
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
