//! How large maps and ring are.

use std::fs;

use memguard_common::{
    event::{POOL_ELEMENT, WINDOW_SHIFT},
    nursery::{SETS, WAYS},
};

/// How large the kernel side is. Both are powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Sets of eight slots in the nursery.
    pub nursery_sets: u32,
    /// Bytes of the ring.
    pub ring_bytes: u32,
    /// Bytes of a slot in the pool of windows.
    pub window_bytes: u32,
    /// Thread groups can have numbers below this.
    pub pid_max: u32,
}

impl Sizes {
    /// The usual ones. The memory for windows is the same whatever their size, a power of two, and
    /// the number of slots follows; windows without a stack need less.
    pub fn of_windows(window_bytes: u32) -> Self {
        let sets = SETS * (1 << WINDOW_SHIFT) / window_bytes;
        Self {
            nursery_sets: sets.min(SETS),
            ring_bytes: 4 << 20,
            window_bytes,
            pid_max: pid_max(),
        }
    }

    /// Where acquisitions begin to be dropped: the last quarter of the ring is for releases and
    /// deaths.
    pub(super) fn watermark(self) -> u32 {
        self.ring_bytes / 4 * 3
    }

    pub(super) fn slots(self) -> u32 {
        self.nursery_sets.saturating_mul(WAYS)
    }

    /// Words of the set of watched thread groups.
    pub(super) fn watched(self) -> u32 {
        self.pid_max.div_ceil(u64::BITS)
    }

    /// Bytes of the pool of windows.
    pub(super) fn pool(self) -> usize {
        let bytes = self.slots() as usize * self.window_bytes as usize;
        bytes.next_multiple_of(POOL_ELEMENT)
    }
}

/// One more than the largest process id; where it cannot be read, than the largest of all:
/// `PID_MAX_LIMIT`.
fn pid_max() -> u32 {
    const LIMIT: u32 = 4 << 20;
    let text = fs::read_to_string("/proc/sys/kernel/pid_max").unwrap_or_default();
    text.trim().parse().unwrap_or(LIMIT).min(LIMIT)
}
