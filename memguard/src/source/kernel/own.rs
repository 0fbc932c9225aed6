//! What the programs cost everybody else: their time, by the kernel's own statistics.
//!
//! While the kernel counts, each run of each BPF program on the host takes two more readings of the
//! clock. So it counts for one period in sixteen, for as long as a descriptor is open
//! (`BPF_ENABLE_STATS`, which needs `CAP_SYS_ADMIN`; no sysctl is changed). What memguard's own
//! counters, which always run, saw meanwhile is held against what they saw in all.
//!
//! Part of the kernel's readings is in what it counts, about 60 ns a run on the project's machines:
//! the estimate is too high rather than too low.

use std::{os::fd::OwnedFd, time::Duration};

use aya::sys::{Stats, enable_stats};
use memguard_common::stats::Stat;

use super::{Kernel, info};

/// Of so many periods the kernel counts in one.
const EVERY: u64 = 16;
/// In which of them: not the first, in which memguard looks at what is there.
const COUNTED: u64 = 1;

/// Time of the programs, sampled.
#[derive(Debug, Default)]
pub struct OwnTime {
    periods: u64,
    window: Option<Window>,
    sampled: Sample,
}

/// Time of the programs, and calls that they saw in it.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    time: Duration,
    calls: u64,
}

/// A period in which the kernel counts.
#[derive(Debug)]
struct Window {
    #[expect(dead_code, reason = "open is all it has to be")]
    counting: OwnedFd,
    began: Sample,
}

impl OwnTime {
    /// Begins the next period; to be called in regular intervals.
    pub fn tick(&mut self, kernel: &Kernel) {
        self.sampled = self.sampled(kernel);
        self.window = None;
        if self.periods % EVERY == COUNTED {
            self.window = Window::open(kernel);
        }
        self.periods = self.periods.wrapping_add(1);
    }

    /// Of all programs since they were attached; `None` where nothing was sampled.
    pub fn estimate(&self, kernel: &Kernel) -> Option<Duration> {
        extrapolate(self.sampled(kernel), kernel.sample()?.calls)
    }

    /// With what the open window has seen so far.
    fn sampled(&self, kernel: &Kernel) -> Sample {
        let Sample { time, calls } = self.sampled;
        let Some(window) = &self.window else {
            return self.sampled;
        };
        let Some(now) = kernel.sample() else {
            return self.sampled;
        };
        Sample {
            time: time + now.time.saturating_sub(window.began.time),
            calls: calls + now.calls.saturating_sub(window.began.calls),
        }
    }
}

/// As many nanoseconds a call in all as in the sample.
fn extrapolate(sampled: Sample, calls: u64) -> Option<Duration> {
    (sampled.calls > 0).then(|| {
        let factor = calls as f64 / sampled.calls as f64;
        Duration::from_secs_f64(sampled.time.as_secs_f64() * factor)
    })
}

impl Window {
    fn open(kernel: &Kernel) -> Option<Self> {
        let counting = enable_stats(Stats::RunTime).ok()?;
        let began = kernel.sample()?;
        Some(Self { counting, began })
    }
}

impl Kernel {
    fn sample(&self) -> Option<Sample> {
        let counted = |stat| self.values().ok().map(|values| values[stat as usize]);
        Some(Sample {
            time: Duration::from_nanos(self.sum(info::RUN_TIME).ok()?),
            calls: counted(Stat::Seen)?.saturating_add(counted(Stat::Releases)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_sampled_is_not_known() {
        let sampled = |micros, calls| Sample {
            time: Duration::from_micros(micros),
            calls,
        };
        assert_eq!(extrapolate(sampled(0, 0), 0), None);
        assert_eq!(extrapolate(sampled(9, 0), 1000), None);
        let all = extrapolate(sampled(50, 100), 1600);
        assert_eq!(all, Some(Duration::from_micros(800)));
    }
}
