//! Scenarios of the kernel's semantics of memory, and of what is counted like it: ranges that pile
//! up, heaps that grow, threads, zombies, timers, segments, and what only looks like it. They run
//! side by side under one `memguard watch`; the steps are in `tests/programs/zoo_{memory,growth,
//! tasks,shm}.c` under the same names. What a program says of itself is first held against `/proc`.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::time::{Duration, Instant};

use memguard_tests::{
    Driven, Finding, Lines, Memguard, Running, machine,
    memory::{
        Judgement, Pages, Said, Usage, UsageSampler, judge,
        judge::{about_others, lost_mappings},
        maps,
        said::{Finds, Grows},
        usage::sysv_segments,
    },
    program, wait_until,
};
use rustix::process::Signal;

const WARM_UP: Duration = Duration::from_secs(3);
const OPTIONS: [&str; 10] = [
    "-d",
    "5m",
    "--kinds",
    "mmap,heap",
    "--warm-up",
    "3s",
    "--min-age",
    "2s",
    "-i",
    "1s",
];
/// Until the last leak has reached its age and been told of.
const SETTLED: Duration = Duration::from_secs(5);
/// The programs work for 26 seconds.
const WORK: Duration = Duration::from_mins(1);

/// Begins as soon as it is watched: what it does first is its warm-up.
const AT_THE_START: [(&str, &str); 1] = [("zoo_growth", "s58_cache_warm_up")];
/// Begin when the warm-up is over.
const LATER: [(&str, &str); 27] = [
    ("zoo_memory", "s47_mmap_leak"),
    ("zoo_memory", "s47_shared_leak"),
    ("zoo_memory", "s47_file_leak"),
    ("zoo_memory", "s48_reserve"),
    ("zoo_memory", "s49_munmap_span"),
    ("zoo_memory", "s50_munmap_partial"),
    ("zoo_memory", "s51_fixed_overwrite"),
    ("zoo_memory", "s52_mremap_moves"),
    ("zoo_memory", "s53_mremap_dontunmap"),
    ("zoo_growth", "s54_brk_saw"),
    ("zoo_growth", "s55_heap_growth"),
    ("zoo_growth", "s56_fragment_plateau"),
    ("zoo_growth", "s57_malloc_threshold"),
    ("zoo_memory", "s59_madvise_free"),
    ("zoo_growth", "s60_thp_jump"),
    ("zoo_tasks", "s61_unjoined"),
    ("zoo_tasks", "s62_thread_pool"),
    ("zoo_tasks", "s63_thread_growth"),
    ("zoo_growth", "s64_arenas"),
    ("zoo_memory", "s65_vfork_mmap"),
    ("zoo_shm", "s66_shm_leak"),
    ("zoo_shm", "s67_munmap_detach"),
    ("zoo_tasks", "s68_zombies"),
    ("zoo_tasks", "s69_zombies_ignored"),
    ("zoo_tasks", "s72_timers"),
    ("zoo_growth", "s75_memfd_grow"),
    ("zoo_growth", POOL),
];
/// Is healthy, and yet `/proc` shows ever more: of memory that was there, which it touches.
const POOL: &str = "s76_shared_pool";
/// Those to be reported, of all these.
const UNHEALTHY: usize = 13;

/// A stack of the C library, with its guard page.
const STACK: u64 = 8 << 20;
/// What a healthy process may have more than before: its peaks are not met exactly.
const SLACK: u64 = 512 << 10;

/// A program of one scenario, and what `/proc` showed of it.
struct Scenario {
    name: &'static str,
    program: Driven,
    sampler: UsageSampler,
}

impl Scenario {
    fn start((program_name, name): (&str, &'static str)) -> Self {
        let program = Driven::start(&program(program_name), &[name]);
        let sampler = UsageSampler::of(program.pid());
        Self {
            name,
            program,
            sampler,
        }
    }

    fn said(&self) -> Said {
        Said::of(&self.program.printed())
    }
}

/// Starts all, begins with some at once and with the others after the warm-up, and watches over
/// them until all are done and what they lost last has been told of.
fn carry_out(attach: impl FnOnce(&str)) -> Vec<Scenario> {
    let all = AT_THE_START.into_iter().chain(LATER);
    let mut all: Vec<_> = all.map(Scenario::start).collect();
    let pids: Vec<_> = all.iter().map(|it| it.program.pid().to_string()).collect();
    attach(&pids.join(","));
    let attached = Instant::now();
    let (early, later) = all.split_at_mut(AT_THE_START.len());
    for it in early.iter_mut() {
        it.program.go();
    }
    wait_until(WARM_UP * 2, "the end of the warm-up", || {
        attached.elapsed() > WARM_UP
    });
    for it in later.iter_mut() {
        it.program.go();
    }

    let mut done = None;
    wait_until(WORK, "all are done", || {
        for it in &mut all {
            it.sampler.sample();
        }
        if done.is_none() && all.iter().all(|it| it.program.is_done()) {
            done = Some(Instant::now());
        }
        done.is_some_and(|done| done.elapsed() > SETTLED)
    });
    all
}

/// Each scenario is found as it says of itself, to the last byte where it leaks, and what is
/// healthy is not found at all.
#[test]
fn memory_is_as_it_is_told() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let mut watch = None;
    let scenarios = carry_out(|pids| watch = Some(start_watch(pids)));
    let segments = sysv_segments();
    let watch = watch.unwrap();
    watch.signal(Signal::INT);
    let lines = watch.finish_within(Duration::from_secs(10)).lines();
    assert_true(&scenarios, &segments);
    compare(&scenarios, &lines);
}

