//! What is wrong, and how sure we are.

use std::{fmt, sync::Arc, time::Duration};

pub use crate::model::{
    evidence::{Doubt, Evidence},
    verdict::{Moment, Resolution, Severity, Shape, State, Verdict},
};
use crate::model::{
    ids::Stamp,
    memory::Range,
    origin::Origin,
    process::ProcessInfo,
    resource::{Call, Kind, Resource},
    series_summary::SeriesSummary,
};

/// What a process holds something by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handle {
    /// Descriptor number.
    Descriptor(u32),
    /// Addresses.
    Memory(Range),
    /// Process id of a zombie, id of a shared memory segment, or inode of one in `/dev/shm`.
    Id(u32),
}

impl fmt::Display for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descriptor(fd) => write!(formatter, "fd {fd}"),
            Self::Memory(range) => write!(formatter, "{:#x}", range.start),
            Self::Id(id) => write!(formatter, "{id}"),
        }
    }
}

/// One handle of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What it is held by.
    pub handle: Handle,
    /// When it was acquired; `None` where it was open before memguard came.
    pub acquired_at: Option<Stamp>,
    /// How long it has been held, at the finding's `last_seen`.
    pub age: Option<Duration>,
    /// The call that acquired it.
    pub call: Option<Call>,
    /// Path or peer, from `/proc`, while the process lives.
    pub target: Option<String>,
}

/// How long the released handles of a site lived, as far as they left the nursery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifetimeStats {
    /// How many.
    pub count: u64,
    /// The shortest.
    pub min: Duration,
    /// Half of them lived no longer; right to a fourth.
    pub median: Duration,
    /// 99 of 100 lived no longer; right to a fourth.
    pub p99: Duration,
    /// How many were held for the minimum age, and released after all.
    pub outlived: u64,
}

/// How fast a count or a size grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Handles, or bytes, per second.
    pub slope_per_second: f64,
    /// Over what time it was measured.
    pub window: Duration,
    /// What the statistics say, where there are any.
    pub trend: Option<Trend>,
}

/// A series that was judged by its statistics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Lower end of the slope's 95 % confidence interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// How likely such a trend is by chance.
    pub p_value: f64,
    /// How the series looks.
    pub shape: Shape,
    /// Samples that were judged.
    pub samples: usize,
    /// The size when the warm-up was over.
    pub baseline: u64,
    /// How much more than that a first ramp of such a program may take, in bytes; 0 of what is no
    /// memory, and where it is not known.
    pub first_ramp: u64,
    /// It is faster, or larger, than what the arguments call critical.
    pub critical: bool,
}

/// Memory that grows in step with the handles of a leak, which is not told beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InStep {
    /// How much has come with them.
    pub bytes: u64,
    /// How much of it to a handle.
    pub bytes_per_handle: u64,
}

/// Where memory in use was acquired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The first place of the program's own code; `None` where that could not be found out.
    pub place: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Bytes acquired there and not given back.
    pub bytes: u64,
    /// In how many acquisitions.
    pub count: u64,
}

/// Who touches new memory, by samples of page faults: an estimate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// So many page faults are one sample.
    pub period: u64,
    /// Samples that were lost since memguard came, of any process.
    pub lost: u64,
    /// The most bytes first.
    pub sites: Vec<TouchSite>,
}

/// A function that touches new memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TouchSite {
    /// The first place of the program's own code; `None` where that could not be found out.
    pub place: Option<String>,
    /// Bytes touched there and still mapped, as the samples say.
    pub bytes: u64,
    /// By how many samples.
    pub samples: u64,
}

/// A ceiling that the finding is heading for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// For example `RLIMIT_NOFILE`.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// What is in use of it.
    pub used: u64,
    /// At the present growth; `None` where it does not grow.
    pub exhausted_in: Option<Duration>,
    /// From the earliest to the latest moment that the growth's uncertainty allows; `None` where
    /// it is not known. The latest is `None` where it may not grow at all.
    pub uncertainty: Option<(Duration, Option<Duration>)>,
}

impl Limit {
    /// Hardly anything is left of it: a tenth, or less.
    pub fn is_nearly_reached(&self) -> bool {
        self.used >= self.value.saturating_sub(self.value / 10)
    }

    /// At least half of it is in use.
    pub fn is_half_used(&self) -> bool {
        self.used >= self.value.div_ceil(2)
    }
}

