//! Software perf events of every CPU, each with a ring of its own.
//!
//! An [`Event`] says what to open (`attributes`); [`Rings`] opens it on every CPU that is online
//! and takes the bytes of each `ring`; [`records`] takes those apart, and whoever opened the event
//! knows what they mean. Nothing is read without being asked: who drains seldom loses records, and
//! is told how many.

mod attributes;
pub mod records;
mod ring;

use std::{io, os::fd::OwnedFd, thread, time::Duration};

use aya::util::online_cpus;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, EventData, EventFlags},
    io::Errno,
};

pub use self::attributes::{Attributes, flag, sample};
use self::ring::Ring;
use super::now;
use crate::model::ids::Stamp;

/// How often CPUs are looked for that came or went: reading the list takes longer than draining an
/// empty ring. One that goes and comes back in between is missed.
const LOOK: Duration = Duration::from_secs(1);

/// At most so often who waits is woken: in this time a CPU does not fill what is left of a ring.
const REST: Duration = Duration::from_millis(20);

/// What to open.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// For people.
    pub name: &'static str,
    /// What it tells.
    pub attributes: Attributes,
    /// Room for records on each CPU; a power of two.
    pub ring_bytes: usize,
    /// So many bytes on one CPU wake who waits.
    pub full_bytes: usize,
    /// What to say where the kernel does not know something of this.
    pub too_old: &'static str,
}

/// The consumer's end of every CPU's ring.
#[derive(Debug)]
pub struct Rings {
    event: Event,
    all: Vec<Ring>,
    /// All of them, for who waits.
    ready: OwnedFd,
    /// What was taken from a ring and is being decoded.
    bytes: Vec<u8>,
    looked: Stamp,
}

impl Rings {
    /// From now on records are kept until they are drained. Needs `CAP_PERFMON`, or
    /// `kernel.perf_event_paranoid` of 0 or less; the error says what is missing.
    pub fn open(event: Event) -> io::Result<Self> {
        let mut rings = Vec::new();
        let ready = epoll::create(CreateFlags::CLOEXEC)?;
        for cpu in cpus()? {
            match open(&event, cpu, &ready) {
                // It went offline since the list was read.
                Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => {}
                ring => rings.push(ring.map_err(|error| explain(&event, cpu, &error))?),
            }
        }
        if rings.is_empty() {
            let message = format!("the {} opened on no CPU", event.name);
            return Err(io::Error::other(message));
        }
        Ok(Self {
            event,
            all: rings,
            ready,
            bytes: Vec::with_capacity(event.ring_bytes),
            looked: now(),
        })
    }

    /// Gives the records of every ring to `take`: of one CPU in the order of stamps, one CPU after
    /// the other. `None` stands for records that are lost without a number. Returns even where
    /// records keep coming: what was there at the beginning is all that is taken.
    pub fn drain(&mut self, take: &mut dyn FnMut(Option<&[u8]>)) {
        let Self { all, bytes, .. } = self;
        for ring in all {
            bytes.clear();
            if !ring.take(bytes) {
                take(None);
            }
            take(Some(bytes));
        }
        self.follow_cpus(take);
    }

    /// Waits in another thread than the one that drains.
    pub fn waiter(&self) -> io::Result<Waiter> {
        self.ready.try_clone().map(Waiter)
    }

    /// Memory of the rings in the kernel.
    pub fn bytes(&self) -> u64 {
        self.all.iter().map(Ring::bytes).sum()
    }

    /// Opens on CPUs that came online, of whose earlier records nothing is known, and closes on
    /// those that went: the kernel does not send to their events again.
    fn follow_cpus(&mut self, take: &mut dyn FnMut(Option<&[u8]>)) {
        if now().since(self.looked) < LOOK {
            return;
        }
        self.looked = now();
        let Ok(online) = cpus() else {
            return;
        };
        let Self {
            event, all, ready, ..
        } = self;
        all.retain(|ring| online.contains(&ring.cpu()));
        for cpu in online {
            if !all.iter().any(|ring| ring.cpu() == cpu) {
                all.extend(open(event, cpu, ready).ok());
                take(None);
            }
        }
    }
}

/// Waits for rings to fill.
#[derive(Debug)]
pub struct Waiter(OwnedFd);

impl Waiter {
    /// Until one is as full as [`Event::full_bytes`] says; rings tell it once, and again after that
    /// many more. Where one cannot wait, as long as it takes to fill no ring.
    pub fn wait(&self) {
        let mut full = Vec::with_capacity(8);
        let waited = epoll::wait(&self.0, spare_capacity(&mut full), None);
        // A CPU that has gone tells it all the time.
        thread::sleep(rest(&waited));
    }
}

/// How long to rest after a wait. An error that is no signal comes again at once, so the rings are
/// then read as often as by who has nothing to wait for.
fn rest<T>(waited: &Result<T, Errno>) -> Duration {
    match waited {
        Ok(_) | Err(Errno::INTR) => REST,
        Err(_) => REST * 5,
    }
}

/// The ring of a CPU, among those that are waited for.
fn open(event: &Event, cpu: u32, ready: &OwnedFd) -> io::Result<Ring> {
    let ring = Ring::open(&event.attributes, event.ring_bytes, event.full_bytes, cpu)?;
    epoll::add(ready, ring.event(), EventData::new_u64(0), EventFlags::IN)?;
    Ok(ring)
}

fn cpus() -> io::Result<Vec<u32>> {
    online_cpus().map_err(|(path, error)| {
        let message = format!("cannot list the CPUs for perf events: {path}: {error}");
        io::Error::new(error.kind(), message)
    })
}

/// The error for people, with what to do about it.
fn explain(event: &Event, cpu: u32, error: &io::Error) -> io::Error {
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
        Some(Errno::INVAL) => event.too_old,
        Some(Errno::NOSYS) => ": the kernel was built without CONFIG_PERF_EVENTS",
        _ => "",
    };
    let message = format!("cannot open the {} on CPU {cpu}: {error}{hint}", event.name);
    io::Error::new(error.kind(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_wait_does_not_spin() {
        assert_eq!(rest(&Ok(1)), REST);
        assert_eq!(rest::<()>(&Err(Errno::INTR)), REST);
        assert!(rest::<()>(&Err(Errno::BADF)) > REST);
    }

    #[test]
    fn errors_say_what_to_do() {
        let event = Event {
            name: "example",
            attributes: Attributes::software(0, 0, 0),
            ring_bytes: 4096,
            full_bytes: 4096,
            too_old: ": older than 5.12",
        };
        for (errno, expected) in [
            (Errno::ACCESS, "CAP_PERFMON"),
            (Errno::PERM, "CAP_IPC_LOCK"),
            (Errno::MFILE, "descriptor"),
            (Errno::INVAL, "5.12"),
        ] {
            let error = explain(&event, 3, &errno.into());
            println!("{error}");
            assert!(error.to_string().contains("the example on CPU 3: "));
            assert!(error.to_string().contains(expected));
        }
        assert!(!cpus().unwrap().is_empty());
    }
}
