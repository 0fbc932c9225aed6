//! From the kernel's clocks to wall time.

use crate::model::ids::{ProcessId, Stamp};

/// Nanoseconds in a clock tick of [`ProcessId::start_ticks`].
const TICK_NS: i128 = 1_000_000_000 / 100;

/// How far wall time is ahead of the kernel's clocks, read once by the caller. Wall time in the
/// output therefore never jumps, also where somebody sets the host's clock meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    realtime_offset_ns: i128,
    boot_offset_ns: i128,
}

impl Clock {
    /// From one moment on three clocks: `CLOCK_REALTIME` as nanoseconds since 1970,
    /// `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME`.
    pub fn new(realtime_ns: i128, monotonic_ns: u64, boottime_ns: u64) -> Self {
        Self {
            realtime_offset_ns: realtime_ns.saturating_sub(monotonic_ns.into()),
            boot_offset_ns: realtime_ns.saturating_sub(boottime_ns.into()),
        }
    }

    /// Nanoseconds since 1970 at a stamp.
    pub fn wall_ns(&self, stamp: Stamp) -> i128 {
        self.realtime_offset_ns.saturating_add(stamp.0.into())
    }

    /// Nanoseconds since 1970 at the start of a process, exact to a clock tick.
    pub fn birth_ns(&self, process: ProcessId) -> i128 {
        let since_boot = i128::from(process.start_ticks) * TICK_NS;
        self.boot_offset_ns.saturating_add(since_boot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
