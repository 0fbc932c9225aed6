//! The perf side-band: which code is mapped, the moment it is, by processes that may be gone before
//! anyone can read `/proc`.
//!
//! One software event that counts nothing on every CPU that is online, each with a ring of its own
//! (`ring`), opened with `attributes`; their bytes become events in `records`, which is pure.
//! Nothing is read without being asked: who drains seldom loses records, and is told how many.
//!
//! A mapping's record costs the task that maps about 2 µs, a quarter of it for the build id. From
//! its fork to its end a process that runs `true`, which takes a millisecond, has seven records.

mod attributes;
mod records;
mod ring;
#[cfg(test)]
mod tests;

use std::{io, time::Duration};

use aya::util::online_cpus;
use rustix::io::Errno;

use self::ring::Ring;
use super::now;
use crate::model::{ids::Stamp, origin::ModuleEvent};

/// How often CPUs are looked for that came or went: reading the list takes longer than draining an
/// empty ring. One that goes and comes back in between is missed.
const LOOK: Duration = Duration::from_secs(1);

/// The consumer's end of every CPU's ring.
#[derive(Debug)]
pub struct Sideband {
    rings: Vec<Ring>,
    /// What was taken from a ring and is being decoded.
    bytes: Vec<u8>,
    looked: Stamp,
}

impl Sideband {
    /// From now on records are kept until they are drained. Needs `CAP_PERFMON`, or
    /// `kernel.perf_event_paranoid` of 0 or less; the error says what is missing.
    pub fn open() -> io::Result<Self> {
        let mut rings = Vec::new();
        for cpu in cpus()? {
            match Ring::open(cpu) {
                // It went offline since the list was read.
                Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => {}
                ring => rings.push(ring.map_err(|error| explain(cpu, &error))?),
            }
        }
        if rings.is_empty() {
            return Err(io::Error::other("the perf side-band opened on no CPU"));
        }
        Ok(Self {
            rings,
            bytes: Vec::with_capacity(ring::DATA),
            looked: now(),
        })
    }

    /// Gives every record that is there to `take`: of one CPU in the order of stamps, one CPU after
    /// the other. Returns even where records keep coming: what was there at the beginning is all
    /// that is taken.
    ///
    /// What a lost record would have said is known from nowhere else in time; a loss is told with
    /// the first record that found room after it.
    pub fn drain(&mut self, take: &mut dyn FnMut(ModuleEvent)) {
        let Self { rings, bytes, .. } = self;
        for ring in rings {
            bytes.clear();
            if !ring.take(bytes) {
                take(ModuleEvent::Lost { count: 1 });
            }
            records::decode(bytes, take);
        }
        self.follow_cpus(take);
    }

    /// Memory of the rings in the kernel.
    pub fn bytes(&self) -> u64 {
        self.rings.iter().map(Ring::bytes).sum()
    }

    /// Opens on CPUs that came online, of whose earlier records nothing is known, and closes on
    /// those that went: the kernel does not send to their events again.
    fn follow_cpus(&mut self, take: &mut dyn FnMut(ModuleEvent)) {
        if now().since(self.looked) < LOOK {
            return;
        }
        self.looked = now();
        let Ok(online) = cpus() else {
            return;
        };
        self.rings.retain(|ring| online.contains(&ring.cpu()));
        for cpu in online {
            if !self.rings.iter().any(|ring| ring.cpu() == cpu) {
                self.rings.extend(Ring::open(cpu).ok());
                take(ModuleEvent::Lost { count: 1 });
            }
        }
    }
}

fn cpus() -> io::Result<Vec<u32>> {
    online_cpus().map_err(|(path, error)| {
        let message = format!("cannot list the CPUs for the perf side-band: {path}: {error}");
        io::Error::new(error.kind(), message)
    })
}

/// The error for people, with what to do about it.
fn explain(cpu: u32, error: &io::Error) -> io::Error {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    let hint = match errno {
        Some(Errno::ACCESS) => {
            ": it needs CAP_PERFMON, or kernel.perf_event_paranoid of 0 or less, and no security \
             module that forbids it"
        }
        Some(Errno::PERM) => {
            ": its ring needs CAP_IPC_LOCK, or more of kernel.perf_event_mlock_kb or \
             RLIMIT_MEMLOCK; or a seccomp filter forbids perf_event_open"
        }
        Some(Errno::MFILE | Errno::NFILE) => ": it needs one descriptor per CPU",
        Some(Errno::INVAL) => ": the kernel may be older than 5.12, which knows no build ids here",
        Some(Errno::NOSYS) => ": the kernel was built without CONFIG_PERF_EVENTS",
        _ => "",
    };
    let message = format!("cannot open the perf side-band on CPU {cpu}: {error}{hint}");
    io::Error::new(error.kind(), message)
}
