//! Nothing of a process that has ended stays in memguard, however it ended. Only processes of this
//! test are watched, so that what the rest of the host does counts for nothing.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{collections::BTreeSet, path::Path, time::Duration};

use memguard_tests::{
    Cgroup, Counters, Lines, Memguard, Running, lines::number, machine, program, wait_until,
};
use rustix::process::Signal;

/// Processes of each kind that come first, so that what memguard sets up once is there.
const WARM_UP: u64 = 50;
/// Processes of each kind that it is about.
const MANY: u64 = 500;
/// Ways of ending: exit, exec and exit, threads that end together, `kill -9`.
const KINDS: u64 = 4;
const PATIENCE: Duration = Duration::from_mins(3);
/// Marks of releases live for two sweeps, and the modules of the dead twice five seconds. Names and
/// stacks are made by another thread and another process: where others have the CPUs, they need
/// longer until they have let go of everything.
const SETTLED: [Duration; 3] = [
    Duration::from_secs(12),
    Duration::from_secs(30),
    Duration::from_mins(1),
];

/// What is as before, to the last entry.
const SAME: [&str; 4] = [
    "acquisitions.held",
    "ledger.held",
    "ledger.state",
    "memory.held",
];

/// What may be more afterwards.
const MORE: [(&str, u64); 2] = [
    // Whatever is kept of a process beside an entry in a table is a block of its own.
    ("heap.blocks", KINDS * MANY / 2),
    // Tables give room back that they once needed, but not at once.
    ("heap.bytes", KINDS * MANY * 64),
];

/// Watched by their common ancestor.
#[test]
fn processes_leave_no_state_where_a_process_is_watched() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    compare(|shell| vec!["-p".to_owned(), shell.pid().to_string()]);
}

/// Watched by their control group.
#[test]
fn processes_leave_no_state_where_a_control_group_is_watched() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let cgroup = Cgroup::make();
    compare(|shell| {
        cgroup.takes(shell.pid());
        let path = cgroup.path().display().to_string();
        vec!["--cgroup".to_owned(), path]
    });
}

fn compare(scope: impl Fn(&Running) -> Vec<String>) {
    let holds = SETTLED.into_iter().any(|settled| {
        let before = state_after(&scope, &[WARM_UP], settled);
        let after = state_after(&scope, &[WARM_UP, MANY], settled);
        for name in SAME {
            assert_eq!(after.get(name), before.get(name), "{name}");
        }
        println!("{settled:?} after the last process:");
        MORE.into_iter().all(|(name, more)| {
            let (before, after) = (before.get(name), after.get(name));
            println!("{name}: {before} and then {after}, at most {more} more expected");
            after <= before + more
        })
    });
    assert!(
        holds,
        "more stays on the heap, however long memguard has had"
    );
}

/// What memguard holds in the end, after rounds of so many processes of each kind.
fn state_after(
    scope: impl Fn(&Running) -> Vec<String>,
    rounds: &[u64],
    settled: Duration,
) -> Counters {
    let mut shell = Memguard::program(Path::new("sh"), &[]).start();
    let scope = scope(&shell);
    let mut options: Vec<&str> = scope.iter().map(String::as_str).collect();
    options.extend(["-d", "10m", "-i", "500ms"]);
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(PATIENCE, "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    for (number, each) in rounds.iter().enumerate() {
        carry_out(&mut shell, number, *each);
        let pids = pids(&shell.printed());
        let expected: u64 = rounds[..=number].iter().map(|each| each * KINDS).sum();
        assert_eq!(pids.len() as u64, expected, "a pid was used twice");
        watch.wait_for(PATIENCE, "every process is judged", |lines| {
            ended(lines).is_superset(&pids)
        });
        let over = watch.elapsed() + settled;
        wait_until(settled * 2, "sweeps", || watch.elapsed() >= over);
    }
    watch.signal(Signal::INT);
    let lines = watch.finish_within(PATIENCE).lines();
    let counters = Counters::of(lines.stopped());
    println!("after {rounds:?} of each kind: {counters}");
    counters.assert_identities();
    assert_eq!(counters.lost(), 0, "what was lost cannot be judged");
    drop(shell);
    counters
}

/// Has a shell start so many of each kind, and waits for the last. All print their pids.
fn carry_out(shell: &mut Running, round: usize, each: u64) {
    let [short, spin, die] = ["short_children", "spin_exit", "die_by_signal"].map(program);
    let killed = format!("sh -c 'echo $$; exec {die} 9'");
    shell.type_in(&format!(
        "{short} {each}; {short} {each} exec; {spin} {each}\n\
         i=0; while [ $i -lt {each} ]; do {killed}; i=$((i+1)); done 2>/dev/null\n\
         echo round {round} is over\n"
    ));
    shell.wait_for_output(PATIENCE, &format!("round {round} is over\n"));
}

fn pids(printed: &str) -> BTreeSet<u64> {
    printed
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect()
}

fn ended(lines: &Lines) -> BTreeSet<u64> {
    let exits = lines.events("memguard.process.exited").into_iter();
    exits.map(|line| number(line, "/process/pid")).collect()
}
