//! Series that are no leaks, in MiB.

use std::f64::consts::TAU;

use super::testing::Random;

/// Ways of not leaking. Cycles that are longer than warm-up and window together are slower here
/// than what is a warning; steeper ones are [`super::proof`]'s own test.
pub(super) const KINDS: [&str; 13] = [
    "noise",
    "sawtooth",
    "deep sawtooth",
    "long slow sawtooth",
    "plateau",
    "cache that fills",
    "cache that stops",
    "cycle",
    "day",
    "restart",
    "one step",
    "mean-reverting walk",
    "bounded walk",
];

/// Periods that are seen to turn before the first verdict, in samples.
const LONGEST: f64 = 15.0;

/// So many samples, one each minute.
pub(super) fn series(kind: &str, random: &mut Random, samples: usize) -> Vec<f64> {
    let base = random.between(20.0, 500.0);
    let noise = random.between(0.0, 1.0);
    let values: Vec<f64> = match kind {
        "noise" => {
            let wide = random.between(0.1, 5.0);
            (0..samples).map(|_| random.between(-wide, wide)).collect()
        }
        "sawtooth" => teeth(random, (3.0, LONGEST), (1.0, base), samples),
        "deep sawtooth" => teeth(random, (3.0, LONGEST), (base, 8.0 * base), samples),
        "long slow sawtooth" => teeth(random, (20.0, 120.0), (5.0, 14.0), samples),
        "plateau" => {
            let (rise, time) = (random.between(10.0, 300.0), random.between(1.0, 5.0));
            (0..samples)
                .map(|at| rise * (at as f64 / time).min(1.0))
                .collect()
        }
        "cache that fills" => {
            let (rise, time) = (random.between(10.0, 300.0), random.between(1.0, 30.0));
            (0..samples)
                .map(|at| rise * (1.0 - (-(at as f64) / time).exp()))
                .collect()
        }
        "cache that stops" => {
            let (rise, time) = (random.between(10.0, 300.0), random.between(2.0, 14.0));
            (0..samples)
                .map(|at| rise * (at as f64 / time).min(1.0))
                .collect()
        }
        "cycle" => waves(random, (3.0, LONGEST), (1.0, base), samples),
        "day" => waves(random, (1440.0, 1441.0), (10.0, 300.0), samples),
        "restart" => restart(random, base, samples),
        "one step" => {
            let (at, size) = (
                random.between(1.0, samples as f64),
                random.between(2.0, 300.0),
            );
            (0..samples)
                .map(|now| if (now as f64) < at { 0.0 } else { size })
                .collect()
        }
        "mean-reverting walk" => {
            let (size, memory) = (random.between(1.0, 15.0), random.between(1.0, 20.0));
            walk(random, size, memory, samples)
        }
        _ => bounded(random, samples),
    };
    values
        .into_iter()
        .map(|value| (base + value + random.between(-noise, noise)).max(1.0))
        .collect()
}

fn teeth(random: &mut Random, period: (f64, f64), size: (f64, f64), samples: usize) -> Vec<f64> {
    let (period, size) = (
        random.between(period.0, period.1),
        random.between(size.0, size.1),
    );
    let phase = random.between(0.0, 1.0);
    let jitter = random.between(0.0, 0.05);
    let mut at = phase;
    (0..samples)
        .map(|_| {
            at += (1.0 + jitter * random.normal()) / period;
            at.fract() * size
        })
        .collect()
}

fn waves(random: &mut Random, period: (f64, f64), size: (f64, f64), samples: usize) -> Vec<f64> {
    let (period, size) = (
        random.between(period.0, period.1),
        random.between(size.0, size.1),
    );
    let phase = random.between(0.0, TAU);
    (0..samples)
        .map(|at| (1.0 + (phase + TAU * at as f64 / period).sin()) * size / 2.0)
        .collect()
}

/// Down to a part of it, and soon back to a new level.
fn restart(random: &mut Random, base: f64, samples: usize) -> Vec<f64> {
    let at = random.between(3.0, samples as f64 / 2.0);
    let (left, level) = (random.between(0.05, 0.4), random.between(0.3, 1.2));
    let time = random.between(0.5, 5.0);
    let value = |now: f64| {
        if now < at {
            0.0
        } else {
            base * (left + (level - left) * (1.0 - (-(now - at) / time).exp()) - 1.0)
        }
    };
    (0..samples).map(|now| value(now as f64)).collect()
}

/// G. E. Uhlenbeck and L. S. Ornstein (1930), sampled.
fn walk(random: &mut Random, size: f64, memory: f64, samples: usize) -> Vec<f64> {
    let keeps = (-1.0 / memory).exp();
    let mut at = size * random.normal();
    (0..samples)
        .map(|_| {
            at = at * keeps + size * (1.0 - keeps * keeps).sqrt() * random.normal();
            at
        })
        .collect()
}

fn bounded(random: &mut Random, samples: usize) -> Vec<f64> {
    let (step, bound) = (random.between(0.5, 5.0), random.between(10.0, 40.0));
    let mut at = random.between(0.0, bound);
    (0..samples)
        .map(|_| {
            at = (at + step * random.normal()).abs();
            at = bound - (bound - at).abs();
            at
        })
        .collect()
}
