//! What every watched process uses, over time, and what the detectors know of it.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::{
    detect::growth::{Alarm, Baseline, Monitor, Outcome, Rules, Series, Thresholds},
    judge::{
        question::{InfoRequest, UsageRequest},
        sampler::{Sampler, has_moved},
    },
    model::{
        finding::Severity,
        ids::{ProcessId, Stamp},
        memory::{Ceiling, Usage},
        observed::UsageDetail,
        process::ProcessInfo,
        report::{Threshold, ThresholdAlert},
        resource::Kind,
        series_summary::SeriesSummary,
    },
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
struct Watched {
    first: Usage,
    last: Usage,
    since: Stamp,
    /// Which program image it runs, where that is known.
    exec_id: Option<u32>,
    anonymous: Monitor,
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
    fn detail(&self, swaps: bool) -> UsageDetail {
        let shared = |usage: &Usage| usage.resident_bytes.saturating_sub(usage.anonymous_bytes);
        let grown = shared(&self.last) > shared(&self.first).saturating_add(SHARED);
        UsageDetail {
            apart: swaps || grown || self.last.shmem_bytes.is_some(),
            threads: false,
            timers: true,
        }
    }

    fn series(&self, kind: Kind) -> Option<&Series> {
        if kind == Kind::HeapAnon {
            return Some(self.anonymous.series());
        }
        let mut others = self.others.iter();
        let (_, monitor) = others.find(|(known, _)| *known == kind)?;
        Some(monitor.series())
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
pub struct Usages {
    sampler: Sampler,
    /// Boxed, for a table has nearly twice as much room as it needs.
    watched: HashMap<ProcessId, Box<Watched>>,
    sizes: Rules,
    counts: Rules,
    swaps: bool,
}

impl Usages {
    /// Nobody is sampled yet; `swaps` says whether the host has swap space.
    pub fn new(sampler: Sampler, sizes: Rules, swaps: bool) -> Self {
        let counts = Rules {
            warm_up: sizes.warm_up,
            ..Rules::of_counts()
        };
        Self {
            sampler,
            watched: HashMap::new(),
            sizes,
            counts,
            swaps,
        }
    }

    /// A process has ended, and with it all that it used.
    pub fn forget(&mut self, process: ProcessId) {
        self.sampler.forget(process);
        self.watched.remove(&process);
    }

    /// Where another program has taken its place, all begins anew; true where one has.
    pub fn runs(&mut self, process: ProcessId, exec_id: Option<u32>) -> bool {
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

    /// A process to be sampled from now on; nothing where it is already.
    pub fn meet(&mut self, process: ProcessId, now: Stamp) {
        self.sampler.seen(process, now);
    }

    /// Who is to be sampled now, and how; the others at a later call.
    pub fn due(&mut self, now: Stamp) -> Vec<(ProcessId, UsageRequest)> {
        let due = self.sampler.due(now);
        let request = |process| (process, self.request(process));
        due.into_iter().map(request).collect()
    }

    fn request(&self, process: ProcessId) -> UsageRequest {
        let watched = self.watched.get(&process);
        UsageRequest {
            detail: watched.map_or(UsageDetail::ALL, |watched| watched.detail(self.swaps)),
            last: watched.map(|watched| (watched.last.size_bytes, watched.last.threads)),
            // What limits a small process is asked only when it grows.
            near: self.sizes.size_warning.unwrap_or(0),
            info: InfoRequest::WhereNear,
        }
    }

    /// Whether a process was sampled before.
    pub fn knows(&self, process: ProcessId) -> bool {
        self.watched.contains_key(&process)
    }

    /// Every sampled process, with what is normal for it where that is known; in order.
    pub fn baselines(&self) -> Vec<(ProcessId, Option<Baseline>)> {
        let watched = self.watched.iter();
        let mut baselines: Vec<_> = watched
            .map(|(process, watched)| (*process, watched.anonymous.baseline()))
            .collect();
        baselines.sort_unstable_by_key(|(process, _)| *process);
        baselines
    }

    /// Anonymous memory of every process, in bytes, as it was sampled last.
    pub fn sizes_now(&self) -> impl Iterator<Item = (ProcessId, u64)> {
        let watched = self.watched.iter();
        watched.map(|(process, watched)| (*process, watched.last.anonymous_bytes))
    }

    /// Everything of every process that a detector has spoken of; in order.
    pub fn outcomes(&self) -> Vec<(ProcessId, Kind, Outcome)> {
        let outcomes = self.watched.iter().flat_map(|(process, watched)| {
            watched
                .outcomes()
                .map(|(kind, outcome)| (*process, kind, outcome))
        });
        let mut outcomes: Vec<_> = outcomes.collect();
        outcomes.sort_unstable_by_key(|(process, kind, _)| (*process, *kind));
        outcomes
    }

    /// Of one process and kind.
    pub fn outcome(&self, process: ProcessId, kind: Kind) -> Outcome {
        let watched = self.watched.get(&process);
        let mut outcomes = watched.into_iter().flat_map(|watched| watched.outcomes());
        let known = outcomes.find(|(known, _)| *known == kind);
        known.map_or(Outcome::TooEarly, |(_, outcome)| outcome)
    }

    /// One size or count of a process over time.
    pub fn course(&self, process: ProcessId, kind: Kind) -> Option<SeriesSummary> {
        self.watched.get(&process)?.series(kind)?.summary()
    }

    /// The samples of one size or count of a process; nothing where it is not followed.
    pub fn samples(&self, process: ProcessId, kind: Kind) -> Vec<(Stamp, f64)> {
        let series = self.watched.get(&process).and_then(|it| it.series(kind));
        series.map_or_else(Vec::new, |series| series.samples().collect())
    }

    /// What was sampled last.
    pub fn last(&self, process: ProcessId) -> Option<Usage> {
        Some(self.watched.get(&process)?.last)
    }

    /// Whether the objects of shared memory that a process has mapped have grown since it was first
    /// seen to use more of them.
    pub fn objects_grow(&mut self, process: ProcessId, capacity: u64, resident: u64) -> bool {
        let now = Shared { capacity, resident };
        let watched = self.watched.get_mut(&process);
        watched.is_some_and(|watched| watched.shared.get_or_insert(now).has_grown_to(now))
    }

    /// It does not grow.
    pub fn rests(&mut self, process: ProcessId, kind: Kind) {
        if kind == Kind::HeapShm
            && let Some(watched) = self.watched.get_mut(&process)
        {
            watched.shared = None;
        }
    }

    /// Takes a count that is not in a sample; `first` is what it was when the process came into
    /// sight.
    pub fn count(&mut self, process: ProcessId, kind: Kind, now: Stamp, first: u64, value: u64) {
        let Self {
            watched, counts, ..
        } = self;
        if let Some(watched) = watched.get_mut(&process) {
            watched.observe(counts, kind, now, first, value);
        }
    }

    /// Takes a sample; `before` is what an earlier run knew of the process.
    pub fn sampled(
        &mut self,
        process: ProcessId,
        usage: Usage,
        now: Stamp,
        before: Option<Baseline>,
    ) {
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

    /// Thresholds and ceilings that the last sample has reached.
    pub fn alarms(&mut self, process: ProcessId, ceilings: &[Ceiling]) -> Vec<Alarm> {
        let Self { watched, sizes, .. } = self;
        let watched = watched.get_mut(&process);
        watched.map_or_else(Vec::new, |watched| {
            let size = watched.last.anonymous_bytes;
            watched.thresholds.check(sizes, size, ceilings)
        })
    }
}

/// What is told of one that was reached.
pub fn alert(alarm: Alarm, size: u64, process: Arc<ProcessInfo>, stamp: Stamp) -> ThresholdAlert {
    let (threshold, value, used, severity) = match alarm {
        Alarm::Warning(value) => (Threshold::Warning, value, size, Severity::Warn),
        Alarm::Critical(value) => (Threshold::Critical, value, size, Severity::Error),
        Alarm::Emergency(value) => (Threshold::Emergency, value, size, Severity::Error),
        Alarm::Ceiling(ceiling) => (
            Threshold::Ceiling(ceiling.name),
            ceiling.value,
            ceiling.used,
            Severity::Error,
        ),
    };
    ThresholdAlert {
        stamp,
        process,
        severity,
        threshold,
        value,
        used,
    }
}
