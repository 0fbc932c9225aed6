//! How long people wait: for the first instruction of their command, for the first finding, for
//! their prompt.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{Options, Row, agent::alone, looper::Looper, phases};
use crate::{Driven, Memguard, program};

const ROUNDS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(30);
/// For a while after a memguard has detached, every attachment waits for the kernel (RCU) to be
/// done with what was there before. Nothing tells when that is.
const REST: Duration = Duration::from_secs(3);

/// The section `start`.
pub(super) fn measure(options: &Options) -> Vec<Row> {
    let [
        mut run,
        mut again,
        mut watch,
        mut census,
        mut end,
        mut finding,
    ] = [const { Vec::new() }; 6];
    for _ in 0..options.rounds(ROUNDS) {
        thread::sleep(REST);
        run.push(alone(run_true));
        again.push(alone(run_true));
        thread::sleep(REST);
        let times = alone(watch_and_leave);
        watch.push(times[0]);
        census.push(times[1]);
        end.push(times[2]);
    }
    for _ in 0..options.rounds(3) {
        finding.push(alone(first_finding));
    }
    let mut rows = vec![
        Row::new("run -- true, beyond true", "s", &run).at_most(0.5),
        Row::new("run -- true, as soon as another has detached", "s", &again),
        Row::new("watch: to the first record", "s", &watch),
        Row::new("watch: to the census", "s", &census).at_most(2.0),
        Row::new("watch: Ctrl-C to prompt", "s", &end).at_most(0.3),
        Row::new("leak to first finding", "s", &finding)
            .note("--warm-up 1s --min-age 1s -i 1s, ten leaks a second"),
    ];
    rows.extend(alone(phases::of_start));
    rows
}

fn run_true() -> f64 {
    let begun = Instant::now();
    let bare = Command::new("true").status();
    let bare = bare.map(|_| begun.elapsed()).unwrap_or_default();
    let ran = Memguard::run(&[], &["true"]).finish_within(PATIENCE);
    ran.took.as_secs_f64() - bare.as_secs_f64()
}

/// From start to attached, from start to census, from Ctrl-C to the end.
fn watch_and_leave() -> [f64; 3] {
    let looper = Looper::start();
    let mut running = Memguard::watch(&["-p", &looper.pid().to_string()]).start();
    let mut seen = |event: &str| {
        running.wait_for(PATIENCE, event, |lines| !lines.events(event).is_empty());
        running.elapsed().as_secs_f64()
    };
    let (started, census) = (seen("memguard.agent.started"), seen("memguard.census"));
    let interrupted = Instant::now();
    running.signal(Signal::INT);
    running.finish_within(PATIENCE);
    [started, census, interrupted.elapsed().as_secs_f64()]
}

/// From the first leak to the line that tells of it.
fn first_finding() -> f64 {
    let mut pace = Driven::start(&program("bench_pace"), &["keep", "10", "1000", "1"]);
    let options = ["--warm-up", "1s", "--min-age", "1s", "-i", "1s", "-p"];
    let pid = pace.pid().to_string();
    let options: Vec<&str> = options.into_iter().chain([pid.as_str()]).collect();
    let mut running = Memguard::watch(&options).start();
    running.wait_for(PATIENCE, "memguard has attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    let begun = Instant::now();
    pace.go();
    running.wait_for(PATIENCE, "a finding", |lines| {
        !lines.events("memguard.finding.opened").is_empty()
    });
    let taken = begun.elapsed().as_secs_f64();
    running.signal(Signal::INT);
    running.finish_within(PATIENCE);
    taken
}
