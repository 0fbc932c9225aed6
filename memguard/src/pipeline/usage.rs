//! Samples what every watched process uses, and keeps what the detectors know of it.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{Agent, baselines::Baselines, dead::is_own};
use crate::{
    detect::growth::{Alarm, Baseline, Monitor, Outcome, Rules, Series, Thresholds},
    model::{
        course::Course,
        finding::Severity,
        ids::{ProcessId, Stamp},
        memory::{Ceiling, Usage},
        process::ProcessInfo,
        report::{Crossing, Report},
        resource::Kind,
    },
    sampler::{Sampler, has_moved},
    source::procfs::Detail,
};

/// Memory that is shared, files and all, must have grown by this much to be told apart.
const SHARED: u64 = 1 << 20;

/// Of what more a process has touched of shared memory, the objects behind it must have grown by
/// this part.
const OBJECTS: u64 = 2;

/// Shared memory that a process has mapped, and what of it is resident.
#[derive(Clone, Copy, Debug)]
struct Shared {
    capacity: u64,
    resident: u64,
}

impl Shared {
    fn has_grown_to(self, now: Self) -> bool {
        let more = now.resident.saturating_sub(self.resident);
        let capacity = now.capacity.saturating_sub(self.capacity);
        0 < capacity && more / OBJECTS <= capacity
    }
}

/// What is known of the sizes and counts of one process. A monitor exists from the first change on:
/// most counts never change.
#[derive(Debug)]
pub(super) struct Watched {
    first: Usage,
    last: Usage,
    since: Stamp,
    /// Which program image it runs, where that is known.
    exec_id: Option<u32>,
    pub(super) anonymous: Monitor,
    others: Vec<(Kind, Monitor)>,
    /// When shared memory was first seen to grow.
    shared: Option<Shared>,
    thresholds: Thresholds,
}

impl Watched {
    fn new(usage: Usage, since: Stamp, before: Option<Baseline>) -> Self {
        let series = Series::of_bytes();
        Self {
            first: usage,
            last: usage,
            since,
            exec_id: None,
            anonymous: match before {
                Some(baseline) => Monitor::resumed(series, baseline),
                None => Monitor::new(series),
            },
            others: Vec::new(),
            shared: None,
            thresholds: Thresholds::default(),
        }
    }

    /// What is to be looked up beyond `statm`. Shared memory is told apart once there is more of it
    /// than at first; threads are counted where the address space has changed, for every thread has
    /// a stack.
    fn detail(&self, swaps: bool) -> Detail {
        let shared = |usage: &Usage| usage.resident_bytes.saturating_sub(usage.anonymous_bytes);
        let grown = shared(&self.last) > shared(&self.first).saturating_add(SHARED);
        Detail {
            apart: swaps || grown || self.last.shmem_bytes.is_some(),
            threads: false,
            timers: true,
        }
    }

    /// What each detector has said last.
    fn outcomes(&self) -> impl Iterator<Item = (Kind, Outcome)> {
        let others = self.others.iter();
        let others = others.map(|(kind, monitor)| (*kind, monitor.outcome()));
        [(Kind::HeapAnon, self.anonymous.outcome())]
            .into_iter()
            .chain(others)
    }

    /// Takes a sample of one kind; `first` is what it was when the process came into sight.
    fn observe(&mut self, rules: &Rules, kind: Kind, now: Stamp, first: u64, value: u64) {
        let known = self.others.iter_mut().find(|(known, _)| *known == kind);
        if let Some((_, monitor)) = known {
            monitor.observe(rules, now, value);
        } else if value != first {
            let mut monitor = Monitor::new(series(kind));
            monitor.observe(rules, self.since, first);
            monitor.observe(rules, now, value);
            self.others.push((kind, monitor));
        }
    }
}

