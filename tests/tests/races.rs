//! Threads that race for the same numbers: the orders of events of the kernel
//! are met many times, and at the end the account is exact. Each test prints how often it met what
//! it is about, and fails where it never did. The steps are in `tests/programs/zoo_races.c` under
//! the same names; `--long` runs those that do not end by themselves for a minute.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use memguard_tests::{Counters, zoo::exactly};

/// Times in seconds: of a short race, of the one that the others stand on, and of a long one.
const SHORT: &str = "4";
const MIDDLE: &str = "8";
const LONG: &str = "60";

/// Runs a race, whose end is exact and which met its order at least once.
#[track_caller]
fn race(name: &str, seconds: &str) -> Option<Counters> {
    let (ran, account) = exactly("zoo_races", &[name, seconds])?;
    let counters = ran.lines().counters();
    println!("{counters}");
    let times: u64 = account.met().values().sum();
    assert!(times > 0, "never met: {:?}", account.met());
    Some(counters)
}

/// A race in which closes overtake the calls that they undo: memguard has seen that itself.
#[track_caller]
fn overtaken(name: &str, seconds: &str) {
    let Some(counters) = race(name, seconds) else {
        return;
    };
    let taken_back = counters.get("acquisitions.taken_back") + counters.get("take_backs.sent");
    println!("met: {taken_back} closes between a call and its return, as memguard saw them");
    assert!(taken_back > 0, "never met in the kernel: {counters}");
}

/// A number is given to another thread while its close has not returned yet. Four threads race
/// through socket and close and keep five each: exactly 20.
#[test]
fn s06_close_reuse() {
    race("s06_close_reuse", MIDDLE);
}

/// The same for a minute.
#[test]
#[ignore = "takes a minute"]
fn s06_close_reuse_long() {
    race("s06_close_reuse", LONG);
}

/// A close that takes a second, during which its number is handed out and leaked, three times.
#[test]
fn s07_linger_reuse() {
    race("s07_linger_reuse", SHORT);
}

/// One thread closes blindly what another opens: nothing is left, though closes overtake opens.
#[test]
fn s08_double_close() {
    overtaken("s08_double_close", SHORT);
}

/// The same for a minute.
#[test]
#[ignore = "takes a minute"]
fn s08_double_close_long() {
    overtaken("s08_double_close", LONG);
}

/// The two numbers of a pipe are read in memory, and closed, before the call has returned.
#[test]
fn s09_pipe_poll() {
    overtaken("s09_pipe_poll", SHORT);
}

/// The same for a minute.
#[test]
#[ignore = "takes a minute"]
fn s09_pipe_poll_long() {
    overtaken("s09_pipe_poll", LONG);
}

/// One number is copied onto, opened and closed by three threads at a time.
#[test]
fn s14_dup2_race() {
    overtaken("s14_dup2_race", SHORT);
}

/// Ranges are closed while another thread opens.
#[test]
fn s29_close_range_race() {
    overtaken("s29_close_range_race", SHORT);
}

/// The same for a minute.
#[test]
#[ignore = "takes a minute"]
fn s29_close_range_race_long() {
    overtaken("s29_close_range_race", LONG);
}

/// A thread executes while others open and close: exactly what was open comes over.
#[test]
fn s35_exec_race() {
    race("s35_exec_race", SHORT);
}

/// Children forked while others open and close leave nothing: what they have are copies.
#[test]
fn s39_fork_race() {
    race("s39_fork_race", SHORT);
}
