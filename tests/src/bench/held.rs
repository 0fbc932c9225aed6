//! What is held: what the agent needs for it while nothing happens, and how that grows with the
//! number of handles and of watched processes.

use std::time::Duration;

use super::{Options, Row, Sample, agent::Agent};
use crate::{Counters, Driven, program, wait::wait_until};

/// Handles of one process; the hard limit of descriptors is often 20 000.
const EACH: u64 = 15_000;
/// A second; what is acquired faster than it is read loses its stack.
const RATE: u64 = 100_000;
const PATIENCE: Duration = Duration::from_mins(2);

/// What the agent has and does while nothing happens.
#[derive(Clone, Copy, Debug)]
struct Load {
    handles: f64,
    processes: u64,
    resident: f64,
    heap: f64,
    /// Per cent of one CPU.
    cpu: f64,
}

/// The section `held`.
pub(super) fn measure(options: &Options) -> Vec<Row> {
    let counts: &[u64] = if options.quick {
        &[10_000, 100_000]
    } else {
        &[10_000, 100_000, 1_000_000]
    };
    let crowds: &[u64] = if options.quick {
        &[1, 100]
    } else {
        &[1, 100, 2_000]
    };
    let handles: Vec<Load> = counts
        .iter()
        .map(|count| load(*count, count.div_ceil(EACH)))
        .collect();
    let processes: Vec<Load> = crowds.iter().map(|processes| load(0, *processes)).collect();
    let mut rows = Vec::new();
    for load in &handles {
        rows.extend(figures(&format!("{} handles", load.handles), *load));
    }
    rows.extend(growth(
        "held handle",
        &handles,
        |load| load.handles,
        Some(160.0),
    ));
    for load in &processes {
        rows.extend(figures(
            &format!("{} watched processes", load.processes),
            *load,
        ));
    }
    rows.extend(growth(
        "watched process",
        &processes,
        |load| load.processes as f64,
        None,
    ));
    rows
}

fn figures(of: &str, load: Load) -> [Row; 2] {
    let mib = load.resident / f64::from(1 << 20);
    [
        once(format!("{of}: RssAnon"), "MiB", mib),
        once(format!("{of}: agent CPU, nothing happening"), "%", load.cpu),
    ]
}

/// What each costs more, from the least to the most of them.
fn growth(what: &str, loads: &[Load], count: fn(&Load) -> f64, limit: Option<f64>) -> [Row; 2] {
    let (first, last) = (loads[0], loads[loads.len() - 1]);
    let more = count(&last) - count(&first);
    let resident = once(
        format!("RssAnon per {what}"),
        "B",
        (last.resident - first.resident) / more,
    );
    let heap = once(
        format!("heap per {what}"),
        "B",
        (last.heap - first.heap) / more,
    );
    [
        limit
            .iter()
            .fold(resident, |row, limit| row.at_most(*limit)),
        heap,
    ]
}

fn once(name: String, unit: &'static str, value: f64) -> Row {
    Row {
        sample: Some(Sample::one(value)),
        ..Row::new(name, unit, &[])
    }
}

fn load(handles: u64, processes: u64) -> Load {
    let (count, rate, number) = (handles.to_string(), RATE.to_string(), processes.to_string());
    let mut pace = Driven::start(&program("bench_pace"), &["keep", &rate, &count, &number]);
    let agent = Agent::watch(&["-p", &pace.pid().to_string()]);
    pace.go();
    wait_until(PATIENCE, "all handles are made", || pace.is_done());
    agent.settles();
    let cpu = 100.0 * agent.cpu_share(Duration::from_secs(10));
    let resident = agent.resident() as f64;
    let ran = agent.leave();
    let counters = Counters::of(ran.lines().stopped());
    let held = counters.sent() - counters.get("releases.sent");
    println!("{handles} handles of {processes} processes: {held} reached the ledger");
    Load {
        handles: handles as f64,
        processes,
        resident,
        heap: counters.get("heap.bytes") as f64,
        cpu,
    }
}
