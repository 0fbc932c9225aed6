//! Absolute sizes that are told when they are reached.
//!
//! These are alarms, not verdicts: a steady 2 GiB database is above the critical size all its life,
//! and nothing is wrong with it. So a size is told only where the series *crosses* it while
//! memguard looks; one that was above from the first sample on is not told, until it was below. A
//! ceiling and the emergency size are told at first sight too: being near a wall is news whenever
//! one comes. Each is told once, and again only after the series was a twentieth below it.

use super::Rules;
use crate::model::memory::Ceiling;

/// Below this share of a threshold it is armed again.
const ARMED: f64 = 0.95;
/// Ceilings that are watched at the same time; those behind are not.
const CEILINGS: usize = 8;

/// A threshold that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// [`Rules::size_warning`], in bytes or counts.
    Warning(u64),
    /// [`Rules::size_critical`].
    Critical(u64),
    /// [`Rules::ceiling_share`] of this ceiling.
    Ceiling(Ceiling),
    /// [`Rules::emergency`].
    Emergency(u64),
}

/// Which thresholds were told already.
#[derive(Clone, Debug, Default)]
pub struct Thresholds {
    warning: Latch,
    critical: Latch,
    emergency: Latch,
    ceilings: [Latch; CEILINGS],
}

impl Thresholds {
    /// What is reached with this value. The ceilings must come in the same order each time.
    pub fn check(&mut self, rules: &Rules, value: u64, ceilings: &[Ceiling]) -> Vec<Alarm> {
        let Self {
            warning,
            critical,
            emergency,
            ceilings: latches,
        } = self;
        let told = |latch: &mut Latch, threshold: Option<u64>, first: bool| {
            threshold.filter(|threshold| latch.reach(value as f64, *threshold as f64, first))
        };
        let mut alarms = Vec::new();
        alarms.extend(told(warning, rules.size_warning, false).map(Alarm::Warning));
        alarms.extend(told(critical, rules.size_critical, false).map(Alarm::Critical));
        for (latch, ceiling) in latches.iter_mut().zip(ceilings) {
            let near = ceiling.value as f64 * rules.ceiling_share;
            if latch.reach(ceiling.used as f64, near, true) {
                alarms.push(Alarm::Ceiling(*ceiling));
            }
        }
        alarms.extend(told(emergency, rules.emergency, true).map(Alarm::Emergency));
        alarms
    }
}

/// Remembers whether the value is above; before the first value it is neither.
#[derive(Clone, Copy, Debug, Default)]
struct Latch {
    above: Option<bool>,
}

impl Latch {
    fn reach(&mut self, value: f64, threshold: f64, at_first_sight: bool) -> bool {
        let above = threshold <= value;
        let told = match self.above {
            None => above && at_first_sight,
            Some(was) => above && !was,
        };
        if above || value < ARMED * threshold || self.above.is_none() {
            self.above = Some(above);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_size_is_told_where_it_is_crossed_and_once() {
        let mut thresholds = Thresholds::default();
        let rules = Rules {
            emergency: Some(2048 * MIB),
            ..Rules::default()
        };
        for (mib, expected) in [
            (200, &[][..]),
            (255, &[]),
            (257, &[Alarm::Warning(256 * MIB)]),
            (250, &[]),
            (260, &[]),
            (200, &[]),
            (
                3000,
                &[
                    Alarm::Warning(256 * MIB),
                    Alarm::Critical(512 * MIB),
                    Alarm::Emergency(2048 * MIB),
                ],
            ),
        ] {
            assert_eq!(
                thresholds.check(&rules, mib * MIB, &[]),
                expected,
                "{mib} MiB"
            );
        }
    }

    #[test]
    fn a_steady_giant_is_fine_and_a_near_ceiling_is_not() {
        let mut thresholds = Thresholds::default();
        let rules = Rules::default();
        let ceiling = Ceiling {
            name: "memory.max",
            value: 2400 * MIB,
            used: 2048 * MIB,
        };
        assert_eq!(
            thresholds.check(&rules, 2048 * MIB, &[ceiling]),
            [Alarm::Ceiling(ceiling)]
        );
        for _ in 0..100 {
            assert_eq!(thresholds.check(&rules, 2048 * MIB, &[ceiling]), []);
        }
    }
}
