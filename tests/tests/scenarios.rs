//! Scenarios of the kernel's semantics of descriptors that are judged at exit: what the processes
//! leave is reported to the last handle, and nothing else is. The steps, and what they leave, are
//! in `tests/programs/zoo_*.c` under the same names.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::collections::BTreeMap;

use memguard_tests::{
    Finding, Ran, Scratch, flag,
    lines::{number, text},
    total,
    zoo::{self, Account, exactly, reported_at_exit},
};

fn descriptors(name: &str) -> Option<(Ran, Account)> {
    exactly("zoo_descriptors", &[name])
}

fn processes(name: &str) -> Option<(Ran, Account)> {
    exactly("zoo_processes", &[name])
}

fn uring(name: &str) -> Option<(Ran, Account)> {
    exactly("zoo_uring", &[name])
}

/// Every call that gives a descriptor, twice: found with its name and kind.
#[test]
fn every_call() {
    exactly("zoo_calls", &["every"]);
}

/// The same for the calls that are traced only on demand.
#[test]
fn every_call_on_demand() {
    exactly("zoo_calls", &["rare"]);
}

/// A million opened and closed at once: nothing is left.
#[test]
fn s02_balanced() {
    descriptors("s02_balanced");
}

/// A close that fails because nothing is open closes nothing.
#[test]
fn s10_close_ebadf() {
    descriptors("s10_close_ebadf");
}

/// A close that fails with EIO has closed nevertheless.
#[test]
fn s11_close_eio() {
    let scratch = Scratch::new();
    let directory = scratch.shared_dir("mounted").display().to_string();
    exactly("fuse_eio", &["s11_close_eio", &directory]);
}

/// A close that seccomp denies has closed nothing.
#[test]
fn s12_close_denied() {
    descriptors("s12_close_denied");
}

/// A socket that is shut down is still open.
#[test]
fn s13_shutdown_is_no_close() {
    descriptors("s13_shutdown");
}

/// `dup2` onto an open number closes what was there.
#[test]
fn s14_dup2_onto_open() {
    descriptors("s14_dup2_onto_open");
}

/// Where `dup2` is given a new descriptor each time, the leak is the source, not the copy.
#[test]
fn s15_dup2_leaks_its_source() {
    descriptors("s15_dup2_leaks_its_source");
}

/// `dup2` of a number onto itself is nothing.
#[test]
fn s16_dup2_same() {
    descriptors("s16_dup2_same");
}

/// Copies of what was open before memguard came have the kind of their source.
#[test]
fn s17_dup_leak() {
    descriptors("s17_dup_leak");
}

/// Copies of a socket are sockets, though their source is closed.
#[test]
fn s17_dup_of_a_socket() {
    descriptors("s17_dup_of_a_socket");
}

/// Commands of `fcntl` whose results only look like descriptors.
#[test]
fn s18_fcntl_noise() {
    descriptors("s18_fcntl_noise");
}

/// Copies made by `fcntl`.
#[test]
fn s19_dupfd_leak() {
    descriptors("s19_dupfd_leak");
}

/// `signalfd` on a descriptor that it has changes only its mask.
#[test]
fn s20_signalfd_update() {
    descriptors("s20_signalfd_update");
}

/// An ioctl whose result only looks like a descriptor.
#[test]
fn s21_ioctl_noise() {
    descriptors("s21_ioctl_noise");
}

/// The same with KVM's version number.
#[test]
fn s21_kvm_noise() {
    descriptors("s21_kvm_noise");
}

/// Namespaces opened by an ioctl.
#[test]
fn s22_ns_ioctl_leak() {
    descriptors("s22_ns_ioctl_leak");
}

/// Descriptors that came over a socket belong to who received them.
#[test]
fn s23_scm_leak() {
    descriptors("s23_scm_leak");
}

/// Of two descriptors sent, the one for which there is no room never arrives.
#[test]
fn s24_scm_truncated() {
    descriptors("s24_scm_truncated");
}

/// One end of a pipe.
#[test]
fn s25_pipe_half() {
    descriptors("s25_pipe_half");
}

/// One end of a pair of sockets.
#[test]
fn s25_socketpair_half() {
    descriptors("s25_socketpair_half");
}

/// An accept that signals interrupt and restart returns once.
#[test]
fn s26_accept_restart() {
    let Some((_, account)) = descriptors("s26_accept_restart") else {
        return;
    };
    let alarms = account.met().get("alarms while accept was blocked");
    assert!(
        alarms.is_some_and(|alarms| *alarms >= 5),
        "accept was never interrupted"
    );
}

/// Fifty closed by one call.
#[test]
fn s29_close_range_all() {
    descriptors("s29_close_range_all");
}

/// Both sides of a closed range stay.
#[test]
fn s29_close_range_middle() {
    descriptors("s29_close_range_middle");
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

/// A table that ends with its thread is not left by the process.
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

/// Descriptors that `io_uring` opens are found, those that it closes are not.
#[test]
fn s42_iouring_open_leak() {
    uring("s42_open_leak");
}

/// Sockets that `io_uring` makes and accepts.
#[test]
fn s42_iouring_sockets() {
    uring("s42_sockets");
}

/// Slots of the ring's own table are no descriptors, whatever their numbers.
#[test]
fn s43_iouring_direct() {
    uring("s43_direct");
}

/// What a system call opened and `io_uring` closed is closed.
#[test]
fn s44_iouring_close_tracked() {
    uring("s44_close_tracked");
}

/// The same as 42 where a kernel thread takes the requests.
#[test]
fn s45_iouring_polled() {
    uring("s45_polled");
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

/// All that the limit allows is counted, and the attempts beyond it as failed.
#[test]
fn s80_emfile() {
    let Some((ran, _)) = descriptors("s80_emfile") else {
        return;
    };
    let failed = ran.lines().counters().get("acquisitions.failed");
    println!("{failed} failed acquisitions, 51 of them at the limit");
    assert!(failed >= 51);
}

/// More open than there is room for in the kernel: complete or said to be incomplete, and never
/// more than there is.
#[test]
fn s83_map_full() {
    let options = ["--nursery-sets", "1", "--ring-bytes", "4096"];
    let Some((ran, account)) = zoo::at_exit(&options, "zoo_descriptors", &["s83_map_full"]) else {
        return;
    };
    let lines = ran.lines();
    let reported: Vec<Finding<'_>> = reported_at_exit(&lines);
    let (reported, truth) = (total(&reported), account.total());
    let lost = lines.counters().lost();
    let conclusive = flag(lines.summary(), "/memguard/evidence/conclusive");
    println!("{reported} of {truth} reported, {lost} records lost, conclusive: {conclusive}");
    assert!(
        lost > 0,
        "8 slots and one page cannot hold 6000: {}",
        lines.counters()
    );
    assert!(
        !conclusive,
        "what was lost is said to be: {}",
        lines.summary()
    );
    assert!(reported <= truth, "more than there is");
    lines.counters().assert_identities();
}
