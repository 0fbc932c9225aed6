//! Series of real programs: `RssAnon` in KiB, each second, on a busy machine.

use super::{Monitor, Outcome, Rules, Series};
use crate::model::ids::Stamp;

/// Redis with an append-only file that is rewritten, and a snapshot now and then.
const REDIS: &[u32] = &[
    3324, 3488, 3592, 3884, 4164, 4264, 4268, 4512, 4512, 4512, 4512, 4516, 4576, 4360, 4360, 4500,
    4592, 4592, 4596, 4596, 4596, 4596, 4596, 4564, 4564, 4564, 4564, 4564, 4564, 4564, 4564, 4780,
    4780, 4332, 4560, 4560, 4564, 4564, 4564, 4564, 4564, 4564, 4564, 4332, 4332, 4632, 4632, 4632,
    4632, 4632, 4632, 4632, 4632, 4332, 4472, 4472, 4472, 4472, 4472, 4488, 4488, 4488, 4488, 4300,
    4332, 4604, 4604, 4604, 4604, 4604, 4604, 4604, 4604, 4604, 4336, 4336, 4336, 4336, 4336, 4336,
    4336, 4552, 4604, 4604, 4316, 4316, 4316, 4452, 4452, 4588, 4588, 4588, 4588, 4588, 4340,
];

/// Python that replaces the lists of a dictionary, of all sizes.
const PYTHON: &[u32] = &[
    14544, 14812, 14984, 15056, 15104, 15168, 15176, 15196, 15212, 15228, 15240, 15244, 15264,
    15268, 15280, 15284, 15288, 15292, 15296, 15296, 15300, 15300, 15304, 15308, 15312, 15316,
    15320, 15324, 15328, 15328, 15328, 15332, 15332, 15332, 15332, 15336, 15336, 15340, 15340,
    15340, 15340, 15340, 15340, 15340, 15340, 15340, 15340, 15340, 15340, 15340, 15340, 15340,
    15340, 15340, 15340, 15340, 15340, 15340, 15340, 15340, 15340, 15340, 15340, 15340, 15340,
    15340, 15340, 15340, 15344, 15344, 15344, 15344, 15344, 15344, 15344, 15344, 15344, 15344,
    15344, 15348, 15348, 15348, 15352, 15352, 15352, 15352, 15352, 15352, 15356, 15356, 15356,
    15356, 15356, 15356, 15356,
];

/// Node that replaces the objects and buffers of a map.
const NODE: &[u32] = &[
    58160, 79288, 83200, 98256, 102172, 113432, 85536, 85996, 93856, 93856, 93856, 105900, 105900,
    118024, 121788, 137692, 103644, 103644, 91784, 91784, 96900, 96900, 97068, 102756, 102772,
    95556, 95556, 101828, 103200, 103200, 94992, 94992, 103640, 103640, 103644, 115520, 115520,
    127564, 127564, 120768, 103360, 103360, 103804, 103804, 96804, 96804, 96804, 103752, 103752,
    115812, 115812, 115812, 127844, 127844, 119648, 101784, 101784, 104148, 104148, 116140, 116156,
    116156, 128228, 128228, 100036, 100036, 100036, 104252, 104252, 116248, 116248, 128296, 128296,
    128296, 111612, 111612, 111612, 111844, 111844, 116652, 116652, 116652, 128468, 128468, 109252,
    109252, 109484, 109484, 109484, 116568, 116568, 128620, 128620, 128620, 109716,
];

/// Node that serves a file, and once reads a lot.
const NODE_SERVER: &[u32] = &[
    38412, 39096, 42356, 45840, 40920, 40920, 44960, 42528, 40924, 40924, 40924, 46760, 44964,
    46800, 47080, 41072, 79932, 79572, 79572, 79572, 79572, 79572, 79572, 79572, 79572, 79760,
    79828, 79828, 79828, 79828, 79828, 79828, 79828, 79828, 79828, 79828, 79828, 79828, 79828,
    79828, 79828, 79828, 79828, 79828, 79828, 79828, 79828, 79828, 79828, 79828, 79828, 79828,
    79828, 79836, 79856, 79860, 79860, 79860, 79880, 79880, 79880, 79880, 79880, 79880, 79880,
    79880, 79880, 79880, 79924, 79924, 79924, 79924, 79924, 80180, 80180, 80180, 80180, 80180,
    80180, 80180, 80180, 80180, 80180, 80180,
];

/// Go that replaces the slices of a map.
const GO: &[u32] = &[
    14696, 17148, 18828, 21480, 22224, 22916, 23564, 23564, 24052, 24060, 24064, 24064, 24064,
    24064, 24064, 24064, 24064, 24068, 24068, 24068, 24068, 24068, 24068, 24068, 24068, 24068,
    24088, 24088, 24124, 24124, 23964, 23964, 23516, 23520, 22624, 22624, 23720, 23720, 22760,
    22760, 23600, 23600, 22832, 22876, 24104, 22632, 22632, 23256, 23576, 23068, 23072, 23596,
    24104, 22824, 22824, 24048, 24056, 22776, 22776, 24104, 24104, 24104, 24104, 24104, 24104,
    24104, 24104, 24104, 24104, 24104, 24104, 24104, 24104, 24104, 24104, 24104, 24104, 24104,
    24104, 24104, 24104, 24104, 24104, 24104, 24104, 24104, 24104, 24104, 24104, 24104, 24104,
    24104, 24104, 24104, 24104,
];

