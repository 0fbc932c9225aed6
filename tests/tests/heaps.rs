//! The memory of real servers: under a steady load none of them grows, and a redis that is being
//! filled does. All side by side under one `memguard watch`, at its own times in the long tier;
//! what is not installed says so.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use memguard_tests::{
    Finding, Lines, Memguard, Redis, Running, Servers,
    finding::listed,
    guard::children,
    holds_within, machine,
    memory::{Usage, UsageSampler},
    programs::on_path,
    wait_until,
};
use rustix::process::Signal;

const SERVERS: [&str; 5] = ["redis", "postgres", "python", "node", "nginx"];
/// How far from that the slope may be: keys and their table weigh too.
const SLOPE: std::ops::Range<f64> = 0.8..1.8;

/// A server is steady when it has needed no more than this on top for so long.
const LEVEL: (Duration, u64) = (Duration::from_secs(10), 1 << 20);

/// How long there is a load, and how memguard is told to look.
struct Times {
    seconds: &'static str,
    /// The most of them in which the servers become steady, before memguard looks.
    patience: Duration,
    /// At which a redis is filled, from the end of the warm-up on.
    bytes_per_second: u64,
    warm_up: Duration,
    options: [&'static str; 6],
}

/// A minute or more after a warm-up of twenty seconds.
#[test]
fn steady_servers_do_not_grow() {
    compare(&Times {
        seconds: "125",
        patience: Duration::from_secs(45),
        bytes_per_second: 1 << 20,
        warm_up: Duration::from_secs(20),
        options: ["--warm-up", "20s", "--min-age", "10s", "-i", "1s"],
    });
}

/// Ten minutes after a warm-up of one, at the times that memguard has of itself.
#[test]
#[ignore = "takes eleven minutes"]
fn steady_servers_do_not_grow_long() {
    compare(&Times {
        seconds: "660",
        patience: Duration::ZERO,
        bytes_per_second: 128 << 10,
        warm_up: Duration::from_mins(1),
        options: ["--warm-up", "60s", "--min-age", "60s", "-i", "5s"],
    });
}

/// Without memguard: redis grows by what is put into it.
#[test]
fn a_filled_redis_grows() {
    if !is_here("redis-server") {
        return;
    }
    let redis = Redis::start();
    let before = Usage::of(redis.pid()).anon_bytes;
    let begin = Instant::now();
    let filled = redis.fill(2 << 20, || begin.elapsed() < Duration::from_secs(3));
    let more = Usage::of(redis.pid()).anon_bytes - before;
    let rate = filled as f64 / begin.elapsed().as_secs_f64();
    println!("{filled} bytes, {rate:.0} a second; redis has {more} more");
    assert!(SLOPE.contains(&(rate / f64::from(2 << 20))));
    assert!(SLOPE.contains(&(more as f64 / filled as f64)));
}

fn compare(times: &Times) {
    let Some(_alone) = machine::ready() else {
        return;
    };
    if !machine::has("wrk") {
        return;
    }
    let mut servers = Servers::start(&SERVERS);
    let filled = is_here("redis-server").then(Redis::start);
    let redis = filled.as_ref().map(|redis| format!(",{}", redis.pid()));
    let pids = format!("{}{}", servers.pids(), redis.unwrap_or_default());
    let loaded = Instant::now();
    servers.load(times.seconds);
    become_steady(&servers, times.patience);
    let watch = watch(&pids, times);
    let attached = Instant::now();
    wait_until(times.warm_up * 2, "the end of the warm-up", || {
        attached.elapsed() > times.warm_up
    });

    let mut samplers = samplers(&servers);
    let filling = filled.as_ref().map(|redis| UsageSampler::of(redis.pid()));
    samplers.extend(filling.map(|sampler| ("redis, filled".to_owned(), sampler)));

    // Until a little before the end of the loads.
    let seconds = Duration::from_secs(times.seconds.parse().unwrap());
    let until = seconds.saturating_sub(Duration::from_secs(2));
    if let Some(redis) = &filled {
        redis.fill(times.bytes_per_second, || {
            look(&mut samplers);
            loaded.elapsed() < until
        });
    }
    servers.loads_end_within(seconds + Duration::from_mins(1));
    let size = filled
        .as_ref()
        .map(|redis| Usage::of(redis.pid()).anon_bytes);
    watch.signal(Signal::INT);
    let lines = watch.finish_within(Duration::from_secs(20)).lines();

    show(&samplers);
    println!("the servers: {:?}", servers.names());
    assert!(servers.names().len() >= 2, "hardly a server is installed");
    let filled = filled.as_ref().map(Redis::pid);
    nothing_is_alarming(&lines, filled);
    if let Some((pid, size)) = filled.zip(size) {
        one_growth(&lines, pid, size, times.bytes_per_second);
    }
}

/// The first ramp of a collector, slow where others take the CPUs, is not what is asked about.
fn become_steady(servers: &Servers, patience: Duration) {
    let begin = Instant::now();
    let mut samplers = samplers(servers);
    let (span, bytes) = LEVEL;
    let steady = holds_within(patience, || {
        look(&mut samplers);
        let mut all = samplers.iter();
        all.all(|(_, sampler)| sampler.is_level(span, bytes))
    });
    let seconds = begin.elapsed().as_secs();
    println!("under load: all servers steady after {seconds} s: {steady}");
}

/// Of every process of the servers that is there now.
fn samplers(servers: &Servers) -> Vec<(String, UsageSampler)> {
    let mut all = Vec::new();
    for (pid, name) in servers.names() {
        all.push((name.clone(), UsageSampler::of(*pid)));
        let others = children(*pid).into_iter().map(UsageSampler::of);
        all.extend(others.map(|sampler| (format!("{name}, a child"), sampler)));
    }
    all
}

fn look(samplers: &mut [(String, UsageSampler)]) {
    for (_, sampler) in samplers {
        sampler.sample();
    }
}

/// What `/proc` showed after the warm-up: for who has to find out whether a finding is false.
fn show(samplers: &[(String, UsageSampler)]) {
    println!("KiB first and last: anonymous, shared; most in the middle and in the last third");
    for (name, sampler) in samplers {
        let (first, last, (middle, late)) = (sampler.first(), sampler.last(), sampler.peaks());
        let kib = |sizes: [u64; 2]| sizes.map(|size| size / 1024);
        let anon = kib([first.anon_bytes, last.anon_bytes]);
        let shared = kib([first.shmem_bytes, last.shmem_bytes]);
        println!("{name:20} {anon:?} {shared:?} {:?}", kib([middle, late]));
    }
}

fn watch(pids: &str, times: &Times) -> Running {
    let options = ["-p", pids, "-d", "1h", "--kinds", "all"];
    let options = [options.as_slice(), &times.options].concat();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(Duration::from_secs(10), "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    watch
}

/// Of all but the one that is filled, nothing was ever called a leak or growth; of files, nothing
/// that memguard did not withdraw: with so short a `--min-age` a cache of them may look like one
/// while it fills.
#[track_caller]
fn nothing_is_alarming(lines: &Lines, filled: Option<u32>) {
    let mut findings = lines.finding_lines();
    let all = findings.len();
    let filled = filled.map(u64::from);
    findings.retain(|finding| Some(finding.pid()) != filled);
    let withdrawn = findings
        .iter()
        .filter(|finding| is_withdrawn_file(**finding));
    let withdrawn: BTreeSet<&str> = withdrawn.map(|finding| finding.id()).collect();
    findings.retain(|finding| !withdrawn.contains(finding.id()));
    findings.retain(|finding| is_alarming(*finding));
    println!("{all} finding lines, {} alarming", findings.len());
    assert!(findings.is_empty(), "{}", listed(&findings));
}

fn is_withdrawn_file(finding: Finding<'_>) -> bool {
    let resolution = finding.0.pointer("/memguard/finding/resolution");
    finding.kind() == "file" && resolution.is_some_and(|it| it == "withdrawn")
}

fn is_alarming(finding: Finding<'_>) -> bool {
    matches!(finding.verdict(), "leak" | "growth") || finding.warns()
}

/// One finding, of the right size and slope, that says where most of it was acquired.
#[track_caller]
fn one_growth(lines: &Lines, pid: u32, size: u64, bytes_per_second: u64) {
    let mut findings = lines.latest_findings();
    findings.retain(|finding| finding.pid() == u64::from(pid) && is_alarming(*finding));
    println!("redis, filled: {}", listed(&findings));
    let [growth] = findings.as_slice() else {
        panic!("not one finding: {}", listed(&findings));
    };
    assert_eq!(growth.verdict(), "growth");
    assert_eq!((growth.resource(), growth.kind()), ("heap", "anon"));
    let bytes = growth.open_bytes().unwrap();
    let slope = growth.slope_per_second().unwrap() / bytes_per_second as f64;
    println!("{bytes} bytes told, {size} in use; {slope:.2} of the true slope");
    assert!(bytes > size / 2 && bytes <= size + size / 8);
    assert!(SLOPE.contains(&slope));
    let sites = growth.sites();
    println!("sites: {sites:?}");
    let first = sites.first().expect("no site");
    assert!(first.place.is_some(), "the first site has no name");
    assert!(first.bytes > bytes / 4, "the first site is none of weight");
}

fn is_here(program: &str) -> bool {
    let found = on_path(program).is_some();
    if !found {
        println!("SKIPPED: {program} is not installed");
    }
    found
}
