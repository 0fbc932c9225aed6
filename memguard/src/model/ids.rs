//! Names of things, each its own type so that none is taken for another.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds of `CLOCK_MONOTONIC`, the clock of every kernel record. Stamps decide what is older;
/// the order in which records arrive never does.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Stamp(pub u64);

impl Stamp {
    /// Time since `earlier`; zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The first moment after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The moment `age` before this one, not before the clock's start.
    #[must_use]
    pub fn before(self, age: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(age)))
    }

    /// The moment `delay` after this one.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(nanos(delay)))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Address of a `files_struct`. The kernel reuses it at once, so it is an identity only together
/// with a stamp: the ledger's epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId(pub u64);

impl TableId {
    /// For a process of whose table no record has told yet: a number that no address is.
    pub fn placeholder(tgid: u32) -> Self {
        Self(u64::from(tgid))
    }
}

/// Clock ticks in a second, as `/proc` counts them (`USER_HZ`): 100 on every architecture that
/// memguard supports.
pub const USER_HZ: u64 = 100;

/// Nanoseconds of a clock tick.
pub const TICK_NANOSECONDS: u64 = 1_000_000_000 / USER_HZ;

/// A process for as long as it lives: thread group and start of its leader, which together no other
/// process of this boot has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Thread group id in the initial PID namespace.
    pub tgid: u32,
    /// Start of the group leader in clock ticks ([`USER_HZ`]) since boot, as field 22 of
    /// `/proc/PID/stat` has it (`proc_pid_stat(5)`).
    pub start_ticks: u64,
}

impl ProcessId {
    /// From the kernel's `start_boottime` in nanoseconds; procfs divides likewise
    /// (`nsec_to_clock_t`).
    pub fn from_boottime(tgid: u32, start_nanoseconds: u64) -> Self {
        Self {
            tgid,
            start_ticks: start_nanoseconds / TICK_NANOSECONDS,
        }
    }
}
