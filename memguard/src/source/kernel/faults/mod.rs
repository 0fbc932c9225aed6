//! Samples of page faults: who touches memory that is not there yet, without a system call.
//!
//! One software event on every CPU that is online, for every process: who is not watched is left
//! out by whoever reads. An event of each thread would spare others the samples, but it takes a
//! descriptor for every thread and CPU, and threads that start meanwhile slip through; at a period
//! of 64 the samples cost a fault 150 ns of its
//! 2 100 (a loop of nothing else, two shared cores, Linux 6.18, 2026-11-21). Minor faults alone: a
//! page that comes back from a disk is not new.
//!
//! Faults in the kernel count too, as where `read` fills a new buffer: their window is that of the
//! system call. Not seen are pages that the kernel makes without a fault (`MAP_POPULATE`, `mlock`),
//! and a huge page is one fault like any other.

mod records;

use std::io;

use super::perf::{Attributes, Event, Rings, sample};
use crate::model::fault::{FaultEvent, PERIOD};

/// Bytes for records, on each CPU. A sample takes 2 136, so this holds 122, which are 7 800 faults
/// or 30 MiB: who drains twenty times a second loses nothing below 600 MiB a second on one CPU.
/// With the side-band's it stays below what `kernel.perf_event_mlock_kb` lets every user lock
/// without `CAP_IPC_LOCK`.
const DATA: usize = 256 * 1024;

/// Bytes of the stack that are copied.
const STACK: u32 = 2048;

/// `PERF_COUNT_SW_PAGE_FAULTS_MIN`.
const MINOR_FAULTS: u64 = 5;

/// Registers, as the kernel numbers them for samples: `bp`, `sp` and `ip`, told in this order.
/// <https://github.com/torvalds/linux/blob/v6.18/arch/x86/include/uapi/asm/perf_regs.h>
const REGISTERS: u64 = 1 << 6 | 1 << 7 | 1 << 8;

const SAMPLE: u64 =
    sample::TID | sample::TIME | sample::ADDR | sample::REGS_USER | sample::STACK_USER;

const EVENT: Event = Event {
    name: "page-fault samples",
    attributes: Attributes::software(MINOR_FAULTS, SAMPLE, 0)
        .every(PERIOD)
        .copying(REGISTERS, STACK),
    ring_bytes: DATA,
    full_bytes: DATA,
    too_old: "",
};

/// The consumer's end of every CPU's ring.
#[derive(Debug)]
pub struct Faults {
    rings: Rings,
}

impl Faults {
    /// From now on samples are kept until they are drained. Needs `CAP_PERFMON`, or
    /// `kernel.perf_event_paranoid` of 0 or less; the error says what is missing.
    pub fn open() -> io::Result<Self> {
        let rings = Rings::open(EVENT)?;
        Ok(Self { rings })
    }

    /// Gives every sample that is there to `take`, of all processes; a loss is told with the first
    /// sample that found room after it.
    pub fn drain(&mut self, take: &mut dyn FnMut(FaultEvent)) {
        self.rings.drain(&mut |bytes| match bytes {
            Some(bytes) => records::decode(bytes, take),
            None => take(FaultEvent::Lost { count: 1 }),
        });
    }

    /// Memory of the rings in the kernel.
    pub fn bytes(&self) -> u64 {
        self.rings.bytes()
    }
}