/// Handles of one process that share resource and kind, and what is wrong with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Unique in this run of memguard.
    pub id: u64,
    /// The same for the same leak in other runs and on other hosts.
    pub fingerprint: u64,
    /// Where in its life the finding is.
    pub state: State,
    /// What was judged.
    pub verdict: Verdict,
    /// When.
    pub moment: Moment,
    /// Why it is over; `None` while it is not.
    pub resolution: Option<Resolution>,
    /// How loud to be about it.
    pub severity: Severity,
    /// Somebody should hear of it now: the first of its fingerprint for a while, or graver.
    pub alert: bool,
    /// Who holds the handles.
    pub process: Arc<ProcessInfo>,
    /// The control group that it is about as a whole; `process` is then its largest member.
    pub cgroup: Option<String>,
    /// What they are.
    pub kind: Kind,
    /// Which calls acquired them.
    pub calls: Vec<Call>,
    /// Where the code acquired them; `None` where that could not be found out.
    pub origin: Option<Origin>,
    /// 0 to 1.
    pub confidence: f64,
    /// The kernel was asked, and showed every one of them open (or, at a death, in the table's own
    /// bitmap).
    pub verified: bool,
    /// When the finding was opened.
    pub first_seen: Stamp,
    /// When it was last judged.
    pub last_seen: Stamp,
    /// Handles open now, or at the death.
    pub open_count: u64,
    /// Bytes in them; `None` where that is not known, or they have none.
    pub open_bytes: Option<u64>,
    /// Those of `open_bytes` that are in memory; `None` likewise.
    pub resident_bytes: Option<u64>,
    /// Handles of this process and kind that outlived the nursery; short-lived ones are paired in
    /// the kernel and not counted one by one.
    pub acquired_count: u64,
    /// Those of `acquired_count` that were released.
    pub released_count: u64,
    /// Those of `open_count` that were acquired after the warm-up.
    pub late_count: u64,
    /// Those of `open_count` that have no stack. The process has one site alone that makes such
    /// handles by the same call, which is why they are counted with it.
    pub without_stack: u64,
    /// How many of the same were held before memguard attached. They are not in `open_count`, but
    /// for an exhaustion, which is of all that count.
    pub hoarded: u64,
    /// How long the released ones lived; `None` where none was.
    pub lives: Option<LifetimeStats>,
    /// Age of the oldest.
    pub oldest_age: Option<Duration>,
    /// How fast the count grows.
    pub growth: Option<Growth>,
    /// The count over time, or of growth the size in bytes.
    pub history: Option<SeriesSummary>,
    /// Memory that grows in step with the handles.
    pub in_step: Option<InStep>,
    /// The limit it is heading for.
    pub limit: Option<Limit>,
    /// Some of the handles, oldest first.
    pub samples: Vec<Sample>,
    /// Where memory that grows was acquired, the most bytes first.
    pub sites: Vec<Site>,
    /// Who touches memory that grows; `None` where page faults are not sampled.
    pub touched: Option<Touched>,
    /// One line on what to do.
    pub suggestion: Option<String>,
    /// What was lost on the way.
    pub evidence: Evidence,
}

impl Finding {
    /// Of one process, with nothing said yet but what it is about and when it was judged.
    pub fn of(
        process: Arc<ProcessInfo>,
        kind: Kind,
        verdict: Verdict,
        evidence: Evidence,
        judged: Stamp,
    ) -> Self {
        Self {
            id: 0,
            fingerprint: 0,
            state: State::Opened,
            verdict,
            moment: Moment::Running,
            resolution: None,
            severity: Severity::Info,
            alert: false,
            process,
            cgroup: None,
            kind,
            calls: Vec::new(),
            origin: None,
            confidence: 0.0,
            verified: false,
            first_seen: judged,
            last_seen: judged,
            open_count: 0,
            open_bytes: None,
            resident_bytes: None,
            acquired_count: 0,
            released_count: 0,
            late_count: 0,
            without_stack: 0,
            hoarded: 0,
            lives: None,
            oldest_age: None,
            growth: None,
            history: None,
            in_step: None,
            limit: None,
            samples: Vec::new(),
            sites: Vec::new(),
            touched: None,
            suggestion: None,
            evidence,
        }
    }

    /// The first place of the program's own code, as `connect_upstream (pool.c:88)`.
    pub fn place(&self) -> Option<&str> {
        self.origin.as_ref()?.place.as_deref()
    }

    /// Told once, at the end: the finding has no life of its own.
    pub fn is_final(&self) -> bool {
        self.moment != Moment::Running
    }

    /// Descriptors that a process held at its exit, acquired by itself or by the program before.
    pub fn left_descriptors(&self) -> u64 {
        let descriptors = matches!(self.kind.resource(), Resource::Fd | Resource::Socket);
        let left = self.is_final() && descriptors;
        if left { self.open_count } else { 0 }
    }

    /// The place, or the calls where none is known.
    pub fn origin_text(&self) -> String {
        self.place()
            .map_or_else(|| call_names(&self.calls), str::to_owned)
    }
}

/// Calls for people.
pub fn call_names(calls: &[Call]) -> String {
    let names: Vec<_> = calls.iter().map(|call| call.name()).collect();
    names.join(", ")
}
