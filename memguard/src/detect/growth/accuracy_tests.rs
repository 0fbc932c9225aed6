//! Measured on generated series: how well it measures, how often it is wrong.

use std::time::Duration;

use super::{
    Baseline, Level, Monitor, Outcome, Rules, Series, Shape, negative_series, positive_series,
    testing::{Random, points},
    trend::Trend,
};
use crate::model::ids::Stamp;

const MIB: f64 = 1_048_576.0;
const PER_HOUR: f64 = MIB / 3600.0;
/// One sample each minute and five minutes of warm-up: the first after it has this index.
const WARM: usize = 5;

fn agent() -> Rules {
    Rules {
        warm_up: Duration::from_mins(5),
        ..Rules::default()
    }
}

/// What each sample of a series in MiB leads to.
fn outcomes(rules: Rules, seconds: f64, mib: &[f64]) -> impl Iterator<Item = Outcome> + '_ {
    let mut monitor = Monitor::new(Series::of_bytes());
    let samples = mib.iter().enumerate();
    samples.map(move |(index, mib)| {
        let now = Stamp((index as f64 * seconds * 1e9) as u64);
        monitor.observe(&rules, now, (mib * MIB) as u64)
    })
}

fn first_growing(mut outcomes: impl Iterator<Item = Outcome>) -> Option<usize> {
    outcomes.position(|outcome| outcome.growing().is_some())
}

/// How many of so many series of a kind are told as growth within 15 samples, and within 240.
fn false_ones(kind: &str, series: usize) -> (usize, usize) {
    let told = (0..series).filter_map(|seed| {
        let mut random = Random(seed as u64 * 1_000_003 + kind.len() as u64);
        let series = negative_series::series(kind, &mut random, WARM + 240);
        first_growing(outcomes(agent(), 60.0, &series))
    });
    told.fold((0, 0), |(early, ever), at| {
        (early + usize::from(at < WARM + 15), ever + 1)
    })
}

#[test]
fn harmless_series_are_not_growth() {
    const EACH: usize = 77;
    let counts: Vec<_> = std::thread::scope(|scope| {
        let kinds = negative_series::KINDS.map(|kind| scope.spawn(move || false_ones(kind, EACH)));
        kinds.into_iter().map(|kind| kind.join().unwrap()).collect()
    });
    for (kind, (early, ever)) in negative_series::KINDS.iter().zip(&counts) {
        println!("{kind}: {early} of {EACH} after 15 samples, {ever} ever in 240");
    }
    let all = EACH * counts.len();
    let early: usize = counts.iter().map(|(early, _)| early).sum();
    let ever: usize = counts.iter().map(|(_, ever)| ever).sum();
    println!("false: {early} of {all} after 15 samples, {ever} ever in 240");
    assert!(1_000 <= all && early * 100 < all && ever * 100 < all);
}

#[test]
fn leaking_series_are_growth() {
    const EACH: usize = 125;
    let mut found = 0;
    for (kind, horizon) in positive_series::KINDS {
        let mut when = Vec::new();
        for seed in 0..EACH {
            let mut random = Random(seed as u64 * 1_000_033 + horizon as u64);
            let series = positive_series::series(kind, &mut random, WARM + horizon);
            when.extend(first_growing(outcomes(agent(), 60.0, &series)));
        }
        when.sort_unstable();
        let after = |share: usize| when.get(EACH * share / 100).map(|at| at + 1 - WARM);
        println!(
            "{kind}: {} of {EACH} within {horizon} samples, half within {:?}, 98 % within {:?}",
            when.len(),
            after(50),
            after(98)
        );
        found += when.len();
    }
    let all = EACH * positive_series::KINDS.len();
    println!("true: {found} of {all}");
    assert!(1_000 <= all && all * 98 < found * 100);
}

