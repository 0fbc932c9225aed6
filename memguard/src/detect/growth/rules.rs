//! What counts as growth.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const MIB: u64 = 1 << 20;
const HOUR: f64 = 3600.0;
const MINUTE: f64 = 60.0;
/// Fewest samples after the warm-up that can be significant: ten changes, see `drift`.
const SAMPLES: u32 = 10;

/// Thresholds of one quantity: bytes, or counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Nothing is judged before, and then the growth must last at least as long again.
    pub warm_up: Duration,
    /// Fewest samples of the warm-up, however long it takes.
    pub warm_samples: usize,
    /// Slope per second from which a growth is a warning.
    pub growth_warning: f64,
    /// Slope per second from which it is critical.
    pub growth_critical: f64,
    /// Least rise after the warm-up.
    pub least_rise: u64,
    /// Least rise as a share of the baseline: what is small against a process is its breathing.
    pub least_share: f64,
    /// Likewise for windows up to a minute; from there it falls with the window's length to
    /// [`Self::least_share`]. Collectors and caches of large processes take a while to turn.
    pub minute_share: f64,
    /// A size that is told when it is crossed.
    pub size_warning: Option<u64>,
    /// Likewise; a growth above it is critical at any slope that is a warning.
    pub size_critical: Option<u64>,
    /// A size that is told even where the series was above from the start.
    pub emergency: Option<u64>,
    /// Share of a ceiling that is told.
    pub ceiling_share: f64,
}

impl Default for Rules {
    /// Anonymous memory of a process or a cgroup: 50 and 100 MiB per hour, 256 and 512 MiB, 80 % of
    /// a ceiling, 60 s of warm-up.
    fn default() -> Self {
        Self {
            warm_up: Duration::from_mins(1),
            warm_samples: 5,
            growth_warning: (50 * MIB) as f64 / HOUR,
            growth_critical: (100 * MIB) as f64 / HOUR,
            least_rise: MIB,
            least_share: 1.0 / 64.0,
            minute_share: 0.25,
            size_warning: Some(256 * MIB),
            size_critical: Some(512 * MIB),
            emergency: None,
            ceiling_share: 0.8,
        }
    }
}

impl Rules {
    /// Threads, timers: whatever climbs for good by ten or more is a warning at any pace.
    pub fn of_counts() -> Self {
        Self {
            growth_warning: 0.0,
            growth_critical: f64::INFINITY,
            least_rise: 10,
            least_share: 0.1,
            minute_share: 0.1,
            size_warning: None,
            size_critical: None,
            ..Self::default()
        }
    }

    /// The rise that a window of so many seconds must at least show.
    pub(super) fn least(&self, seconds: f64, baseline: u64) -> f64 {
        let share = self.minute_share * (MINUTE / seconds).min(1.0);
        let of_baseline = share.max(self.least_share) * baseline as f64;
        of_baseline.max(self.least_rise as f64)
    }

    /// When the first verdict can be, with a sample each `interval`: after the warm-up and as long
    /// again, or ten samples, of which the last confirms the one before.
    pub fn earliest(&self, interval: Duration) -> Duration {
        let warm_samples = u32::try_from(self.warm_samples).unwrap_or(u32::MAX);
        let warm_up = self.warm_up.max(interval.saturating_mul(warm_samples));
        warm_up.saturating_add(self.warm_up.max(interval.saturating_mul(SAMPLES)))
    }
}
