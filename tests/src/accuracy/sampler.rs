//! What `/proc` shows of a workload from its beginning to its end: whether it really holds more and
//! more, or does not.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use crate::memory::{
    Usage,
    said::{Finds, Grows},
};

/// What a healthy process may hold more of in the last third than ever before: its peaks are not
/// met exactly, and chance plays its part.
const SHARE: f64 = 0.15;
const SLACK: u64 = 3;
const MEMORY_SLACK: u64 = 1 << 20;
/// A runtime fills its heap at leisure, and takes up to as much again.
const RUNTIME_SHARE: f64 = 1.0;
const RUNTIME_SLACK: u64 = 8 << 20;
/// A stack of the C library, with its guard page.
const STACK: u64 = 8 << 20;

/// At one moment.
#[derive(Clone, Debug, Default)]
struct Sample {
    /// Open descriptors by what they are, as far as their target says.
    descriptors: BTreeMap<String, u64>,
    usage: Usage,
}

impl Sample {
    fn at(pid: u32) -> Self {
        let mut descriptors = BTreeMap::new();
        let entries = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten();
        for entry in entries.flatten() {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            *descriptors
                .entry(class(&target.to_string_lossy()))
                .or_default() += 1;
        }
        Self {
            descriptors,
            usage: Usage::of(pid),
        }
    }

    fn all_descriptors(&self) -> u64 {
        self.descriptors.values().sum()
    }

    /// As much of what is lost as can be seen from outside, and in what unit.
    fn of(&self, resource: &str, kind: &str) -> (u64, u64) {
        let usage = &self.usage;
        match (resource, kind) {
            ("socket", _) => (self.of_class("socket"), 1),
            ("fd", "file" | "dir") => (self.of_class("path"), 1),
            ("fd", kind) => (self.of_class(kind), 1),
            ("thread", "unjoined") => (usage.size_bytes, STACK),
            ("thread", _) => (usage.threads, 1),
            ("process", _) => (usage.zombies, 1),
            ("timer", _) => (usage.timers, 1),
            ("mmap", _) => (usage.size_bytes, 64 << 10),
            (_, "shm") => (usage.shmem_bytes, 1),
            _ => (usage.anon_bytes, 1),
        }
    }

    fn of_class(&self, class: &str) -> u64 {
        self.descriptors.get(class).copied().unwrap_or(0)
    }

    /// All that a healthy process must not pile up, with its slack.
    fn quantities(&self) -> [(&'static str, u64, u64); 5] {
        let usage = &self.usage;
        [
            ("descriptors", self.all_descriptors(), SLACK),
            ("bytes", usage.memory_bytes(), MEMORY_SLACK),
            ("threads", usage.threads, SLACK),
            ("zombies", usage.zombies, SLACK),
            ("timers", usage.timers, SLACK),
        ]
    }
}

/// What stands behind `socket:[7]` and `anon_inode:[eventpoll]`; what has a path is a path.
fn class(target: &str) -> String {
    let target = target.strip_prefix("anon_inode:").unwrap_or(target);
    let name = target.trim_start_matches('[');
    let name = name.split([':', ']']).next().unwrap_or(name);
    match name {
        "eventpoll" => "epoll".to_owned(),
        _ if target.starts_with("/memfd:") => "memfd".to_owned(),
        _ if target.starts_with('/') => "path".to_owned(),
        _ => name.to_owned(),
    }
}

/// Samples one process again and again.
#[derive(Debug)]
pub struct ProcSampler {
    pid: u32,
    looked: Instant,
    seen: Vec<Sample>,
}

impl ProcSampler {
    /// Of process `pid`, with a first sample.
    pub fn of(pid: u32) -> Self {
        Self {
            pid,
            looked: Instant::now(),
            seen: vec![Sample::at(pid)],
        }
    }

    /// The process that it samples.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How many samples there are.
    pub fn samples(&self) -> usize {
        self.seen.len()
    }

    /// Takes a sample, unless it has just taken one: reading `/proc` of all workloads is work too.
    pub fn sample(&mut self, pause: Duration) {
        if self.looked.elapsed() > pause {
            self.looked = Instant::now();
            self.seen.push(Sample::at(self.pid));
        }
    }

    /// Why the process does not lose what it says it does.
    pub fn contradicts(&self, finds: &Finds) -> Option<String> {
        let Finds {
            resource,
            kind,
            count,
            ..
        } = finds;
        let series = self.series(resource, kind);
        let unit = self.seen.first()?.of(resource, kind).1;
        let more = series.last()?.saturating_sub(*series.first()?) / unit;
        if more < *count {
            return Some(format!(
                "{count} {resource}/{kind} said to be lost, /proc shows {more} more"
            ));
        }
        (!rises(&series)).then(|| format!("{resource}/{kind} does not become more: {series:?}"))
    }

