//! What detectors see, in tests.

use std::time::Duration;

use super::{GroupSample, History};
use crate::{ledger::population::Population, model::ids::Stamp};

fn second(second: u64) -> Stamp {
    Stamp(0).after(Duration::from_secs(second))
}

/// At 100 s, of a process that was born at 0 s, at default options; nothing is held.
pub(super) fn sample<'a>(population: &'a Population, history: &'a History) -> GroupSample<'a> {
    GroupSample {
        survivors: &[],
        young: &[],
        population,
        history,
        observed_from: second(0),
        warm_at: second(30),
        settled_at: second(10),
        min_age: Duration::from_mins(1),
        quiet: Duration::from_secs(185),
        in_bulk: false,
        is_full: false,
        now: second(100),
    }
}