fn series(kind: Kind) -> Series {
    if kind == Kind::HeapShm {
        Series::of_bytes()
    } else {
        Series::of_counts()
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Usages {
    sampler: Sampler,
    /// Boxed, for a table has nearly twice as much room as it needs.
    pub(super) watched: HashMap<ProcessId, Box<Watched>>,
    /// What earlier runs knew.
    pub(super) kept: Option<Baselines>,
    sizes: Rules,
    counts: Rules,
    swaps: bool,
}

impl Usages {
    pub(super) fn new(sampler: Sampler, sizes: Rules, swaps: bool) -> Self {
        let counts = Rules {
            warm_up: sizes.warm_up,
            ..Rules::of_counts()
        };
        Self {
            sampler,
            watched: HashMap::new(),
            kept: None,
            sizes,
            counts,
            swaps,
        }
    }

    /// A process has ended, and with it all that it used.
    pub(super) fn forget(&mut self, process: ProcessId) {
        self.sampler.forget(process);
        self.watched.remove(&process);
    }

    /// Where another program has taken its place, all begins anew; true where one has.
    fn runs(&mut self, process: ProcessId, exec_id: Option<u32>) -> bool {
        let Some(watched) = self.watched.get_mut(&process) else {
            return false;
        };
        let before = std::mem::replace(&mut watched.exec_id, exec_id);
        let another = before.is_some() && before != exec_id;
        if another {
            self.watched.remove(&process);
        }
        another
    }

    /// What of memory counts as growth.
    pub(super) fn sizes(&self) -> &Rules {
        &self.sizes
    }

    /// Anonymous memory of every process, in bytes, as it was sampled last.
    pub(super) fn sizes_now(&self) -> impl Iterator<Item = (ProcessId, u64)> {
        let watched = self.watched.iter();
        watched.map(|(process, watched)| (*process, watched.last.anonymous_bytes))
    }

    /// Everything of every process that a detector has spoken of.
    pub(super) fn outcomes(&self) -> Vec<(ProcessId, Kind, Outcome)> {
        let outcomes = self.watched.iter().flat_map(|(process, watched)| {
            watched
                .outcomes()
                .map(|(kind, outcome)| (*process, kind, outcome))
        });
        outcomes.collect()
    }

    /// Of one process and kind.
    pub(super) fn outcome(&self, process: ProcessId, kind: Kind) -> Outcome {
        let watched = self.watched.get(&process);
        let mut outcomes = watched.into_iter().flat_map(|watched| watched.outcomes());
        let known = outcomes.find(|(known, _)| *known == kind);
        known.map_or(Outcome::TooEarly, |(_, outcome)| outcome)
    }

    /// One size or count of a process over time.
    pub(super) fn course(&self, process: ProcessId, kind: Kind) -> Option<Course> {
        let watched = self.watched.get(&process)?;
        if kind == Kind::HeapAnon {
            return watched.anonymous.series().course();
        }
        let mut others = watched.others.iter();
        let (_, monitor) = others.find(|(known, _)| *known == kind)?;
        monitor.series().course()
    }

    /// What was sampled last.
    pub(super) fn last(&self, process: ProcessId) -> Option<Usage> {
        Some(self.watched.get(&process)?.last)
    }

    /// Whether the objects of shared memory that a process has mapped have grown since it was first
    /// seen to use more of them.
    pub(super) fn objects_grow(
        &mut self,
        process: ProcessId,
        capacity: u64,
        resident: u64,
    ) -> bool {
        let now = Shared { capacity, resident };
        let watched = self.watched.get_mut(&process);
        watched.is_some_and(|watched| watched.shared.get_or_insert(now).has_grown_to(now))
    }

    /// It does not grow.
    pub(super) fn rests(&mut self, process: ProcessId, kind: Kind) {
        if kind == Kind::HeapShm
            && let Some(watched) = self.watched.get_mut(&process)
        {
            watched.shared = None;
        }
    }

    /// Takes a count that is not in `/proc` as such.
    pub(super) fn count(&mut self, process: ProcessId, kind: Kind, now: Stamp, value: u64) {
        let Self {
            watched, counts, ..
        } = self;
        if let Some(watched) = watched.get_mut(&process) {
            watched.observe(counts, kind, now, 0, value);
        }
    }

    fn sampled(&mut self, process: ProcessId, usage: Usage, now: Stamp, before: Option<Baseline>) {
        let Self {
            sampler,
            watched,
            sizes,
            counts,
            ..
        } = self;
        let watched = watched.entry(process);
        let watched = watched.or_insert_with(|| Box::new(Watched::new(usage, now, before)));
        watched.anonymous.observe(sizes, now, usage.anonymous_bytes);
        let first = watched.first;
        if let Some(shmem) = usage.shmem_bytes {
            watched.observe(
                sizes,
                Kind::HeapShm,
                now,
                first.shmem_bytes.unwrap_or(0),
                shmem,
            );
        }
        for (kind, first, value) in [
            (Kind::Thread, first.threads, usage.threads),
            (Kind::PosixTimer, first.timers, usage.timers),
        ] {
            if let (Some(first), Some(value)) = (first, value) {
                watched.observe(counts, kind, now, first.into(), value.into());
            }
        }
        let before = std::mem::replace(&mut watched.last, usage);
        let moved = has_moved(before.anonymous_bytes, usage.anonymous_bytes)
            || has_moved(before.resident_bytes, usage.resident_bytes)
            || before.size_bytes != usage.size_bytes
            || before.threads != usage.threads
            || before.timers != usage.timers;
        sampler.sampled(process, now, moved);
    }

    fn alarms(&mut self, process: ProcessId, ceilings: &[Ceiling]) -> Vec<Alarm> {
        let Self { watched, sizes, .. } = self;
        let watched = watched.get_mut(&process);
        watched.map_or_else(Vec::new, |watched| {
            let size = watched.last.anonymous_bytes;
            watched.thresholds.check(sizes, size, ceilings)
        })
    }
}

impl Agent {
    /// Samples whoever is due.
    pub(super) fn sample(&mut self, now: Stamp) {
        if ![Kind::HeapAnon, Kind::Anon]
            .map(|kind| self.judging.wants(kind))
            .contains(&true)
        {
            return;
        }
        self.meet(now);
        for process in self.usages.sampler.due(now) {
            // Of one that has ended, or is about to, its exit tells.
            if let Some(usage) = self.usage(process) {
                self.take_sample(process, usage, now);
            }
        }
    }

    /// New processes are to be sampled.
    fn meet(&mut self, now: Stamp) {
        let running: Vec<_> = self.ledger.processes.running().collect();
        for (tgid, id) in running {
            let known = id.and_then(|id| self.ledger.processes.get(id));
            if known.is_some_and(is_own) {
                continue;
            }
            let exec_id = known.and_then(|process| process.exec_id);
            if let Some(id) = id.or_else(|| self.procfs.identity(tgid).ok()) {
                self.usages.sampler.seen(id, now);
                if self.usages.runs(id, exec_id) {
                    self.faults.forget(id);
                }
            }
        }
    }

    fn usage(&self, process: ProcessId) -> Option<Usage> {
        let watched = self.usages.watched.get(&process);
        let detail = watched.map_or(Detail::ALL, |watched| watched.detail(self.usages.swaps));
        let mut usage = self.procfs.usage(process.tgid, detail)?;
        if let Some(watched) = watched {
            let same = usage.size_bytes == watched.last.size_bytes;
            usage.threads = usage.threads.or_else(|| {
                let unchanged = watched.last.threads.filter(|_| same);
                unchanged.or_else(|| self.procfs.thread_count(process.tgid))
            });
        }
        self.procfs.is_alive(process).then_some(usage)
    }

    /// What an earlier run knew of a process that is sampled for the first time.
    fn baseline_before(&mut self, process: ProcessId) -> Option<Baseline> {
        if self.usages.kept.is_none() || self.usages.watched.contains_key(&process) {
            return None;
        }
        let executable = self.living(process).executable.clone();
        let kept = self.usages.kept.as_ref()?;
        kept.of(process, executable.as_deref())
    }

    fn take_sample(&mut self, process: ProcessId, usage: Usage, now: Stamp) {
        let before = self.baseline_before(process);
        self.usages.sampled(process, usage, now, before);
        let near = usage.anonymous_bytes >= self.usages.sizes.size_warning.unwrap_or(0);
        // What limits a small process is asked only when it grows.
        let ceilings = if near {
            self.procfs.memory_ceilings(process.tgid)
        } else {
            Vec::new()
        };
        for alarm in self.usages.alarms(process, &ceilings) {
            let process = self.living(process);
            let crossing = crossing(alarm, usage.anonymous_bytes, process, now);
            self.out.report(&Report::Crossed(Box::new(crossing)));
        }
    }
}

fn crossing(alarm: Alarm, size: u64, process: Arc<ProcessInfo>, stamp: Stamp) -> Crossing {
    let (name, value, used, severity) = match alarm {
        Alarm::Warning(value) => ("--rss-warning", value, size, Severity::Warn),
        Alarm::Critical(value) => ("--rss-critical", value, size, Severity::Error),
        Alarm::Emergency(value) => ("--rss-emergency", value, size, Severity::Error),
        Alarm::Ceiling(ceiling) => (ceiling.name, ceiling.value, ceiling.used, Severity::Error),
    };
    Crossing {
        stamp,
        process,
        severity,
        name,
        value,
        used,
    }
}
