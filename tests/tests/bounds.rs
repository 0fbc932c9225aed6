//! Figures of the kernel side that depend on no machine stay below their stored bounds.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{collections::BTreeMap, time::Duration};

use memguard_tests::{Bounds, Driven, Memguard, bpf, machine, program};
use rustix::process::Signal;

const PATIENCE: Duration = Duration::from_secs(30);
/// Of `balanced`, which makes two with each step.
const STEPS: u64 = 20_000;

/// What the verifier goes through is the time that every start takes, and what it becomes is what
/// every call runs through.
#[test]
fn programs_stay_small() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let idle = Driven::start(&program("bench_loop"), &[]);
    let mut watch = Memguard::watch(&["-p", &idle.pid().to_string()]).start();
    watch.wait_for(PATIENCE, "memguard has attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    let programs = bpf::of_process(watch.pid());
    watch.signal(Signal::INT);
    watch.finish_within(PATIENCE);
    let figures = |figure: fn(&bpf::Program) -> u32| -> BTreeMap<String, f64> {
        let each = |program: &bpf::Program| (program.name.clone(), f64::from(figure(program)));
        programs.values().map(each).collect()
    };
    Bounds::of("verified").check(&figures(|program| program.verified));
    Bounds::of("bytes").check(&figures(|program| program.translated));
}

/// Pairs that die young stay in the kernel.
#[test]
fn young_pairs_do_not_cross_the_ring() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let steps = STEPS.to_string();
    let ran = Memguard::run(&[], &[&program("balanced"), &steps, "0"]).finish_within(PATIENCE);
    assert_eq!(ran.code, 0);
    let counters = ran.lines().counters();
    let pairs = 2 * STEPS;
    assert!(counters.get("acquisitions.seen") >= pairs, "{counters}");
    let crossed = 1000.0 * counters.sent() as f64 / pairs as f64;
    let figures = [("records_per_1000_young_pairs".to_owned(), crossed)];
    Bounds::of("ring").check(&figures.into());
}
