//! The scenarios of `scenarios.rs` in which processes and threads fork, execute, share and end:
//! each process is charged with what it leaves, and with nothing else.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::collections::BTreeMap;

use memguard_tests::{
    Ran,
    lines::{number, text},
    zoo::{self, Account, exactly, reported_at_exit},
};

fn processes(name: &str) -> Option<(Ran, Account)> {
    exactly("zoo_processes", &[name])
}

/// A child that stops sharing the table loses the range; its parent does not.
#[test]
fn s30_close_range_unshare() {
    processes("s30_close_range_unshare");
}

/// A range marked close-on-exec is closed by exec.
#[test]
fn s31_cloexec_range_then_exec() {
    processes("s31_cloexec_range_then_exec");
}

/// So are descriptors that had the mark from the start.
#[test]
fn s32_exec_cloexec() {
    processes("s32_exec_cloexec");
}

/// What comes over an exec is `inherited`, what the new image opens is its own.
#[test]
fn s33_exec_inherit() {
    processes("s33_exec_inherit");
}

/// An exec that fails closes nothing.
#[test]
fn s34_exec_fails() {
    processes("s34_exec_fails");
}

/// Nor does it make anything `inherited`.
#[test]
fn s34_exec_fails_and_leaks() {
    processes("s34_exec_fails_and_leaks");
}

/// A thread that executes takes the place of the first thread, whose descriptors come along.
#[test]
fn s35_exec_from_thread() {
    processes("s35_exec_from_thread");
}

/// A process whose first thread has gone is judged as any other.
#[test]
fn s36_leader_gone() {
    processes("s36_leader_gone");
}

/// The same numbers in the table of a thread and in that of its process are two things.
#[test]
fn s37_thread_unshares() {
    processes("s37_thread_unshares");
}

/// What is open in all the tables of a process is left by it.
#[test]
fn s37_two_tables() {
    processes("s37_two_tables");
}

/// What is in a table that ends with its thread is told with the process.
#[test]
fn s37_thread_with_own_table_ends() {
    processes("s37_thread_with_own_table_ends");
}

/// What a child opened in the table of its parent stays when the child goes.
#[test]
fn s38_sharing_child() {
    processes("s38_sharing_child");
}

/// And is closed by the parent.
#[test]
fn s38_sharing_child_closed() {
    processes("s38_sharing_child_closed");
}

/// A child that closes its copies closes nothing of its parent's.
#[test]
fn s39_fork_close_in_child() {
    processes("s39_fork_close_in_child");
}

/// Ten thousand children leave 5 each; each is judged once and nothing of them stays.
#[test]
fn s40_fork_storm() {
    let Some((ran, account)) = exactly("zoo_processes", &["s40_fork_storm", "10000"]) else {
        return;
    };
    println!(
        "{} left by 10000 children in {:?}",
        account.total(),
        ran.took
    );
    assert_eq!(account.total(), 50_000);
}

/// `posix_spawn` opens, copies and closes in a child that shares its parent's memory.
#[test]
fn s41_spawn_with_file_actions() {
    processes("s41_spawn_with_file_actions");
}

/// The pidfd of a clone, which returns something else.
#[test]
fn s46_pidfd_of_clone() {
    processes("s46_pidfd_of_clone");
}

/// Descriptors opened through the 32-bit interface, of which no tracepoint tells, are found in the
/// table. What they are is not known any more when the process has gone.
#[test]
fn s76_compat_32() {
    let Some((ran, _)) = zoo::at_exit(&[], "zoo_running", &["s76_compat", "3"]) else {
        return;
    };
    let account = Account::of(&ran.stdout.replace(" leak ", " left ")).of_any_kind();
    let lines = ran.lines();
    let reported = reported_at_exit(&lines);
    account.compare(&reported);
    assert!(reported.iter().all(|it| it.calls() == ["unknown"]));
}

/// A process of another PID namespace has its number on the host.
#[test]
fn s77_pid_namespace() {
    processes("s77_pid_namespace");
}

/// A process that gets the number of one that has left 5 is not charged with them: of the two with
/// one number, one left 5 and the other nothing, twenty times.
#[test]
fn s78_pid_reuse() {
    let Some((ran, _)) = processes("s78_pid_reuse") else {
        return;
    };
    let lines = ran.lines();
    let mut left: BTreeMap<u64, Vec<(&str, u64)>> = BTreeMap::new();
    for exit in lines.events("memguard.process.exited") {
        let start = text(exit, "/process/creation/time");
        let count = number(exit, "/memguard/exit/left_count");
        left.entry(number(exit, "/process/pid"))
            .or_default()
            .push((start, count));
    }
    left.retain(|_, exits| exits.len() > 1);
    println!(
        "{} numbers used twice; left under each: {left:?}",
        left.len()
    );
    assert_eq!(left.len(), 20, "every number was used twice");
    for exits in left.values() {
        let counts: Vec<_> = exits.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [5, 0], "{exits:?}");
        assert_ne!(exits[0].0, exits[1].0, "two processes, two starts");
    }
}

/// Killed in the middle of a blocked accept: nothing is left of the call.
#[test]
fn s79_killed_in_accept() {
    processes("s79_killed_in_accept");
}

/// Killed in the middle of a close that takes long: closed all the same.
#[test]
fn s79_killed_in_close() {
    processes("s79_killed_in_close");
}
