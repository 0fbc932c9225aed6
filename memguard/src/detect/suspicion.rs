//! Piles up, by all that has been seen so far.

use std::time::Duration;

use super::{Check, Detector, GroupSample};
use crate::model::finding::Verdict;

/// Suspects a group that piles up by all that has been seen so far.
///
/// Ten or more stay, the oldest of them for eleven seconds, with others that came after it all the
/// time, and the count rises with the total of what is held. Where it
/// releases some, the oldest has stayed for 45 seconds, and eight of them have outlived twice the
/// longest life that ended.
///
/// It is said early, and may be wrong: a pool that fills, a cache, and whatever a collector has not
/// come for yet look alike. Of a group that was seen to release many at once nothing is suspected:
/// what it holds is waiting for the next time.
#[derive(Clone, Copy, Debug)]
pub struct Suspicion;

const SURVIVORS: usize = 10;
const OLDEST: Duration = Duration::from_secs(11);
/// Where others were released: what was seen of them may be the end of a longer turn.
const OLDEST_AMONG_OTHERS: Duration = Duration::from_secs(45);
const PARTS: u32 = 5;
const PASSED: usize = 8;

impl Suspicion {
    /// How old what stays must be: what leaves the nursery is a second old.
    pub const AGE: Duration = Duration::from_secs(2);
}

impl Detector for Suspicion {
    fn check(&self, group: &GroupSample<'_>) -> Check {
        let Some(oldest) = group.settled().next() else {
            return Check::Clear;
        };
        let held = group.settled().count().saturating_add(group.young.len());
        let least = if group.population.released == 0 {
            OLDEST
        } else {
            OLDEST_AMONG_OTHERS
        };
        let ripe = held >= SURVIVORS && group.now.since(oldest) >= least;
        if group.in_bulk || !ripe || !group.comes_evenly(PARTS) {
            return Check::Clear;
        }
        if stays(group) && group.history.rises() {
            Check::Suspect(Verdict::Suspect)
        } else {
            Check::Clear
        }
    }
}

/// Whether nothing was released, or eight survivors have outlived twice the longest life that was
/// seen to end.
fn stays(group: &GroupSample<'_>) -> bool {
    let longest = group.population.longest_life();
    let before = group.now.before(longest.saturating_mul(2));
    let outlived = group.settled().take_while(|stamp| *stamp < before);
    group.population.released == 0 || outlived.count() >= PASSED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        detect::{History, testing::sample},
        ledger::population::Population,
        model::ids::Stamp,
    };

    fn second(second: f64) -> Stamp {
        Stamp((second * 1e9) as u64)
    }

    fn history(counts: [(u64, i64); 2]) -> History {
        let mut history = History::default();
        for (group, total) in counts {
            history.count(group, total);
        }
        history
    }

    fn check(held: &[f64], lives: &[f64], history: &History, in_bulk: bool) -> bool {
        check_at(40.0, held, lives, history, in_bulk)
    }

    fn check_at(now: f64, held: &[f64], lives: &[f64], history: &History, in_bulk: bool) -> bool {
        let stamps: Vec<_> = held.iter().copied().map(second).collect();
        let now = second(now);
        let old = stamps.partition_point(|at| now.since(*at) >= Suspicion::AGE);
        let (survivors, young) = stamps.split_at(old);
        let lives = lives.iter().copied().map(Duration::from_secs_f64);
        Suspicion.check(&GroupSample {
            survivors,
            young,
            in_bulk,
            now,
            ..sample(&Population::of_lives(lives), history)
        }) == Check::Suspect(Verdict::Suspect)
    }

    fn one_a_second() -> Vec<f64> {
        (0..28).map(|at| f64::from(at) + 12.0).collect()
    }

    #[test]
    fn what_piles_up_is_suspected_after_eleven_seconds() {
        let rises = history([(1, 4), (28, 31)]);
        let held = one_a_second();
        assert!(check(&held, &[], &rises, false));
        assert!(!check(&held, &[], &rises, true), "a collector will come");
        assert!(!check(&held[18..], &[], &rises, false), "ten seconds");
        assert!(!check(&held[19..], &[], &rises, false), "nine of them");
        let burst: Vec<_> = (0..28).map(|at| 15.0 + f64::from(at) / 100.0).collect();
        assert!(!check(&burst, &[], &rises, false), "a burst");
        assert!(!check(&[2.0; 20], &[], &rises, false), "its start");
    }

    #[test]
    fn what_takes_the_place_of_others_is_not() {
        let held = one_a_second();
        assert!(!check(&held, &[], &history([(1, 40), (28, 41)]), false));
        assert!(
            !check(&held, &[], &History::default(), false),
            "never counted"
        );
    }

    #[test]
    fn among_others_it_takes_longer() {
        let rises = history([(1, 4), (28, 31)]);
        let held = one_a_second();
        let over = |seconds: f64| (0..28).map(move |at| 39.0 - f64::from(at) * seconds);
        let mut long: Vec<_> = over(1.9).collect();
        long.reverse();
        assert!(!check(&held, &[3.0; 50], &rises, false), "half a minute");
        let late: Vec<_> = long.iter().map(|at| at + 60.0).collect();
        assert!(
            check_at(100.0, &late, &[3.0; 50], &rises, false),
            "others live short"
        );
        let any: Vec<_> = (1..60).map(f64::from).collect();
        assert!(!check_at(100.0, &late, &any, &rises, false), "of any age");
    }
}
