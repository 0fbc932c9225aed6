//! The perf side-band: which code is mapped, the moment it is, by processes that may be gone before
//! anyone can read `/proc`.
//!
//! One software event that counts nothing on every CPU that is online, each with a ring of its own
//! (`perf`); their bytes become events in `records`, which is pure.
//!
//! A mapping's record costs the task that maps about 2 µs, a quarter of it for the build id. From
//! its fork to its end a process that runs `true`, which takes a millisecond, has seven records.

mod records;
#[cfg(test)]
mod tests;

use std::io;

pub use super::perf::Waiter;
use super::perf::{Attributes, Event, Rings, flag, sample};
use crate::model::origin::ModuleEvent;

/// Bytes for records. A process that runs `true` takes 544 from its fork to its end, one that only
/// forks 80: this holds 240 of the first kind, a quarter of a second of what a CPU of the project's
/// machines can start, so who drains when a quarter is full, or ten times a second, loses nothing.
/// It is a quarter of what `kernel.perf_event_mlock_kb` lets every user lock for each CPU without
/// `CAP_IPC_LOCK`, and leaves room for others.
const DATA: usize = 128 * 1024;

/// `PERF_COUNT_SW_DUMMY`.
const DUMMY: u64 = 9;

/// Two of the kinds are asked for twice: without `mmap` the kernel does not look at mappings at
/// all, whatever `mmap2` says (`nr_mmap_events` in `account_event`), and `comm` is what `comm_exec`
/// marks. Nothing is sampled; an event that could sample the kernel needs more permission.
const FLAGS: u64 = flag::EXCLUDE_KERNEL
    | flag::EXCLUDE_HV
    | flag::MMAP
    | flag::COMM
    | flag::TASK
    | flag::SAMPLE_ID_ALL
    | flag::MMAP2
    | flag::COMM_EXEC
    | flag::BUILD_ID;

/// With `sample_id_all` every record ends with its stamp, and nothing else.
const EVENT: Event = Event {
    name: "perf side-band",
    attributes: Attributes::software(DUMMY, sample::TIME, FLAGS),
    ring_bytes: DATA,
    full_bytes: DATA / 4,
    too_old: ": the kernel may be older than 5.12, which knows no build ids here",
};

/// The consumer's end of every CPU's ring.
#[derive(Debug)]
pub struct Sideband {
    rings: Rings,
}

impl Sideband {
    /// From now on records are kept until they are drained. Needs `CAP_PERFMON`, or
    /// `kernel.perf_event_paranoid` of 0 or less; the error says what is missing.
    pub fn open() -> io::Result<Self> {
        let rings = Rings::open(EVENT)?;
        Ok(Self { rings })
    }

    /// Gives every record that is there to `take`: of one CPU in the order of stamps, one CPU after
    /// the other. Returns even where records keep coming: what was there at the beginning is all
    /// that is taken.
    ///
    /// What a lost record would have said is known from nowhere else in time; a loss is told with
    /// the first record that found room after it.
    pub fn drain(&mut self, take: &mut dyn FnMut(ModuleEvent)) {
        self.rings.drain(&mut |bytes| match bytes {
            Some(bytes) => records::decode(bytes, take),
            None => take(ModuleEvent::Lost { count: 1 }),
        });
    }

    /// Waits in another thread than the one that drains.
    pub fn waiter(&self) -> io::Result<Waiter> {
        self.rings.waiter()
    }

    /// Memory of the rings in the kernel.
    pub fn bytes(&self) -> u64 {
        self.rings.bytes()
    }
}
