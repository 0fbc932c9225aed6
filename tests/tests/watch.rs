//! `memguard watch` on processes that run: a leak is found while it happens, and a busy server or
//! what was open before is none.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use memguard_tests::{
    Finding, Guard, Leaky, Lines, Memguard, Nginx, Ran, Running,
    finding::{Sample, listed},
    machine, number, times, total, wait_until,
};
use rustix::process::Signal;

const WARM_UP: Duration = Duration::from_secs(1);
const MIN_AGE: Duration = Duration::from_secs(1);
/// The options for these two, and four looks a second.
const QUICK: [&str; 6] = ["--warm-up", "1s", "--min-age", "1s", "-i", "250ms"];
/// The contract's limit for the first census.
const CENSUS_LIMIT: Duration = Duration::from_secs(2);

/// 50 sockets lost at one every 100 ms are reported as a leak of sockets while the program runs,
/// none of what it closes is, the count becomes exactly 50, and the ages are right to a second.
/// Ctrl-C ends the watch, whose exit code is then the gate's.
#[test]
fn a_leak_is_found_while_it_happens() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    if !machine::has("python3") {
        return;
    }
    let mut leaky = Leaky::start(&["--leaks", "50", "--every", "0.1"]);
    let mut watch = watch(leaky.pid(), &["-d", "20s", "--fail-on", "leak"]);
    census_in_time(&mut watch, leaky.pid());
    past_warm_up(&watch);
    leaky.go();

    let found = Duration::from_secs(15);
    let lines = watch.wait_for(found, "a leak finding", |lines| {
        !lines.findings("leak").is_empty()
    });
    let early = total(&lines.findings("leak"));
    println!(
        "first reported: {early} of {} lost so far",
        leaky.lost_at().len()
    );
    assert!(
        leaky.lives() && !leaky.is_done(),
        "found before the last socket was lost"
    );

    watch.wait_for(found, "all 50 sockets", |lines| {
        total(&lines.findings("leak")) >= 50
    });
    a_while_after_the_last_loss(&leaky);
    assert!(leaky.lives());
    watch.signal(Signal::INT);
    let ran = watch.finish_within(Duration::from_secs(5));
    assert_eq!(ran.code, 1, "the gate was reached");
    only_the_lost_sockets(&ran.lines(), &leaky);
}

fn only_the_lost_sockets(lines: &Lines, leaky: &Leaky) {
    let all = lines.finding_lines();
    let leaks: Vec<Finding<'_>> = all
        .into_iter()
        .filter(|finding| finding.verdict() == "leak")
        .collect();
    for leak in &leaks {
        assert_eq!((leak.resource(), leak.kind()), ("socket", "tcp"), "{leak}");
        assert_eq!(leak.pid(), u64::from(leaky.pid()));
        let truth = lost_by(leak.written_at(), leaky);
        assert!(
            leak.open_count() <= truth,
            "{} of {truth} lost by then: {leak}",
            leak.open_count()
        );
        ages_are_true(*leak, leaky);
    }
    let last = total(&lines.findings("leak"));
    println!("{} leak lines, last count {last} of 50", leaks.len());
    assert_eq!(last, 50);
}

/// How many sockets were lost by a time in seconds since 1970. A count is taken before its line is
/// written, so nothing lost later can be in it.
fn lost_by(time: f64, leaky: &Leaky) -> u64 {
    leaky
        .lost_at()
        .values()
        .filter(|lost_at| **lost_at <= time)
        .count() as u64
}

/// Lets the last socket reach the minimum age, and four intervals more pass, in which a count that
/// is too high would show. Here too the clock is the condition.
fn a_while_after_the_last_loss(leaky: &Leaky) {
    let last = leaky.lost_at().values().copied().fold(0.0, f64::max);
    let over = last + MIN_AGE.as_secs_f64() + 1.0;
    wait_until(
        Duration::from_secs(10),
        "time to judge the last loss",
        || times::now() >= over,
    );
}

/// The oldest age and every sample agree within a second with what the program itself printed.
fn ages_are_true(leak: Finding<'_>, leaky: &Leaky) {
    let lost_at = leaky.lost_at();
    let first = lost_at.values().copied().fold(f64::INFINITY, f64::min);
    let within_a_second = |said: f64, truth: f64, what: &str| {
        assert!(
            (said - truth).abs() < 1.0,
            "{what}: said {said}, truth {truth}: {leak}"
        );
    };
    within_a_second(
        leak.oldest_age_seconds(),
        leak.written_at() - first,
        "oldest age",
    );
    let samples = leak.samples();
    assert!(!samples.is_empty(), "a leak shows samples: {leak}");
    for Sample {
        fd,
        acquired_at,
        age_seconds,
    } in samples
    {
        let truth = *lost_at
            .get(&fd)
            .unwrap_or_else(|| panic!("descriptor {fd} was not lost"));
        within_a_second(acquired_at, truth, "time of acquisition");
        within_a_second(age_seconds, leak.written_at() - truth, "age");
    }
}