/// The programs are what they are called, without memguard.
#[test]
#[ignore = "takes half a minute, and the same is looked at under memguard"]
fn programs_do_what_they_say() {
    let scenarios = carry_out(|_pids| ());
    assert_true(&scenarios, &sysv_segments());
}

fn start_watch(pids: &str) -> Running {
    let options: Vec<&str> = ["-p", pids].iter().chain(&OPTIONS).copied().collect();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(Duration::from_secs(10), "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    watch
}

fn compare(scenarios: &[Scenario], lines: &Lines) {
    let mut differing = Vec::new();
    println!("{:22} {:44} found", "scenario", "expected");
    for scenario in scenarios {
        let (said, name) = (scenario.said(), scenario.name);
        if let Some(reason) = &said.skipped {
            println!("{name:22} SKIPPED: {reason}");
            continue;
        }
        let usage = scenario.sampler.last();
        let Judgement { found, differences } = judge(&said, scenario.program.pid(), usage, lines);
        println!("{name:22} {:44} {found}", said.summary());
        let differences = differences.into_iter().chain(unmapped(scenario, lines));
        differing.extend(differences.map(|it| format!("{name}: {it}")));
    }
    let pids = scenarios.iter().flat_map(|it| {
        let mut pids = it.said().pids();
        pids.insert(u64::from(it.program.pid()));
        pids
    });
    let others = about_others(lines, &pids.collect());
    differing.extend(others.iter().map(|it| format!("nobody expected {it}")));
    let told = lines.finding_lines().len();
    println!("{} scenarios, {told} finding lines", scenarios.len());
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Ranges that a leak lists, which are none of the process; it waits for the end of its input.
fn unmapped(scenario: &Scenario, lines: &Lines) -> Vec<String> {
    let pid = scenario.program.pid();
    let leaks = lost_mappings(lines, pid).into_iter();
    let check = |leak: Finding<'_>| {
        let listed = Pages::of(leak.ranges());
        let gone = listed.without(&maps(pid));
        if listed.is_empty() {
            Some(format!("no range is listed: {leak}"))
        } else {
            (!gone.is_empty()).then(|| format!("listed, but not mapped: {gone}"))
        }
    };
    leaks.filter_map(check).collect()
}

/// What the programs say is what `/proc` showed: else the comparison would be worth nothing.
fn assert_true(scenarios: &[Scenario], segments: &[(u64, u64)]) {
    let said = scenarios.iter().map(Scenario::said);
    let skipped = said.clone().filter(|said| said.skipped.is_some()).count();
    let unhealthy = said.filter(|said| !said.is_healthy()).count();
    println!("{unhealthy} programs say that something is to be found, {skipped} are skipped");
    assert_eq!(unhealthy, UNHEALTHY);
    let differing = scenarios.iter().flat_map(|it| untrue(it, segments));
    let differing: Vec<_> = differing.collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Where `/proc` shows something else than the program says.
fn untrue(scenario: &Scenario, segments: &[(u64, u64)]) -> Vec<String> {
    let (name, said, sampler) = (scenario.name, scenario.said(), &scenario.sampler);
    assert!(sampler.samples() > 100, "hardly a look at {name}");
    let (first, last) = (sampler.first(), sampler.last());
    let mut untrue = Vec::new();
    for finds in &said.finds {
        let (has, wanted) = truth(finds, first, last, segments);
        if has < wanted {
            untrue.push(format!("{name}: {wanted} are lost, /proc shows {has}"));
        }
    }
    let more = last.memory_bytes().saturating_sub(first.memory_bytes());
    for Grows { bytes, .. } in &said.grows {
        if more < bytes / 10 * 9 || more > bytes + bytes / 8 {
            untrue.push(format!("{name}: grows by {bytes}, /proc shows {more}"));
        }
    }
    let (middle, late) = sampler.peaks();
    if said.is_healthy() && name != POOL && late > middle + SLACK {
        untrue.push(format!("{name}: healthy, /proc shows {middle} and {late}"));
    }
    untrue
}

/// What `/proc` shows at least of what was lost, and how much that has to be.
fn truth(finds: &Finds, first: Usage, last: Usage, segments: &[(u64, u64)]) -> (u64, u64) {
    let Finds {
        pid,
        resource,
        kind,
        count,
        bytes,
        ..
    } = finds;
    let space = last.size_bytes.saturating_sub(first.size_bytes);
    match (resource.as_str(), kind.as_str()) {
        ("mmap", _) => (space, bytes.unwrap()),
        ("thread", "unjoined") => (space / STACK, *count),
        ("thread", _) => (last.threads - first.threads, *count),
        ("process", _) => (last.zombies, *count),
        ("timer", _) => (last.timers, *count),
        _ => {
            let own = segments.iter().filter(|(maker, _)| maker == pid);
            let (held, size) = own.fold((0, 0), |(held, size), (_, one)| (held + 1, size + one));
            assert_eq!(held, *count, "segments of {pid}");
            (size, bytes.unwrap())
        }
    }
}