/// Redis, idle for twenty seconds, and then filled at a pace that the machine made unsteady.
const FILLED: &[u32] = &[
    2712, 2712, 2712, 2712, 2712, 2712, 2712, 2712, 2712, 2712, 2712, 2712, 2712, 2712, 2712, 2712,
    2712, 2712, 2712, 2712, 2892, 5532, 6960, 8896, 10520, 12292, 12808, 14100, 14372, 15060,
    16152, 17796, 19028, 20396, 20936, 21624, 22724, 23540, 24500, 25344, 26000, 27224, 29420,
    30920, 33388, 35444, 38180, 39824, 40640, 42152, 43656, 45292, 48548, 49792, 51844, 54032,
];

/// Node with a cache that has no end, beside as much garbage: fast while the heap is small, and
/// then in steps.
const CACHE: &[u32] = &[
    24, 9256, 11364, 13304, 15580, 17800, 19280, 21352, 23736, 23744, 26120, 28780, 32424, 32772,
    35436, 37796, 41552, 44124, 46252, 53084, 53096, 53104, 53124, 56340, 56376, 56408, 60856,
    60872, 60872, 64580, 64580, 64580, 64580, 70432, 70532, 70532, 70532, 70532, 70880, 71712,
    79788, 79788, 79788, 79788, 82784, 82784, 82796, 82816, 87280, 87280, 87280, 90960, 90960,
    90972, 94908, 94908, 94908, 94908, 99176, 99200, 99200, 99200, 99200, 99312, 100448, 103108,
    109024, 109024, 109024, 112016, 112016, 112040, 112056, 116868, 116868, 116868, 120560, 120560,
    120560, 120560, 124468, 124468, 124468, 128376, 128376, 128376, 128376, 132292, 132292, 132292,
    136200,
];

/// When it was first told as growth, in seconds.
fn told(series: &[u32]) -> Option<u64> {
    let rules = Rules {
        warm_up: std::time::Duration::from_secs(20),
        ..Rules::default()
    };
    let mut monitor = Monitor::new(Series::of_bytes());
    (0u64..).zip(series).find_map(|(second, kib)| {
        let now = Stamp(1_000_000_000 * (second + 7));
        let outcome = monitor.observe(&rules, now, u64::from(*kib) * 1024);
        matches!(outcome, Outcome::Growing(_)).then_some(second)
    })
}

#[test]
fn steady_programs_do_not_grow() {
    for (name, series) in [
        ("redis", REDIS),
        ("python", PYTHON),
        ("node", NODE),
        ("a server in node", NODE_SERVER),
        ("go", GO),
    ] {
        assert_eq!(told(series), None, "{name}");
    }
}

#[test]
fn a_redis_that_is_filled_does() {
    let second = told(FILLED).unwrap();
    println!("told after {second} s");
    assert!((40..50).contains(&second));
}

/// However often it is looked at, and however much of the first ramp was the warm-up.
#[test]
fn a_cache_without_an_end_is_told_to_the_end() {
    for (warm_up, interval) in [
        (5, 1),
        (10, 1),
        (20, 1),
        (30, 1),
        (5, 2),
        (10, 2),
        (20, 2),
        (30, 2),
    ] {
        let rules = Rules {
            warm_up: std::time::Duration::from_secs(warm_up),
            ..Rules::default()
        };
        let mut monitor = Monitor::new(Series::of_bytes());
        let samples = (0u64..).zip(CACHE).step_by(interval);
        let told: Vec<bool> = samples
            .map(|(second, kib)| {
                let now = Stamp(1_000_000_000 * (second + 7));
                let outcome = monitor.observe(&rules, now, u64::from(*kib) * 1024);
                outcome.growing().is_some()
            })
            .collect();
        let first = told.iter().position(|told| *told);
        let stays = told.iter().skip_while(|told| !**told).all(|told| *told);
        println!(
            "{warm_up} s, each {interval} s: from sample {first:?} of {}",
            told.len()
        );
        // Where half of what is looked at is the first ramp, it bends.
        let bends = warm_up < 20 && 1 < interval;
        assert!(
            stays && (bends || first.is_some()),
            "{warm_up} s, each {interval} s: {told:?}"
        );
    }
}

/// Two thirds of what it makes is garbage, collected every nine seconds.
#[test]
fn a_climb_under_teeth_stays_told_and_teeth_alone_do_not() {
    let rules = Rules {
        warm_up: std::time::Duration::from_secs(30),
        ..Rules::default()
    };
    let mut monitor = Monitor::new(Series::of_bytes());
    let told: Vec<bool> = (0u32..600)
        .map(|second| {
            let climbs = f64::from(second.min(300)) * 1.4;
            let mib = 20.0 + climbs + 2.8 * f64::from(second % 9);
            let now = Stamp(1_000_000_000 * u64::from(second));
            let outcome = monitor.observe(&rules, now, (mib * 1_048_576.0) as u64);
            outcome.growing().is_some()
        })
        .collect();
    let first = told.iter().position(|told| *told).unwrap();
    let end = told.iter().rposition(|told| *told).unwrap();
    println!("told from {first} s to {end} s");
    assert!(first < 120 && told[first..=300].iter().all(|told| *told));
    assert!((300..420).contains(&end), "it ends when it stops");
}
