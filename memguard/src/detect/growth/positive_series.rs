//! Series that are leaks, in MiB, each with the samples after the warm-up by which it is to be
//! seen.

use super::testing::Random;

/// Ways of leaking, and after how many samples behind the warm-up it must be seen.
pub(super) const KINDS: [(&str, usize); 8] = [
    ("linear", 15),
    ("exponential", 15),
    ("unsteady", 40),
    ("noisy ±1", 15),
    ("noisy ±5", 60),
    ("stepwise", 60),
    ("under a sawtooth", 120),
    ("slow, restarted", 120),
];

/// So many samples, one each minute.
pub(super) fn series(kind: &str, random: &mut Random, samples: usize) -> Vec<f64> {
    let base = random.between(20.0, 500.0);
    let pace = random.between(80.0, 1000.0) / 60.0;
    let times = (0..samples).map(|at| at as f64);
    match kind {
        "linear" => times.map(|at| base + pace * at).collect(),
        "exponential" => {
            let start = base.min(pace * 20.0).max(20.0);
            let doubles = random.between(4.0, 14.0);
            times
                .map(|at| base + start * (at / doubles).exp2())
                .collect()
        }
        "unsteady" => {
            let mut at = base;
            times
                .map(|_| {
                    at += pace * random.between(0.6, 1.4);
                    at
                })
                .collect()
        }
        "noisy ±1" => {
            let pace = random.between(100.0, 300.0) / 60.0;
            times
                .map(|at| base + pace * at + random.between(-1.0, 1.0))
                .collect()
        }
        "noisy ±5" => {
            let pace = random.between(100.0, 300.0) / 60.0;
            times
                .map(|at| base + pace * at + random.between(-5.0, 5.0))
                .collect()
        }
        "stepwise" => {
            let period = random.between(1.5, 5.0);
            times
                .map(|at| base + pace * period * (at / period).floor())
                .collect()
        }
        "under a sawtooth" => {
            let (period, size) = (random.between(3.0, 12.0), random.between(0.1, 1.0));
            let size = (base * size).min(pace * 15.0);
            times
                .map(|at| base + pace * at + size * (at / period).fract())
                .collect()
        }
        _ => {
            let pace = random.between(60.0, 120.0) / 60.0;
            let again = random.between(8.0, 40.0).floor();
            let value = |at: f64| {
                if at < again {
                    3.0 * base + pace * at
                } else {
                    base + pace * (at - again)
                }
            };
            times
                .map(|at| value(at) + random.between(-0.5, 0.5))
                .collect()
        }
    }
}