#[test]
fn a_slope_is_measured() {
    for seconds in [1.0, 15.0, 60.0] {
        let mib: Vec<f64> = (0..200)
            .map(|at| 40.0 + 100.0 * f64::from(at) * seconds / 3600.0)
            .collect();
        let growth = outcomes(agent(), seconds, &mib)
            .last()
            .and_then(|last| match last {
                Outcome::Growing(growth) | Outcome::Creeping(growth) => Some(growth),
                Outcome::TooEarly | Outcome::Flat => None,
            });
        let Some(growth) = growth else {
            assert!(seconds < 2.0, "less than a MiB in the time that is judged");
            continue;
        };
        let slope = growth.slope_per_second / PER_HOUR;
        println!(
            "a sample each {seconds} s: {slope:.2} MiB/h, {:?}",
            growth.shape
        );
        assert!((slope - 100.0).abs() < 5.0 && growth.shape == Shape::Linear);
    }
}

/// 100 MiB/h, one sample a minute, ±1 MiB of noise: a rise of 1.67 MiB per sample.
#[test]
fn a_slope_is_measured_under_noise() {
    const SEEDS: usize = 300;
    let (mut close, mut inside, mut told) = ([0; 16], 0, 0);
    for seed in 0..SEEDS {
        let mut random = Random(seed as u64 * 7_919);
        let mib = (0..WARM + 15).map(|at| 100.0 + at as f64 / 0.6 + random.between(-1.0, 1.0));
        let mib: Vec<f64> = mib.collect();
        told += usize::from(first_growing(outcomes(agent(), 60.0, &mib)).is_some());
        for (count, close) in close.iter_mut().enumerate().skip(10) {
            let window = mib[WARM - 1..WARM + count].iter().map(|mib| mib * MIB);
            let trend = Trend::of(&points(60.0, window)).unwrap();
            *close += usize::from((trend.slope / PER_HOUR - 100.0).abs() <= 10.0);
            inside += usize::from(
                count == 15 && trend.low <= 100.0 * PER_HOUR && 100.0 * PER_HOUR <= trend.high,
            );
        }
    }
    for (count, close) in close.iter().enumerate().skip(10) {
        println!("after {count} samples {close} of {SEEDS} slopes are within 10 %");
    }
    println!("flagged within 15 samples: {told}; the interval has the slope: {inside} of {SEEDS}");
    assert!(
        98 * SEEDS <= close[15] * 100 && 98 * SEEDS <= told * 100 && 90 * SEEDS <= inside * 100
    );
}

/// `-i 1s --warm-up 5s`.
#[test]
fn a_fast_leak_is_told_after_fifteen_seconds() {
    let rules = Rules {
        warm_up: Duration::from_secs(5),
        ..Rules::default()
    };
    let mib: Vec<f64> = (0..20).map(|at| 3.0 + f64::from(at)).collect();
    let told: Vec<_> = outcomes(rules, 1.0, &mib).collect();
    assert_eq!(first_growing(told.iter().copied()), Some(15));
    assert_eq!(
        rules.earliest(Duration::from_secs(1)),
        Duration::from_secs(15)
    );
    assert_eq!(
        told[15].growing().map(|growth| growth.level),
        Some(Level::Critical)
    );
}

/// The blind spot: a first ramp that is longer than what is looked at is told, and withdrawn.
#[test]
fn a_long_cycle_is_told_once_at_most() {
    let (mut told, mut again, mut slowest) = (0, 0, 0);
    for seed in 0..30u32 {
        let mut random = Random(u64::from(seed));
        let (period, size) = (f64::from(20 + 2 * seed), random.between(50.0, 400.0));
        let mib: Vec<f64> = (0..300)
            .map(|at| 60.0 + (f64::from(at) / period).fract() * size + random.between(-0.5, 0.5))
            .collect();
        let growing: Vec<bool> = outcomes(agent(), 60.0, &mib)
            .map(|outcome| outcome.growing().is_some())
            .collect();
        let turn = period.ceil() as usize;
        told += usize::from(growing[..turn].contains(&true));
        let withdrawn = growing[turn..].iter().position(|growing| !growing).unwrap();
        slowest = slowest.max(withdrawn);
        again += usize::from(growing[turn + withdrawn..].contains(&true));
    }
    println!("told in the first ramp: {told} of 30; withdrawn after {slowest}; again: {again}");
    assert!(again == 0 && slowest <= 5);
}