/// What was open before is told at once, by number, and is never a leak, however old it gets.
#[test]
fn preexisting_descriptors_are_counted_and_never_a_leak() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    if !machine::has("python3") {
        return;
    }
    let mut leaky = Leaky::start(&["--preopen", "100", "--leaks", "0"]);
    let open = fs::read_dir(format!("/proc/{}/fd", leaky.pid()))
        .unwrap()
        .count() as u64;
    let mut watch = watch(leaky.pid(), &["-d", "6s", "--fail-on", "leak"]);
    let lines = census_in_time(&mut watch, leaky.pid());
    let census = lines.event_of("memguard.census", leaky.pid()).unwrap();
    let said = number(census, "/memguard/census/preexisting_count");
    println!("census says {said} open before, truth {open}, of which 100 files");
    assert_eq!(said, open);
    leaky.go();

    let ran = watch.finish_within(Duration::from_secs(12));
    assert!(leaky.lives());
    nothing_alarming(&ran);
}

/// A web server under load, with connections kept and connections made anew for each request,
/// leaks nothing and gives no warning.
#[test]
fn a_loaded_server_leaks_nothing() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    if !machine::has("nginx") || !machine::has("wrk") {
        return;
    }
    let nginx = Nginx::start();
    let mut watch = watch(nginx.pid(), &["-d", "60s", "--fail-on", "leak"]);
    census_in_time(&mut watch, nginx.pid());
    for worker in nginx.workers() {
        census_in_time(&mut watch, worker);
    }
    let kept = load(&nginx, &[]);
    let fresh = load(&nginx, &["-H", "Connection: close"]);
    for mut load in [kept, fresh] {
        assert!(
            load.wait_within(Duration::from_secs(30))
                .is_some_and(|status| status.success())
        );
        let requests = requests(&mut load);
        println!("{requests} requests served");
        assert!(requests > 1000, "there was a load");
    }
    watch.signal(Signal::INT);
    nothing_alarming(&watch.finish_within(Duration::from_secs(5)));
}

/// Starts 20 seconds of requests.
fn load(nginx: &Nginx, options: &[&str]) -> Guard {
    let mut command = Command::new("wrk");
    command
        .args(["-t1", "-c4", "-d20s"])
        .args(options)
        .arg(nginx.url());
    Guard::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped())).unwrap()
}

/// How many requests were answered, from a line such as "  271 requests in 2.00s, 70KB read".
fn requests(load: &mut Guard) -> u64 {
    let report = std::io::read_to_string(load.child.stdout.take().unwrap()).unwrap();
    let line = report.lines().find(|line| line.contains(" requests in "));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

fn nothing_alarming(ran: &Ran) {
    let lines = ran.lines();
    let mut alarming = lines.finding_lines();
    let seen = alarming.len();
    alarming.retain(|finding| finding.verdict() == "leak" || finding.warns());
    println!("{seen} finding lines, {} of them alarming", alarming.len());
    assert!(alarming.is_empty(), "{}", listed(&alarming));
    assert_eq!(ran.code, 0);
}

fn watch(pid: u32, options: &[&str]) -> Running {
    let pid = pid.to_string();
    let all: Vec<&str> = ["-p", &pid]
        .iter()
        .chain(&QUICK)
        .chain(options)
        .copied()
        .collect();
    Memguard::watch(&all).start()
}

/// The census of `pid` is there within the contract's two seconds from the start of memguard.
fn census_in_time(watch: &mut Running, pid: u32) -> Lines {
    let left = CENSUS_LIMIT.saturating_sub(watch.elapsed());
    let what = format!("a census of process {pid} within {CENSUS_LIMIT:?} of the start");
    watch.wait_for(left, &what, |lines| {
        lines.event_of("memguard.census", pid).is_some()
    })
}

/// The warm-up is a span of time, counted from the start of the watch: here the clock is the
/// condition.
fn past_warm_up(watch: &Running) {
    let over = watch.elapsed() + WARM_UP + Duration::from_millis(500);
    wait_until(over, "the end of the warm-up", || watch.elapsed() >= over);
}
