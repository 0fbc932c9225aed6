//! What calls cost that memguard has no business with, in a process that it watches and in one that
//! it does not; beside what they cost with a program that does nothing in its place, which is the
//! kernel's own price of a tracepoint.

use super::{
    Options, Row,
    agent::Agent,
    looper::{Loop, Looper},
};
use crate::bpf::Empty;

const ROUNDS: usize = 10;
/// A figure is the least of so many: what else happens on the machine can only add to a call.
const SLICES: u64 = 25;

/// Calls that leave no record: name, loop, how many in a slice, target in nanoseconds.
const CALLS: [(&str, &str, u64, Option<f64>); 5] = [
    ("untraced call", "getppid", 20_000, Some(30.0)),
    ("fcntl F_GETFL", "getfl", 20_000, None),
    ("recvmsg of UDP", "recvmsg_udp", 3_000, None),
    ("recvmsg of a Unix socket", "recvmsg", 3_000, None),
    ("open+close", "open", 2_000, None),
];

/// Where memguard attaches to these calls.
const TRACEPOINTS: [&str; 4] = [
    "sys_exit_fcntl",
    "sys_exit_recvmsg",
    "sys_exit_openat",
    "sys_enter_close",
];

/// Who pays, and for what; whether it is memguard's to be cheap.
const SIDES: [(&str, bool); 3] = [
    ("watched process", true),
    ("other process", true),
    ("empty programs in memguard's place", false),
];

/// Nanoseconds of each call.
type Took = [f64; CALLS.len()];

/// The section `calls`.
pub(super) fn measure(options: &Options) -> Vec<Row> {
    let mut more = [const { [const { Vec::new() }; SIDES.len()] }; CALLS.len()];
    let mut loopers = [Looper::start(), Looper::start()];
    for _ in 0..options.rounds(ROUNDS) {
        let [watched, other] = &mut loopers;
        let bare = [once(options, watched), once(options, other)];
        let empty = {
            let _attached = TRACEPOINTS.map(attach);
            once(options, other)
        };
        let agent = Agent::of_process(watched.pid(), &[]);
        let during = [once(options, watched), once(options, other)];
        agent.leave();
        for (call, more) in more.iter_mut().enumerate() {
            more[0].push(during[0][call] - bare[0][call]);
            more[1].push(during[1][call] - bare[1][call]);
            more[2].push(empty[call] - bare[1][call]);
        }
    }
    let calls = CALLS.iter().zip(&more);
    calls
        .flat_map(|((name, _, _, target), more)| {
            let sides = SIDES.iter().zip(more);
            sides.map(move |((side, own), more)| {
                let row = Row::new(format!("{name}, {side}"), "ns more", more).against(0.0);
                let target = target.filter(|_| *own);
                target.iter().fold(row, |row, limit| row.at_most(*limit))
            })
        })
        .collect()
}

fn once(options: &Options, looper: &mut Looper) -> Took {
    CALLS.map(|(_, what, count, _)| {
        let slice = |_| looper.run(Loop::new(what, options.count(count))).cpu;
        (0..SLICES).map(slice).fold(f64::INFINITY, f64::min)
    })
}

fn attach(tracepoint: &str) -> Empty {
    Empty::attach(tracepoint)
        .unwrap_or_else(|error| panic!("cannot attach to {tracepoint}: {error}"))
}
