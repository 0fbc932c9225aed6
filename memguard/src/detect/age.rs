//! Held for long: no pattern, just age.

use super::{Check, Detector, GroupSample};
use crate::model::finding::Verdict;

/// Suspects any handle that was acquired after the warm-up and is older than the minimum age. A
/// weak sign: caches and connections live long too.
#[derive(Clone, Copy, Debug)]
pub struct Age;

impl Detector for Age {
    fn check(&self, group: &GroupSample<'_>) -> Check {
        if group.late().next().is_none() {
            return Check::Clear;
        }
        Check::Suspect(Verdict::Aged)
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

    #[test]
    fn what_came_during_the_warm_up_is_resident() {
        let (population, history) = (Population::default(), History::default());
        for (second, expected) in [(5.0, false), (61.0, true)] {
            let survivors = [Stamp((second * 1e9) as u64)];
            let group = GroupSample {
                survivors: &survivors,
                warm_at: Stamp(60_000_000_000),
                now: Stamp(200_000_000_000),
                ..sample(&population, &history)
            };
            assert_eq!(
                Age.check(&group) != Check::Clear,
                expected,
                "acquired at {second} s"
            );
        }
    }
}
