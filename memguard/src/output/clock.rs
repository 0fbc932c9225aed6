//! From the kernel's clocks to wall time.
//!
//! The offset between them changes: a suspend stops the monotonic clock and not the wall's, and
//! somebody may set the wall's. So it is measured anew for every report, and what happened before a
//! change keeps the wall time that it was told with.

use std::{collections::VecDeque, fmt};

use crate::model::ids::{ProcessId, Stamp, TICK_NANOSECONDS};

/// A smaller change of an offset is the drift that NTP corrects, and not worth remembering.
const TOLERANCE_NS: u128 = 100_000_000;
/// Changes that are remembered. Of what happened before the oldest of them, wall time is off by
/// what changed earlier.
const REMEMBERED: usize = 32;

/// Three clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// `CLOCK_REALTIME`, nanoseconds since 1970.
    pub realtime_ns: i128,
    /// `CLOCK_MONOTONIC`.
    pub monotonic_ns: u64,
    /// `CLOCK_BOOTTIME`.
    pub boottime_ns: u64,
}

/// Where a sink that needs wall time gets it: `output` reads no clock itself.
pub trait WallClock: fmt::Debug + Send {
    /// The clocks now.
    fn read(&self) -> Reading;
}

/// How far wall time is ahead of the kernel's clocks, now and earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// By `CLOCK_MONOTONIC`, the clock of the stamps.
    stamps: Offsets,
    /// By `CLOCK_BOOTTIME`, the clock of births.
    births: Offsets,
}

impl Clock {
    /// From one moment on three clocks: `CLOCK_REALTIME` as nanoseconds since 1970,
    /// `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME`.
    pub fn new(realtime_ns: i128, monotonic_ns: u64, boottime_ns: u64) -> Self {
        Self::at(Reading {
            realtime_ns,
            monotonic_ns,
            boottime_ns,
        })
    }

    /// From one moment on three clocks.
    pub fn at(reading: Reading) -> Self {
        let mut clock = Self {
            stamps: Offsets::default(),
            births: Offsets::default(),
        };
        clock.follow(reading);
        clock
    }

    /// Takes a later moment into account.
    pub fn follow(&mut self, reading: Reading) {
        let Reading {
            realtime_ns,
            monotonic_ns,
            boottime_ns,
        } = reading;
        self.stamps.follow(realtime_ns, monotonic_ns.into());
        self.births.follow(realtime_ns, boottime_ns.into());
    }

    /// Nanoseconds since 1970 at a stamp.
    pub fn wall_ns(&self, stamp: Stamp) -> i128 {
        self.stamps.wall_ns(stamp.0.into())
    }

    /// Nanoseconds since 1970 at the start of a process, exact to a clock tick.
    pub fn birth_ns(&self, process: ProcessId) -> i128 {
        self.births
            .wall_ns(i128::from(process.start_ticks) * i128::from(TICK_NANOSECONDS))
    }
}

/// Of one clock, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Offsets(VecDeque<Offset>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offset {
    /// The offset was seen up to this time of the clock.
    until: i128,
    ns: i128,
}

impl Offsets {
    fn follow(&mut self, realtime_ns: i128, until: i128) {
        let ns = realtime_ns.saturating_sub(until);
        if let Some(last) = self.0.back_mut()
            && last.ns.abs_diff(ns) <= TOLERANCE_NS
        {
            last.until = last.until.max(until);
            return;
        }
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(Offset { until, ns });
    }

    /// By the offset that was first seen at this time or later: what a report tells first is of a
    /// moment shortly before it.
    fn wall_ns(&self, time: i128) -> i128 {
        let behind = self.0.partition_point(|offset| offset.until < time);
        let offset = self.0.get(behind).or_else(|| self.0.back());
        offset.map_or(0, |offset| offset.ns).saturating_add(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn stamps_and_births_become_wall_time() {
        // An hour of sleep lies between the two clocks of the kernel.
        let clock = Clock::new(10_000_000_000_000, 1_000_000_000_000, 4_600_000_000_000);
        assert_eq!(clock.wall_ns(Stamp(1_000_000_000_007)), 10_000_000_000_007);
        let process = ProcessId {
            tgid: 1,
            start_ticks: 460_000,
        };
        assert_eq!(clock.birth_ns(process), 10_000_000_000_000);
    }

    #[test]
    fn absurd_clocks_do_not_overflow() {
        let clock = Clock::new(i128::MAX, 0, 0);
        assert_eq!(clock.wall_ns(Stamp(u64::MAX)), i128::MAX);
        let clock = Clock::new(i128::MIN, u64::MAX, u64::MAX);
        assert!(
            clock.birth_ns(ProcessId {
                tgid: 1,
                start_ticks: u64::MAX
            }) < 0
        );
    }

    /// In seconds: a wall clock that is 1000 ahead, then readings, then stamps with the wall time
    /// that is expected.
    fn check(readings: &[(i128, u64)], expected: &[(u64, i128)]) {
        let second = i128::from(SECOND);
        let mut clock = Clock::new(1_010 * second, 10 * SECOND, 10 * SECOND);
        for (realtime, monotonic) in readings {
            clock.follow(Reading {
                realtime_ns: realtime * second,
                monotonic_ns: monotonic * SECOND,
                boottime_ns: monotonic * SECOND,
            });
        }
        for (stamp, wall) in expected {
            let told = clock.wall_ns(Stamp(stamp * SECOND)) / second;
            assert_eq!(told, *wall, "{readings:?} at {stamp}");
        }
    }

    #[test]
    fn a_suspend_and_a_clock_that_is_set_change_what_comes_later_and_nothing_before() {
        check(&[(1_020, 20)], &[(5, 1_005), (20, 1_020), (30, 1_030)]);
        // An hour of sleep between 20 and 21.
        let slept = [(1_020, 20), (4_621, 21)];
        check(
            &slept,
            &[(10, 1_010), (20, 1_020), (21, 4_621), (30, 4_630)],
        );
        // Set back by 500 seconds, and forth again.
        let set = [(520, 20), (1_030, 30)];
        check(
            &set,
            &[(10, 1_010), (15, 515), (20, 520), (25, 1_025), (40, 1_040)],
        );
    }

    #[test]
    fn drift_makes_no_change_and_changes_are_bounded() {
        let mut clock = Clock::new(0, 0, 0);
        for step in 0..1_000 {
            let drifted = i128::from(step) * i128::from(SECOND) + i128::from(step % 2) * 1_000_000;
            clock.follow(Reading {
                realtime_ns: drifted,
                monotonic_ns: step * SECOND,
                boottime_ns: step * SECOND,
            });
        }
        assert_eq!(clock.stamps.0.len(), 1);
        for step in 1..1_000 {
            clock.follow(Reading {
                realtime_ns: i128::from(step) * i128::from(SECOND),
                monotonic_ns: 0,
                boottime_ns: 0,
            });
        }
        assert_eq!(clock.stamps.0.len(), REMEMBERED);
    }
}
