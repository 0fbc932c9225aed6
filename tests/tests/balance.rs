//! Programs that give everything back, or nearly: nothing is found that is not there, and almost
//! nothing of what they do leaves the kernel.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use memguard_tests::{Memguard, by_kind, finding::listed, flag, machine, program, total};

/// Pairs that `balanced` makes with N = 20 000: one of a file, one of a socket each time.
const PAIRS: u64 = 40_000;

/// 40 000 pairs, paired at once.
#[test]
fn short_lives_stay_in_the_kernel() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    stays_in_the_kernel("0");
}

/// The same while 1000 other descriptors are always open and the oldest of them makes room for a
/// new one each time: 21 000 more, each open for 1000 rounds.
#[test]
fn a_thousand_in_flight_stay_in_the_kernel() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    stays_in_the_kernel("1000");
}

fn stays_in_the_kernel(in_flight: &str) {
    let ran = Memguard::run(&[], &[&program("balanced"), "20000", in_flight]).finish();
    assert_eq!(ran.code, 0);
    let lines = ran.lines();
    let findings = lines.finding_lines();
    assert_eq!(findings.len(), 0, "{}", listed(&findings));
    let counters = lines.counters();
    println!(
        "{} of {PAIRS} pairs left the kernel; {counters}",
        counters.sent()
    );
    assert!(
        counters.get("acquisitions.seen") >= PAIRS,
        "the program was traced: {counters}"
    );
    assert!(
        counters.get("releases.seen") >= PAIRS,
        "the program was traced: {counters}"
    );
    assert!(
        counters.sent() < PAIRS / 100,
        "more than 1 % left the kernel: {counters}"
    );
    counters.assert_identities();
    assert_eq!(counters.lost(), 0);
    assert!(flag(lines.summary(), "/memguard/evidence/conclusive"));
}

/// What the programs take of the CPUs is known after the first period in which the kernel counted:
/// more than nothing, less than the CPUs have.
#[test]
fn the_time_of_the_programs_is_told() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let short = Memguard::run(&[], &["true"]).finish();
    let cost = "/memguard/summary/cost";
    let short = short.lines().summary().pointer(cost).cloned().unwrap();
    println!("true: {short}");
    assert!(short["bpf_seconds"].is_null(), "nothing was sampled");
    let ran = Memguard::run(&[], &[&program("churn_threads"), "3"]).finish();
    let lines = ran.lines();
    let told = lines.summary().pointer(cost).unwrap();
    println!("churn_threads: {told}");
    let [seconds, percent] =
        ["bpf_seconds", "bpf_cpu_percent"].map(|name| told[name].as_f64().unwrap());
    let calls = lines.counters().get("releases.seen") as f64;
    assert!(seconds / calls > 1e-8, "10 ns a call are less than a call");
    assert!(
        seconds / calls < 1e-4,
        "a tenth of a millisecond is no program"
    );
    assert!(percent > 0.0 && percent < 25_600.0);
}

/// Four threads hand each other the same numbers for two seconds; exactly the 20 sockets that they
/// keep at the end are left.
#[test]
fn racing_threads_leave_exactly_twenty() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::run(&[], &[&program("churn_threads"), "2"]).finish();
    let lines = ran.lines();
    let left = lines.left_behind();
    println!(
        "{}, left {} of 20: {:?}",
        ran.stdout.trim_end(),
        total(&left),
        by_kind(&left)
    );
    assert_eq!(total(&left), 20);
    assert_eq!(by_kind(&left).get("unix"), Some(&20));
    lines.counters().assert_identities();
}

/// Closes that overtake the open they undo leave no phantom.
#[test]
fn blind_closes_leave_no_phantom() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::run(&[], &[&program("double_close"), "100000"]).finish();
    let lines = ran.lines();
    let findings = lines.finding_lines();
    let counters = lines.counters();
    println!("{} findings of 0; {counters}", findings.len());
    assert_eq!(findings.len(), 0, "{}", listed(&findings));
    assert!(
        counters.get("acquisitions.seen") >= 100_000,
        "the program was traced: {counters}"
    );
    counters.assert_identities();
}
