//! Outlives by far what its site releases at once.

use std::time::Duration;

use super::{Check, Detector, GroupSample};
use crate::model::finding::Verdict;

/// Suspects a group that releases nearly everything right after it acquired it, one by one, and
/// keeps some:
///
/// * five releases or more were seen in three moments or more, the last of them lately, and hardly
///   any of those was seen alive before: nobody waits for a collector;
/// * hardly any were released at a greater age: one for eight that stay;
/// * five or more stay and are as old as the detector's age, with others that came after them all
///   the time.
///
/// What is shown are the survivors of that age; which age it takes is the caller's: caches and idle
/// connections are closed sooner or later too, a file that is open several times is in no cache.
#[derive(Clone, Copy, Debug)]
pub struct Outliving;

const SEEN: u64 = 5;
const MOMENTS: u64 = 3;
/// The site still releases.
const LATELY: Duration = Duration::from_secs(30);
const SURVIVORS: u64 = 5;
const FOR_EACH_RELEASED: u64 = 8;
const PARTS: u32 = 4;

impl Outliving {
    /// How old what stays must be: a file that is open several times, or anything that has no name
    /// and no peer.
    pub const AGE: Duration = Duration::from_secs(35);
    /// How old where it may be cached, or wait for its peer: longer than servers keep idle
    /// connections and caches unused files, a minute or 75 seconds.
    pub const AGE_OF_KEPT: Duration = Duration::from_secs(100);
}

impl Detector for Outliving {
    fn check(&self, group: &GroupSample<'_>) -> Check {
        let short = group.population.short_lives();
        let survivors = group.settled().count() as u64;
        let released = group.population.released.saturating_mul(FOR_EACH_RELEASED);
        let few = released <= survivors;
        let releases = short.seen() >= SEEN
            && short.moments() >= MOMENTS
            && short.end_at_once()
            && group.now.since(short.last()) <= LATELY;
        let stay = survivors >= SURVIVORS && few && group.comes_evenly(PARTS);
        if releases && stay && !group.in_bulk {
            Check::Suspect(Verdict::Leak)
        } else {
            Check::Clear
        }
    }
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

    /// Of a site that closes one in each of these seconds, and was seen to hold it first or not.
    fn population(closed: impl IntoIterator<Item = (f64, bool)>) -> Population {
        let mut population = Population::default();
        for (at, lingered) in closed {
            population.died_young(second(at), lingered);
        }
        population
    }

    fn check(population: &Population, survivors: &[f64], in_bulk: bool) -> bool {
        let survivors: Vec<_> = survivors.iter().copied().map(second).collect();
        let history = History::default();
        let group = GroupSample {
            survivors: &survivors,
            young: &[second(88.0), second(95.0), second(99.0)],
            in_bulk,
            ..sample(population, &history)
        };
        Outliving.check(&group) == Check::Suspect(Verdict::Leak)
    }

    const STAY: [f64; 6] = [20.0, 30.0, 42.0, 50.0, 60.0, 64.0];

    fn closes_at_once() -> Population {
        population((0..90).map(|at| (f64::from(at) + 10.5, at == 40)))
    }

    #[test]
    fn what_stays_where_others_are_closed_at_once_is_a_leak() {
        let at_once = closes_at_once();
        assert!(check(&at_once, &STAY, false));
        assert!(!check(&at_once, &STAY, true), "a collector comes");
        assert!(!check(&at_once, &STAY[..4], false), "four stay");
        assert!(
            !check(&at_once, &[1.0, 2.0, 3.0, 4.0, 5.0], false),
            "its start"
        );
    }

    #[test]
    fn it_takes_releases_that_wait_for_nothing() {
        for (closed, why) in [
            (population([]), "none"),
            (population([(50.0, false); 40]), "one moment"),
            (
                population((0..90).map(|at| (f64::from(at) + 10.5, at % 3 == 0))),
                "they linger",
            ),
            (
                population((0..40).map(|at| (f64::from(at) + 10.5, false))),
                "it closes no longer",
            ),
        ] {
            assert!(!check(&closed, &STAY, false), "{why}");
        }
    }

    #[test]
    fn a_burst_that_stays_is_none() {
        let at_once = closes_at_once();
        let burst = [15.0, 15.1, 15.2, 15.3, 15.4, 15.5];
        assert!(
            !check(&at_once, &burst, false),
            "nothing between then and now"
        );
        let mut released = closes_at_once();
        released.released = 6;
        assert!(
            !check(&released, &STAY, false),
            "others live long and are closed"
        );
    }
}
