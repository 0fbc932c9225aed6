//! Piled up, as seen from the end.

use std::time::Duration;

use super::{
    Check, Detector, GroupSample,
    accumulation::{AGAIN, tenths},
};
use crate::model::{finding::Verdict, ids::Stamp};

/// Asks whether what is left had piled up while the process ran. That cannot be looked at again:
/// what is held, and when it was acquired, is all there is. So it takes more than while the process
/// runs:
///
/// * where others were released, three survivors that are older than 99 of 100 of those became, and
///   two that came after the oldest was;
/// * where none was, five survivors in five separate tenths of the life.
///
/// The first tenth of a life is its warm-up, if that is not shorter. Nothing is said of a process
/// that was seen for less than two seconds: what lives so short is paired in the kernel, and that a
/// site releases is not known.
#[derive(Clone, Copy, Debug)]
pub struct Remainder;

const LEAST_SEEN: Duration = Duration::from_secs(2);
const OUTLIVED: usize = 3;
const SURVIVORS: usize = 5;
const SPREAD: u32 = 5;

impl Detector for Remainder {
    fn check(&self, group: &GroupSample<'_>) -> Check {
        let seen = group.now.since(group.observed_from);
        let tenth = group.observed_from.after(seen / 10);
        let group = GroupSample {
            warm_at: group.warm_at.min(tenth),
            ..*group
        };
        let flat = group.history.climbs() == Some(false);
        if seen >= LEAST_SEEN && !flat && has_piled_up(&group) {
            Check::Suspect(Verdict::Leak)
        } else {
            Check::Clear
        }
    }
}

fn has_piled_up(group: &GroupSample<'_>) -> bool {
    let Some(lives) = group.population.lives() else {
        return group.late().count() >= SURVIVORS && tenths(group, Duration::ZERO) >= SPREAD;
    };
    let long = |stamp: &Stamp| group.now.since(*stamp) > lives.p99;
    let again = |oldest: Stamp| group.late().filter(move |at| *at > oldest.after(lives.p99));
    let outlived = group.late().filter(long).count();
    let oldest = group.late().next();
    outlived >= OUTLIVED && oldest.is_some_and(|oldest| again(oldest).count() >= AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        detect::{History, testing::sample},
        ledger::population::Population,
    };

    fn check(survivors: &[u64], lives: &[u64], life: u64, history: &History) -> Check {
        let millis: Vec<_> = survivors.iter().map(|at| Stamp(at * 1_000_000)).collect();
        let lives = lives.iter().copied().map(Duration::from_millis);
        Remainder.check(&GroupSample {
            survivors: &millis,
            warm_at: Stamp(60_000_000_000),
            now: Stamp(life * 1_000_000),
            ..sample(&Population::of_lives(lives), history)
        })
    }

    #[test]
    fn what_piled_up_is_a_leak_and_what_came_at_once_is_not() {
        let every_second: Vec<u64> = (1..10).map(|second| second * 1_000).collect();
        let (leak, clear) = (Check::Suspect(Verdict::Leak), Check::Clear);
        for (survivors, lives, life, expected, why) in [
            (&every_second[..], &[][..], 10_000, leak, "one a second"),
            (&[1_500, 2_500, 3_500, 4_500], &[], 10_000, clear, "four"),
            (
                &[5_000, 5_001, 5_002, 5_003, 5_004],
                &[],
                10_000,
                clear,
                "a burst",
            ),
            (
                &[100, 200, 300, 400, 500],
                &[],
                10_000,
                clear,
                "at its start",
            ),
            (
                &[200, 400, 600, 800, 1_000, 1_200],
                &[],
                1_900,
                clear,
                "too short a life",
            ),
            (
                &every_second,
                &[1_200; 50],
                10_000,
                leak,
                "one of many is forgotten",
            ),
            (
                &[7_500, 8_000, 8_500, 9_000, 9_500],
                &[2_600; 50],
                10_000,
                clear,
                "a pool",
            ),
            (
                &every_second,
                &[1_500, 20_000],
                10_000,
                clear,
                "some live longer than all",
            ),
        ] {
            let got = check(survivors, lives, life, &History::default());
            assert_eq!(got, expected, "{why}");
        }
    }

    #[test]
    fn what_was_seen_to_stay_flat_is_none() {
        let mut flat = History::default();
        for second in 0..20u64 {
            flat.record(Stamp(second * 1_000_000_000), 3, 3);
        }
        let every_second: Vec<u64> = (1..10).map(|second| second * 1_000).collect();
        assert_eq!(check(&every_second, &[], 10_000, &flat), Check::Clear);
    }
}
