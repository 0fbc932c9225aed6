//! How to judge.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    detect::growth::Rules,
    findings::ReportThrottle,
    model::resource::{Kind, Resource},
};

/// How to judge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DetectConfig {
    /// How long a handle must be held to be looked at.
    pub min_age: Duration,
    /// That was not asked for: how long is long is learned from what a site releases.
    #[serde(default)]
    pub learns_age: bool,
    /// What is acquired this early is resident.
    pub warm_up: Duration,
    /// Whether a site that has released nothing is judged at the end of any process, however short
    /// it was seen: of a command that was asked about. Of all processes of a host some are
    /// starved of CPU time, and open in two seconds what they open at once elsewhere.
    pub short_lives: bool,
    /// How often.
    pub interval: Duration,
    /// How often memory that moves is sampled; at each interval where this is not said.
    #[serde(default)]
    pub sample_interval: Option<Duration>,
    /// Which handles to report.
    pub kinds: Kinds,
    /// What of memory counts as growth.
    pub sizes: Rules,
    /// How often findings are told again.
    pub throttle: ReportThrottle,
}

#[cfg(test)]
impl DetectConfig {
    /// Of everything, with a look each second.
    pub(crate) fn testing(min_age: Duration, warm_up: Duration) -> Self {
        let interval = Duration::from_secs(1);
        Self {
            min_age,
            learns_age: false,
            warm_up,
            short_lives: false,
            interval,
            sample_interval: None,
            kinds: Kinds::ALL,
            sizes: Rules::default(),
            throttle: ReportThrottle::at(interval),
        }
    }
}

/// Which kinds of handles are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kinds {
    /// Descriptors that are no sockets.
    pub fd: bool,
    /// Sockets.
    pub socket: bool,
    /// Mappings.
    pub mmap: bool,
    /// Heaps, and whatever else grows: threads, zombies, timers, shared memory.
    pub heap: bool,
    /// Also what calls make that rarely make a descriptor.
    pub rare: bool,
}

impl Kinds {
    /// Everything.
    pub const ALL: Self = Self {
        fd: true,
        socket: true,
        mmap: true,
        heap: true,
        rare: true,
    };

    /// Whether a kind is among them.
    pub fn has(self, kind: Kind) -> bool {
        match kind.resource() {
            Resource::Fd => self.fd,
            Resource::Socket => self.socket,
            Resource::Mmap => self.mmap,
            _ => self.heap,
        }
    }
}
