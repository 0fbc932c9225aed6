//! Scenarios of the kernel's semantics of descriptors that are judged at exit: what the processes
//! leave is reported to the last handle, and nothing else is. The steps, and what they leave, are
//! in `tests/programs/zoo_*.c` under the same names. Those with several processes are in
//! `scenarios_processes.rs`.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use memguard_tests::{
    Finding, Ran, Scratch, flag, total,
    zoo::{self, Account, exactly, reported_at_exit},
};

fn descriptors(name: &str) -> Option<(Ran, Account)> {
    exactly("zoo_descriptors", &[name])
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
