//! What a process uses, as `/proc` shows it, and a sampler that reads it again and again.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::guard::children;

/// How often a sample is taken.
const EVERY: Duration = Duration::from_millis(100);

/// At one moment; all zero where the process has gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Anonymous memory in use.
    pub anon_bytes: u64,
    /// Shared memory in use.
    pub shmem_bytes: u64,
    /// Address space.
    pub size_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Children that have ended and that nobody has waited for.
    pub zombies: u64,
    /// POSIX timers.
    pub timers: u64,
}

impl Usage {
    /// Of process `pid`, now.
    pub fn of(pid: u32) -> Self {
        let read = |name: &str| {
            let path = Path::new("/proc").join(pid.to_string()).join(name);
            fs::read_to_string(path).unwrap_or_default()
        };
        let status = read("status");
        let timers = read("timers");
        let timers = timers.lines().filter(|line| line.starts_with("ID:"));
        let zombies = children(pid).into_iter().filter(|child| is_zombie(*child));
        Self {
            anon_bytes: field(&status, "RssAnon:") * 1024,
            shmem_bytes: field(&status, "RssShmem:") * 1024,
            size_bytes: field(&status, "VmSize:") * 1024,
            threads: field(&status, "Threads:"),
            zombies: zombies.count() as u64,
            timers: timers.count() as u64,
        }
    }

    /// Anonymous and shared memory in use.
    pub fn memory_bytes(&self) -> u64 {
        self.anon_bytes + self.shmem_bytes
    }
}

fn is_zombie(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('Z'))
}

/// The number behind `name`, or 0.
fn field(status: &str, name: &str) -> u64 {
    let rest = status.lines().find_map(|line| line.strip_prefix(name));
    let number = rest.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Maker and bytes of every segment that this machine has.
pub fn sysv_segments() -> Vec<(u64, u64)> {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    table.lines().skip(1).filter_map(segment).collect()
}

/// Reads "key shmid perms size cpid …".
fn segment(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace().skip(3);
    let size = words.next()?.parse().ok()?;
    Some((words.next()?.parse().ok()?, size))
}

/// Looks at one process from beginning to end.
#[derive(Debug)]
pub struct UsageSampler {
    pid: u32,
    seen: Vec<(Instant, Usage)>,
}

impl UsageSampler {
    /// Of process `pid`, with a first look.
    pub fn of(pid: u32) -> Self {
        Self {
            pid,
            seen: vec![(Instant::now(), Usage::of(pid))],
        }
    }

    /// Looks, unless it has just looked.
    pub fn sample(&mut self) {
        if self.seen.last().is_none_or(|(at, _)| at.elapsed() > EVERY) {
            self.seen.push((Instant::now(), Usage::of(self.pid)));
        }
    }

    /// How often it has looked.
    pub fn samples(&self) -> usize {
        self.seen.len()
    }

    /// What it saw first.
    pub fn first(&self) -> Usage {
        self.seen
            .first()
            .map(|(_, usage)| *usage)
            .unwrap_or_default()
    }

    /// What it saw last.
    pub fn last(&self) -> Usage {
        self.seen
            .last()
            .map(|(_, usage)| *usage)
            .unwrap_or_default()
    }

    /// Whether the memory in use reached nothing new, by more than `bytes`, in the newest `span`;
    /// false before twice that time has been seen.
    pub fn is_level(&self, span: Duration, bytes: u64) -> bool {
        let Some(((start, _), (end, _))) = self.seen.first().zip(self.seen.last()) else {
            return false;
        };
        let Some(since) = end
            .checked_sub(span)
            .filter(|since| *start + span <= *since)
        else {
            return false;
        };
        let (before, newest): (Vec<_>, Vec<_>) = self.seen.iter().partition(|(at, _)| *at < since);
        let peak = |seen: Vec<&(Instant, Usage)>| {
            let bytes = seen.iter().map(|(_, usage)| usage.memory_bytes());
            bytes.max().unwrap_or(0)
        };
        peak(newest) <= peak(before) + bytes
    }

    /// The most memory in use in the second and in the last third of the time.
    pub fn peaks(&self) -> (u64, u64) {
        let Some(((start, _), (end, _))) = self.seen.first().zip(self.seen.last()) else {
            return (0, 0);
        };
        let third = end.duration_since(*start) / 3;
        let peak = |from: Duration, to: Duration| {
            let within = self.seen.iter().filter(|(at, _)| {
                let after = at.duration_since(*start);
                from <= after && after <= to
            });
            within.map(|(_, usage)| usage.memory_bytes()).max()
        };
        let middle = peak(third, third * 2).unwrap_or(0);
        (middle, peak(third * 2, third * 4).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Usage, field, segment};

    #[test]
    fn reads_proc() {
        let status = "Name:\tx\nVmSize:\t    2460 kB\nRssAnon:\t     108 kB\nThreads:\t3\n";
        assert_eq!(field(status, "VmSize:"), 2460);
        assert_eq!(field(status, "Threads:"), 3);
        assert_eq!(field(status, "RssShmem:"), 0);
        let line =
            "         0          7  1600                262144  4242      0          0     0";
        assert_eq!(segment(line), Some((4242, 262144)));
        let own = Usage::of(std::process::id());
        assert!(own.anon_bytes > 0 && own.size_bytes > own.anon_bytes && own.threads > 0);
    }
}
