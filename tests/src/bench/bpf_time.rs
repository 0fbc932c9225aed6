//! BPF time of a short-lived pair, by the kernel's own statistics, above empty programs on the same
//! tracepoints that ran at the same time.
//!
//! Two memguards run side by side, one copying stacks and one not, and each watches a process of
//! its own: while one is measured, the other sees a process that it does not watch, which is a
//! figure too.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Options, Row, Sample,
    agent::Agent,
    looper::{Loop, Looper},
};
use crate::{
    bpf::Empty,
    statistics::{Counting, Runs},
};

const ROUNDS: usize = 11;
const PAIRS: u64 = 50_000;

/// What is run, the programs that see it, and the tracepoints they are on.
struct Case {
    name: &'static str,
    what: &'static str,
    held: u32,
    side: Side,
    programs: &'static [&'static str],
    tracepoints: &'static [&'static str],
    target: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    NoWindow,
    Window,
    /// The programs of the memguard that watches another process.
    Unwatched,
}

const OPEN: [&[&str]; 2] = [
    &["acquire", "create", "release_close"],
    &["sys_exit_openat", "sys_exit_openat", "sys_enter_close"],
];
const SOCKET: [&[&str]; 2] = [
    &["acquire", "release_close"],
    &["sys_exit_socket", "sys_enter_close"],
];
const DUP: [&[&str]; 2] = [
    &["acquire", "release_close"],
    &["sys_exit_dup", "sys_enter_close"],
];
const MMAP: [&[&str]; 2] = [&["map", "unmap"], &["sys_exit_mmap", "sys_enter_munmap"]];
const GETFL: [&[&str]; 2] = [&["acquire"], &["sys_exit_fcntl"]];
const RECVMSG: [&[&str]; 2] = [&["acquire_message"], &["sys_exit_recvmsg"]];

const CASES: [Case; 11] = [
    case(
        "open+close, no window",
        "open",
        0,
        Side::NoWindow,
        OPEN,
        Some(110.0),
    ),
    case(
        "open+close, no window, 1 000 in flight",
        "open",
        1000,
        Side::NoWindow,
        OPEN,
        None,
    ),
    case(
        "open+close, 2 KiB window",
        "open",
        0,
        Side::Window,
        OPEN,
        Some(200.0),
    ),
    case(
        "open+close, 2 KiB window, 1 000 in flight",
        "open",
        1000,
        Side::Window,
        OPEN,
        Some(350.0),
    ),
    case(
        "socket+close, 2 KiB window",
        "socket",
        0,
        Side::Window,
        SOCKET,
        None,
    ),
    case("dup+close, 2 KiB window", "dup", 0, Side::Window, DUP, None),
    case(
        "mmap+munmap, 2 KiB window",
        "mmap",
        0,
        Side::Window,
        MMAP,
        None,
    ),
    case(
        "open+close of a process that is not watched",
        "open",
        0,
        Side::Unwatched,
        OPEN,
        None,
    ),
    case("fcntl F_GETFL", "getfl", 0, Side::Window, GETFL, Some(60.0)),
    case(
        "recvmsg without control data, UDP",
        "recvmsg_udp",
        0,
        Side::Window,
        RECVMSG,
        Some(90.0),
    ),
    case(
        "recvmsg without control data, Unix",
        "recvmsg",
        0,
        Side::Window,
        RECVMSG,
        Some(90.0),
    ),
];

const fn case(
    name: &'static str,
    what: &'static str,
    held: u32,
    side: Side,
    [programs, tracepoints]: [&'static [&'static str]; 2],
    target: Option<f64>,
) -> Case {
    Case {
        name,
        what,
        held,
        side,
        programs,
        tracepoints,
        target,
    }
}

