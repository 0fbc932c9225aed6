//! Page faults, of which some are sampled: who touches memory that is not there yet.

use super::{ids::Stamp, origin::Window};

/// So many page faults, on one CPU, are one sample.
pub const PERIOD: u64 = 64;

/// From the kernel's samples, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultEvent {
    /// A page was touched that was not in memory.
    Sampled(Fault),
    /// Some samples were lost.
    Lost {
        /// How many.
        count: u64,
    },
}

/// A sampled page fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub stamp: Stamp,
    /// Thread group.
    pub tgid: u32,
    /// What was touched.
    pub address: u64,
    /// Who touched it; `None` where the kernel copied nothing, or the process runs other code than
    /// memguard can unwind.
    pub window: Option<Window>,
}