#[test]
fn a_leak_that_begins_late_is_told_and_one_that_ends_is_withdrawn_once() {
    let mut random = Random(3);
    let mib: Vec<f64> = (0..900)
        .map(|at| {
            let leaking = f64::from(at).clamp(300.0, 500.0) - 300.0;
            100.0 + leaking * 2.0 + random.between(-1.0, 1.0)
        })
        .collect();
    let told: Vec<_> = outcomes(agent(), 60.0, &mib).collect();
    let changes: Vec<usize> = (1..told.len())
        .filter(|at| told[*at].growing().is_some() != told[*at - 1].growing().is_some())
        .collect();
    println!("leaking from 300 to 500 (minutes): told and withdrawn at {changes:?}");
    assert!(changes.len() == 2 && changes[0] < 360 && 500 < changes[1] && changes[1] < 620);
}

#[test]
fn slower_than_a_warning_is_a_note_and_above_the_critical_size_worse() {
    let grow = |from: f64, per_hour: f64| {
        let mib: Vec<f64> = (0..120)
            .map(|at| from + per_hour * f64::from(at) / 60.0)
            .collect();
        outcomes(agent(), 60.0, &mib).last()
    };
    let level = |outcome: Option<Outcome>| Some(outcome?.growing()?.level);
    assert!(matches!(grow(50.0, 20.0), Some(Outcome::Creeping(_))));
    assert_eq!(level(grow(50.0, 60.0)), Some(Level::Warning));
    assert_eq!(level(grow(50.0, 120.0)), Some(Level::Critical));
    assert_eq!(level(grow(1000.0, 60.0)), Some(Level::Critical));
    assert_eq!(grow(2048.0, 0.0), Some(Outcome::Flat));
}

#[test]
fn counts_need_no_slope() {
    let observe = |count: &dyn Fn(u64) -> u64| {
        let mut monitor = Monitor::new(Series::of_counts());
        let rules = Rules::of_counts();
        (0..300)
            .map(|at| monitor.observe(&rules, Stamp(at * 5_000_000_000), count(at)))
            .last()
    };
    assert!(observe(&|at| 4 + at / 3).unwrap().growing().is_some());
    assert_eq!(observe(&|at| 4 + at % 30), Some(Outcome::Flat));
    assert_eq!(observe(&|at| 4 + (at / 10).min(16)), Some(Outcome::Flat));
    assert_eq!(observe(&|_| 4), Some(Outcome::Flat));
}

#[test]
fn a_known_baseline_spares_the_warm_up() {
    let baseline = Baseline {
        median: 50 << 20,
        low: 49 << 20,
        high: 51 << 20,
        samples: 5,
    };
    let mut monitor = Monitor::resumed(Series::of_bytes(), baseline);
    let told = (0..20).position(|at| {
        let now = Stamp(at * 60_000_000_000);
        monitor
            .observe(&agent(), now, (60 + 3 * at) << 20)
            .growing()
            .is_some()
    });
    assert_eq!((told, monitor.baseline()), (Some(11), Some(baseline)));
    monitor.restart();
    assert_eq!(
        (monitor.outcome(), monitor.baseline()),
        (Outcome::TooEarly, None)
    );
}

/// One sample a second and the default warm-up of a minute: 200 MiB in 30 s and then flat; pages of
/// 2 MiB touched here and there, bounded; a collector that turns each minute and a half.
#[test]
fn what_programs_do_in_their_first_minutes_is_not_growth() {
    let huge = |at: f64| (40.0 + 30.0 * (at * 0.37).sin().abs()).floor() * 2.0;
    for (why, value) in [
        (
            "a cache",
            &(|at: f64| 5.0 + 200.0 * (at / 30.0).min(1.0)) as &dyn Fn(f64) -> f64,
        ),
        ("huge pages", &huge),
        ("a collector", &|at| 60.0 + at % 90.0),
    ] {
        let mib: Vec<f64> = (0..600).map(|at| value(f64::from(at))).collect();
        assert_eq!(
            first_growing(outcomes(Rules::default(), 1.0, &mib)),
            None,
            "{why}"
        );
    }
}
