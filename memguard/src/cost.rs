//! What memguard itself costs: its own CPU time and memory.

use std::time::Duration;

use crate::source::procfs::Procfs;

/// CPU time of this process so far, user and system.
pub fn cpu() -> Duration {
    at(rustix::time::ClockId::ProcessCPUTime)
}

/// The same of the calling thread alone.
pub fn cpu_of_thread() -> Duration {
    at(rustix::time::ClockId::ThreadCPUTime)
}

fn at(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Anonymous resident memory of this process. Mapped BPF arrays and the ring count in RSS, the ring
/// twice; they are kernel memory and stated apart.
pub fn anonymous_rss(procfs: &Procfs) -> Option<u64> {
    procfs.anonymous_rss_bytes(std::process::id())
}
