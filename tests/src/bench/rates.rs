//! More and more acquisitions a second: what is lost, and how many reach user space at all.

use std::time::Duration;

use super::{Options, Row, agent::alone};
use crate::{Counters, Memguard, program, running::Ran};

/// Counts of a hundred thousand and more: few rounds are enough.
const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_mins(1);
/// What `bench_pace` holds all the time where some are in flight.
const IN_FLIGHT: u64 = 1000;
const PROCESSES: &str = "8";

/// What `bench_pace` does, how often a second (0: as often as it can), and how often in all.
struct Case {
    name: &'static str,
    mode: &'static str,
    rate: u64,
    count: u64,
    figures: &'static [Figure],
}

/// What is counted, as a share in per cent, and what it should be at most.
type Figure = (&'static str, fn(&Counters) -> f64, Option<f64>);

const PAIRS: &[Figure] = &[("lost", acquisitions_lost, Some(0.0))];
const FLIGHT: &[Figure] = &[
    ("lost", acquisitions_lost, Some(0.0)),
    ("reach user space", reaching, Some(0.5)),
];
const KEPT: &[Figure] = &[
    ("acquisitions lost", acquisitions_lost, Some(0.1)),
    ("releases lost", releases_lost, Some(0.0)),
    ("windows lost", windows_lost, None),
];

const CASES: [Case; 6] = [
    case("pairs, 100 k/s", "pairs", 100_000, 100_000, PAIRS),
    case("pairs, 300 k/s", "pairs", 300_000, 300_000, PAIRS),
    case("pairs, 1 M/s", "pairs", 1_000_000, 1_000_000, PAIRS),
    case("pairs, as fast as it can", "pairs", 0, 1_000_000, PAIRS),
    case(
        "1 000 in flight, as fast as it can",
        "flight",
        0,
        1_000_000,
        FLIGHT,
    ),
    case("all survive, 100 k/s", "keep", 100_000, 100_000, KEPT),
];

const fn case(
    name: &'static str,
    mode: &'static str,
    rate: u64,
    count: u64,
    figures: &'static [Figure],
) -> Case {
    Case {
        name,
        mode,
        rate,
        count,
        figures,
    }
}

/// The section `rates`.
pub(super) fn measure(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    for case in &CASES {
        let rounds: Vec<_> = (0..options.rounds(ROUNDS))
            .map(|_| alone(|| once(options, case)))
            .collect();
        let rates: Vec<f64> = rounds.iter().map(|(rate, _)| *rate / 1000.0).collect();
        rows.push(Row::new(format!("{}: made", case.name), "k/s", &rates));
        for (name, figure, limit) in case.figures {
            let shares: Vec<f64> = rounds
                .iter()
                .map(|(_, counters)| figure(counters))
                .collect();
            let row = Row::new(format!("{}: {name}", case.name), "%", &shares);
            rows.push(limit.iter().fold(row, |row, limit| row.at_most(*limit)));
        }
    }
    rows
}

/// The rate that was reached, and what memguard counted.
fn once(options: &Options, case: &Case) -> (f64, Counters) {
    let count = options.count(case.count);
    let (pace, rate, all) = (
        program("bench_pace"),
        case.rate.to_string(),
        count.to_string(),
    );
    // One process alone has the 1 000 in flight.
    let processes = if case.mode == "flight" {
        "1"
    } else {
        PROCESSES
    };
    let command = [pace.as_str(), case.mode, &rate, &all, processes];
    let mut running = Memguard::run(&[], &command).start();
    running.wait_for_output(PATIENCE, "ready\n");
    running.type_in("go\n");
    running.wait_for_output(PATIENCE, "done");
    let ran = running.finish_within(PATIENCE);
    let counters = ran.lines().counters();
    counters.assert_identities();
    (count as f64 / seconds(&ran), counters)
}

fn seconds(ran: &Ran) -> f64 {
    let said = ran
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("done "));
    let nanoseconds = said.and_then(|said| said.trim().parse::<f64>().ok());
    nanoseconds.unwrap_or_else(|| panic!("bench_pace said {:?}", ran.stdout)) / 1e9
}

fn share(counters: &Counters, part: u64, whole: &str) -> f64 {
    100.0 * part as f64 / counters.get(whole) as f64
}

fn acquisitions_lost(counters: &Counters) -> f64 {
    share(
        counters,
        counters.get("acquisitions.lost"),
        "acquisitions.seen",
    )
}

fn releases_lost(counters: &Counters) -> f64 {
    share(counters, counters.get("releases.lost"), "releases.seen")
}

fn windows_lost(counters: &Counters) -> f64 {
    share(counters, counters.get("windows.lost"), "acquisitions.seen")
}

/// Those that are still held at the end are no short-lived ones.
fn reaching(counters: &Counters) -> f64 {
    let short = counters.sent().saturating_sub(IN_FLIGHT);
    share(counters, short, "acquisitions.seen")
}
