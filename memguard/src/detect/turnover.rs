//! How often [`Accumulation`] errs: handles that come and go at random, looked at as the engine
//! does, with and without some that stay.

use std::time::Duration;

use super::{
    Accumulation, Check, Detector as _, GroupSample, History, growth::testing::Random,
    testing::sample,
};
use crate::{
    ledger::population::Population,
    model::{finding::Verdict, ids::Stamp},
};

/// Everything is measured by the minimum age; the warm-up takes one and a half.
const AGE: f64 = 20.0;
const WARM_UP: f64 = 1.5 * AGE;
const INTERVAL: f64 = 2.0;
/// What lives shorter is paired in the kernel.
const NURSERY: f64 = 1.5;
const RUNS: u64 = 100;

/// How long a handle lives, in seconds.
type Life = fn(&mut Random) -> f64;

fn exponential(random: &mut Random, mean: f64) -> f64 {
    -mean * random.between(f64::MIN_POSITIVE, 1.0).ln()
}

/// Pareto with exponent 1.2, as files and connections have: most short, some very long.
fn heavy(random: &mut Random, least: f64) -> f64 {
    least * random.between(1e-9, 1.0).powf(-1.0 / 1.2)
}

/// What a site does.
#[derive(Clone, Copy)]
struct Site {
    /// Arrivals in a minimum age.
    rate: f64,
    life: Life,
    /// Which part of the arrivals stays for ever.
    forgotten: f64,
    /// How long before memguard it began, in seconds.
    before: f64,
}

struct Handle {
    at: f64,
    until: f64,
}

impl Site {
    fn handles(&self, random: &mut Random, ends: f64) -> Vec<Handle> {
        let mut handles = Vec::new();
        let mut at = -self.before;
        loop {
            at += exponential(random, AGE / self.rate);
            if at > ends {
                return handles;
            }
            let forgotten = random.between(0.0, 1.0) < self.forgotten;
            let life = (self.life)(random);
            let until = if forgotten { f64::INFINITY } else { at + life };
            handles.push(Handle { at, until });
        }
    }

    /// When it is called a leak first, where it is.
    fn accused(&self, seed: u64, ends: f64) -> Option<f64> {
        let mut random = Random(seed);
        let mut ended = self.handles(&mut random, ends);
        let handles: Vec<_> = ended.iter().map(|it| (it.at, it.until)).collect();
        ended.retain(|it| it.at > 0.0 && it.until - it.at > NURSERY);
        ended.sort_by(|one, other| other.until.total_cmp(&one.until));
        let (mut population, mut history) = (Population::default(), History::default());
        let mut now = 0.0;
        while now < ends {
            now += INTERVAL;
            while let Some(gone) = ended.pop_if(|it| it.until <= now) {
                let life = Duration::from_secs_f64(gone.until - gone.at);
                population.lived(life, Duration::from_secs_f64(AGE));
            }
            let held = handles
                .iter()
                .filter(|(at, until)| *at <= now && *until > now);
            let total = held.clone().filter(|(at, _)| now - at > NURSERY).count();
            let young = held
                .clone()
                .filter(|(at, _)| (NURSERY..AGE).contains(&(now - at)));
            let young: Vec<_> = young.map(|(at, _)| stamp(*at)).collect();
            let old = held.filter(|(at, _)| *at > 0.0 && now - at >= AGE);
            let survivors: Vec<_> = old.map(|(at, _)| stamp(*at)).collect();
            if survivors.is_empty() {
                history = History::default();
                continue;
            }
            history.record(stamp(now), survivors.len() as u64, total as i64);
            if accuses([&survivors, &young], &population, &history, now) {
                return Some(now);
            }
        }
        None
    }