/// The section `bpf`.
pub(super) fn measure(options: &Options) -> Vec<Row> {
    let _counting = Counting::start().unwrap_or_else(|error| panic!("no statistics: {error}"));
    let empty = empties();
    let mut bare = Watched::start(&["--stack-bytes", "off"]);
    let mut full = Watched::start(&["--stack-bytes", "2k"]);
    let mut times: Vec<Vec<Vec<f64>>> = vec![Vec::new(); CASES.len()];
    let mut nothings = Vec::new();
    for _ in 0..options.rounds(ROUNDS) {
        for (case, times) in CASES.iter().zip(&mut times) {
            let pairs = Loop::new(case.what, options.count(PAIRS)).holding(case.held);
            let (own, nothing) = match case.side {
                Side::NoWindow => one(case, &empty, &mut bare.looper, &bare.agent, pairs),
                Side::Window => one(case, &empty, &mut full.looper, &full.agent, pairs),
                Side::Unwatched => one(case, &empty, &mut full.looper, &bare.agent, pairs),
            };
            let above = own.iter().zip(&nothing).map(|(own, nothing)| own - nothing);
            times.push(above.collect());
            nothings.extend(nothing);
        }
    }
    bare.agent.leave();
    full.agent.leave();
    let rows = CASES
        .iter()
        .zip(&times)
        .map(|(case, times)| row(case, times));
    rows.chain([Row::new(
        "an empty program, taken off above",
        "ns",
        &nothings,
    )])
    .collect()
}

/// `times` has a value for each program in each round.
fn row(case: &Case, times: &[Vec<f64>]) -> Row {
    let together: Vec<f64> = times.iter().map(|round| round.iter().sum()).collect();
    let part = |(index, program): (usize, &&str)| {
        let times: Vec<f64> = times.iter().map(|round| round[index]).collect();
        let median = Sample::of(&times).map_or(f64::NAN, |sample| sample.median);
        format!("{program} {median:.0}")
    };
    let parts: Vec<_> = case.programs.iter().enumerate().map(part).collect();
    let row = Row::new(case.name, "ns", &together)
        .against(0.0)
        .note(parts.join(" + "));
    match case.target {
        Some(limit) => row.at_most(limit),
        None => row,
    }
}

/// A memguard and the one process that it watches.
struct Watched {
    looper: Looper,
    agent: Agent,
}

impl Watched {
    fn start(options: &[&str]) -> Self {
        let looper = Looper::start();
        let agent = Agent::of_process(looper.pid(), options);
        Self { looper, agent }
    }
}

/// Nanoseconds of a memguard's programs for one pair, and of as many empty ones at the same time.
fn one(
    case: &Case,
    empties: &BTreeMap<&str, Empty>,
    looper: &mut Looper,
    agent: &Agent,
    pairs: Loop,
) -> (Vec<f64>, Vec<f64>) {
    let look = || {
        let own: Vec<Runs> = case.programs.iter().map(|name| agent.runs(name)).collect();
        let empty = case.tracepoints.iter().map(|name| runs(&empties[name]));
        (own, empty.collect::<Vec<_>>())
    };
    let before = look();
    looper.run(pairs);
    let after = look();
    let each = |now: &[Runs], before: &[Runs]| -> Vec<f64> {
        let both = now.iter().zip(before);
        both.map(|(now, before)| now.since(*before).each())
            .collect()
    };
    (each(&after.0, &before.0), each(&after.1, &before.1))
}

fn runs(empty: &Empty) -> Runs {
    empty
        .runs()
        .unwrap_or_else(|error| panic!("an empty program tells nothing: {error}"))
}

/// One on every tracepoint that is looked at; they go when this is dropped.
fn empties() -> BTreeMap<&'static str, Empty> {
    let names: BTreeSet<_> = CASES
        .iter()
        .flat_map(|case| case.tracepoints)
        .copied()
        .collect();
    let attach = |name: &'static str| {
        let empty = Empty::attach(name);
        (
            name,
            empty.unwrap_or_else(|error| panic!("cannot attach to {name}: {error}")),
        )
    };
    names.into_iter().map(attach).collect()
}