    /// Why the process does not grow as it says it does.
    pub fn contradicts_growth(&self, grows: &Grows) -> Option<String> {
        let series = self.series(&grows.resource, &grows.kind);
        let more = series.last()?.saturating_sub(*series.first()?);
        let fits =
            more >= grows.bytes / 10 * 9 && more <= grows.bytes + grows.bytes / 4 + (2 << 20);
        if !fits {
            return Some(format!("grows by {}, /proc shows {more}", grows.bytes));
        }
        (!rises(&series)).then(|| format!("does not grow: {series:?}"))
    }

    /// Why the process is not healthy: in the last third it holds more than it ever did, or more
    /// descriptors than it says it may have `at_most`. A runtime may take more memory.
    pub fn contradicts_health(&self, at_most: Option<u64>, has_runtime: bool) -> Vec<String> {
        let split = self.seen.len() * 2 / 3;
        let (before, late) = self.seen.split_at(split);
        let peak = |samples: &[Sample], which: usize| {
            let values = samples.iter().map(|sample| sample.quantities()[which].1);
            values.max().unwrap_or(0)
        };
        let check = |(which, (name, _, slack)): (usize, (&str, u64, u64))| {
            let (before, late) = (peak(before, which), peak(late, which));
            let (share, slack) = match name {
                "bytes" if has_runtime => (RUNTIME_SHARE, RUNTIME_SLACK),
                _ => (SHARE, slack),
            };
            let usual = before + slack + (before as f64 * share) as u64;
            let said = at_most.filter(|_| name == "descriptors");
            let most = said.unwrap_or(usual);
            (late > most).then(|| format!("{late} {name} in the last third, {before} before"))
        };
        let quantities = Sample::default().quantities();
        quantities
            .into_iter()
            .enumerate()
            .filter_map(check)
            .collect()
    }

    fn series(&self, resource: &str, kind: &str) -> Vec<u64> {
        let seen = self.seen.iter();
        seen.map(|sample| sample.of(resource, kind).0).collect()
    }
}

/// Medians of the thirds: later ones are higher, but for a leak that begins late.
fn rises(series: &[u64]) -> bool {
    let third = series.len().div_ceil(3).max(1);
    let medians: Vec<_> = series.chunks(third).map(median).collect();
    let rises = medians.is_sorted();
    rises && medians.first() < medians.last()
}

fn median(values: &[u64]) -> u64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{ProcSampler, Sample, class, rises};

    /// With so many descriptors and bytes, one sample after the other.
    fn sampled(counts: &[u64]) -> ProcSampler {
        let sample = |count: &u64| {
            let mut sample = Sample::default();
            sample.descriptors.insert("path".to_owned(), *count);
            sample.usage.anon_bytes = *count << 20;
            sample
        };
        ProcSampler {
            pid: 7,
            looked: Instant::now(),
            seen: counts.iter().map(sample).collect(),
        }
    }

    /// More in the last third is no health, but for descriptors that were announced and for the
    /// heap of a runtime.
    #[test]
    fn what_holds_more_than_ever_is_not_healthy() {
        let late = sampled(&[20, 20, 20, 20, 40, 40]);
        let against = |at_most, has_runtime| late.contradicts_health(at_most, has_runtime).len();
        assert_eq!(against(None, false), 2);
        assert_eq!(against(Some(40), false), 1);
        assert_eq!(against(Some(39), true), 1);
        assert_eq!(against(Some(40), true), 0);
        let steady = sampled(&[20, 22, 20, 20, 22, 20]);
        assert!(steady.contradicts_health(None, false).is_empty());
    }

    #[test]
    fn targets_are_told_apart() {
        for (target, expected) in [
            ("socket:[7]", "socket"),
            ("pipe:[7]", "pipe"),
            ("anon_inode:[eventpoll]", "epoll"),
            ("anon_inode:[timerfd]", "timerfd"),
            ("anon_inode:inotify", "inotify"),
            ("anon_inode:[pidfd]", "pidfd"),
            ("pidfd:[7]", "pidfd"),
            ("/memfd:name (deleted)", "memfd"),
            ("/usr/bin/memguard", "path"),
        ] {
            assert_eq!(class(target), expected, "{target}");
        }
    }

    #[test]
    fn what_rises_is_known_by_its_thirds() {
        for (series, expected) in [
            (&[1, 2, 3, 4, 5, 6, 7, 8, 9][..], true),
            (&[5, 5, 5, 5, 5, 5, 7, 8, 9], true),
            (&[5, 9, 5, 5, 9, 5, 5, 9, 5], false),
            (&[1, 2, 9, 9, 9, 9, 5, 5, 5], false),
            (&[3, 3, 3], false),
        ] {
            assert_eq!(rises(series), expected, "{series:?}");
        }
    }
}