    /// In how many of a thousand runs of so many ages it is called a leak, and after how many ages
    /// half of those were.
    fn verdicts(&self, ages: f64) -> (u64, Option<f64>) {
        let runs = (0..RUNS).filter_map(|seed| self.accused(seed * 77 + 5, ages * AGE));
        let mut times: Vec<_> = runs.collect();
        times.sort_by(f64::total_cmp);
        let half = times.get(times.len() / 2).map(|time| time / AGE);
        (times.len() as u64 * 1_000 / RUNS, half)
    }
}

fn stamp(seconds: f64) -> Stamp {
    Stamp((seconds * 1e9) as u64)
}

fn accuses(
    [survivors, young]: [&[Stamp]; 2],
    population: &Population,
    history: &History,
    now: f64,
) -> bool {
    let group = GroupSample {
        survivors,
        young,
        warm_at: stamp(WARM_UP),
        min_age: Duration::from_secs_f64(AGE),
        quiet: Duration::from_secs_f64(2.0 * AGE),
        now: stamp(now),
        ..sample(population, history)
    };
    Accumulation.check(&group) == Check::Suspect(Verdict::Leak)
}

const BUSY: Site = Site {
    rate: 40.0,
    life: |random| exponential(random, AGE),
    forgotten: 0.0,
    before: 0.0,
};

#[test]
fn who_comes_and_goes_is_no_pile() {
    for (name, life, most) in [
        (
            "short",
            (|random| exponential(random, AGE / 10.0)) as Life,
            0,
        ),
        ("about an age", |random| exponential(random, AGE), 10),
        ("three ages", |random| exponential(random, 3.0 * AGE), 60),
        (
            "evenly up to two ages",
            |random| random.between(0.1, 2.0) * AGE,
            0,
        ),
        ("all the same, half an age", |_| AGE / 2.0, 0),
        ("all the same, three ages", |_| 3.0 * AGE, 30),
        (
            "heavy-tailed, short",
            |random| heavy(random, AGE / 20.0),
            30,
        ),
        ("heavy-tailed, long", |random| heavy(random, AGE / 4.0), 30),
    ] {
        for (rate, before) in [(4.0, 0.0), (40.0, 0.0), (40.0, 20.0 * AGE)] {
            let site = Site {
                rate,
                life,
                before,
                ..BUSY
            };
            let (accused, _) = site.verdicts(16.0);
            let began = if before > 0.0 {
                "long before"
            } else {
                "with memguard"
            };
            println!("{name}, {rate} an age, began {began}: {accused} of 1 000 accused");
            assert!(accused <= most, "{name}: more than {most}");
        }
    }
}

#[test]
fn what_stays_among_others_is_found() {
    for (name, life, forgotten, rate, ages) in [
        ("every one", (|_| AGE) as Life, 1.0, 1.0, 12.0),
        ("every one, quickly", |_| AGE, 1.0, 40.0, 5.0),
        (
            "one in fifty short ones",
            |random| exponential(random, AGE / 20.0),
            0.02,
            200.0,
            8.0,
        ),
        (
            "one in twenty of an age",
            |random| random.between(0.5, 1.5) * AGE,
            0.05,
            40.0,
            20.0,
        ),
        (
            "one in three of three ages",
            |_| 3.0 * AGE,
            0.33,
            12.0,
            16.0,
        ),
        (
            "one in ten exponential",
            |random| exponential(random, AGE / 2.0),
            0.1,
            40.0,
            14.0,
        ),
        (
            "one in ten of any",
            |random| exponential(random, AGE),
            0.1,
            40.0,
            20.0,
        ),
        (
            "one in ten, heavy-tailed",
            |random| heavy(random, AGE / 20.0),
            0.1,
            40.0,
            16.0,
        ),
    ] {
        let site = Site {
            rate,
            life,
            forgotten,
            ..BUSY
        };
        let (found, half) = site.verdicts(ages);
        println!("{name}: {found} of 1 000 found in {ages} ages, half after {half:?}");
        assert!(found >= 950, "{name}: {found} of 1 000");
    }
}
