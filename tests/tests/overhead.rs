//! What it costs to copy the stack, by the kernel's own statistics: `cargo xtask bench` runs this.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::time::Duration;

use memguard_tests::{Memguard, machine, program, statistics, wait_until};

/// Pairs of one measurement: open and close, socket and close.
const PAIRS: &str = "200000";
/// Rounds, interleaved, of which the median counts.
const ROUNDS: usize = 5;
const PATIENCE: Duration = Duration::from_mins(2);

/// Nanoseconds that the acquiring and the releasing program take, by size of the window: medians
/// of interleaved rounds. Includes the two readings of the clock by which the kernel measures, so
/// differences count.
#[test]
#[ignore = "measures for a minute; cargo xtask bench runs it"]
fn a_window_costs_what_a_kilobyte_costs() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let _counting = statistics::Counting::start().expect("statistics need root");
    let sizes = ["off", "2k", "4k", "16k"];
    let mut taken: Vec<[Vec<f64>; 2]> = vec![Default::default(); sizes.len()];
    for _ in 0..ROUNDS {
        for (size, taken) in sizes.iter().zip(&mut taken) {
            let [acquire, release] = measure(size);
            taken[0].push(acquire);
            taken[1].push(release);
        }
    }
    println!("{:<8}{:>16}{:>16}", "window", "acquire, ns", "release, ns");
    let medians: Vec<_> = taken
        .iter_mut()
        .map(|both| both.each_mut().map(|values| median(values)))
        .collect();
    for (size, [acquire, release]) in sizes.iter().zip(&medians) {
        println!("{size:<8}{acquire:>16.0}{release:>16.0}");
    }
    let cost = medians[1][0] - medians[0][0];
    println!("a window of 2 KiB: {cost:.0} ns an acquisition");
    assert!(cost < 1000.0, "that is no copy of two kilobytes");
}

/// The two programs that run most are those of `openat` and `socket` and of `close`; memguard loads
/// what releases first.
fn measure(size: &str) -> [f64; 2] {
    let balanced = format!("{} {PAIRS} 0; sleep 0.5", program("balanced"));
    let running = Memguard::run(&["--stack-bytes", size], &["sh", "-c", &balanced]).start();
    let wanted = 2 * PAIRS.parse::<u64>().unwrap();
    let mut last = Vec::new();
    wait_until(PATIENCE, "all pairs were made", || {
        let all = statistics::of_process(running.pid());
        last = all
            .into_values()
            .filter(|runs| runs.count >= wanted)
            .collect();
        last.len() >= 2
    });
    assert_eq!(running.finish_within(PATIENCE).code, 0);
    [last[1].each(), last[0].each()]
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
