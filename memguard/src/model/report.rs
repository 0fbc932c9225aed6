//! What a sink is told, in the order it happens.

use std::{sync::Arc, time::Duration};

use crate::model::{
    finding::{Evidence, Finding, Limit, Severity, Verdict},
    ids::{ProcessId, Stamp},
    memory::Range,
    process::ProcessInfo,
    resource::Kind,
};

/// One thing to tell.
#[derive(Clone, Debug)]
pub enum Report {
    /// Everything is attached; what follows is complete from here.
    Started(Started),
    /// What a process holds, whenever it was acquired.
    Census(Census),
    /// A finding was opened, updated or resolved.
    Finding(Box<Finding>),
    /// A size that is told when it is reached was reached.
    Crossed(Box<ThresholdAlert>),
    /// What memguard believes that a process has mapped.
    Mappings(Mappings),
    /// A watched process ended and was judged.
    Exited(ProcessExited),
    /// Losses began, or what the programs can see changed.
    Health(Health),
    /// The command of `run` and all it started were judged.
    RunSummary(Box<Summary>),
    /// The agent ends.
    Stopped(Box<Summary>),
}

impl Report {
    /// When it happened.
    pub fn stamp(&self) -> Stamp {
        match self {
            Self::Started(it) => it.stamp,
            Self::Census(it) => it.stamp,
            Self::Finding(it) => it.last_seen,
            Self::Crossed(it) => it.stamp,
            Self::Mappings(it) => it.stamp,
            Self::Exited(it) => it.stamp,
            Self::Health(it) => it.stamp,
            Self::RunSummary(it) | Self::Stopped(it) => it.stamp,
        }
    }
}

/// The agent is ready.
#[derive(Clone, Debug)]
pub struct Started {
    /// When the first probe was attached.
    pub stamp: Stamp,
    /// What is watched, in words: `pid 4242 and its descendants`.
    pub scope: String,
    /// Probes that are attached.
    pub attached: Vec<String>,
    /// Probes that are not, with the reason.
    pub missing: Vec<(String, String)>,
    /// Memory of maps and ring in the kernel.
    pub kernel_bytes: u64,
}

/// How many descriptors of one kind a process holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CensusRow {
    /// The kind.
    pub kind: Kind,
    /// How many.
    pub count: u64,
    /// The most frequent targets with their counts, most frequent first; digits folded to `#`.
    pub targets: Vec<(String, u64)>,
}

/// What a process holds.
#[derive(Clone, Debug)]
pub struct Census {
    /// When it was counted.
    pub stamp: Stamp,
    /// Who.
    pub process: Arc<ProcessInfo>,
    /// All its descriptors.
    pub open: u64,
    /// Those that were open before memguard attached; never a leak.
    pub preexisting: u64,
    /// Share of `RLIMIT_NOFILE`.
    pub limit: Option<Limit>,
    /// Resident memory.
    pub rss_bytes: Option<u64>,
    /// By kind, largest first.
    pub rows: Vec<CensusRow>,
    /// Not every descriptor was looked at (there were more than the census reads).
    pub partial: bool,
}

/// A process has reached a size that is told when it is reached. No verdict: nothing may be wrong.
#[derive(Clone, Debug)]
pub struct ThresholdAlert {
    /// When that was seen.
    pub stamp: Stamp,
    /// Who.
    pub process: Arc<ProcessInfo>,
    /// How loud to be about it.
    pub severity: Severity,
    /// Which size.
    pub threshold: Threshold,
    /// The size, or the ceiling, in bytes.
    pub value: u64,
    /// What is in use, in bytes.
    pub used: u64,
}

/// A size that is told when it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// `--rss-warning`, of the process's anonymous memory.
    Warning,
    /// `--rss-critical`, likewise.
    Critical,
    /// `--rss-emergency`, likewise.
    Emergency,
    /// Most of this ceiling is in use, by all whom it holds for.
    Ceiling(&'static str),
}

impl Threshold {
    /// The option that sets it, or the name of the ceiling.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "--rss-warning",
            Self::Critical => "--rss-critical",
            Self::Emergency => "--rss-emergency",
            Self::Ceiling(name) => name,
        }
    }
}

/// What memguard believes that a process has mapped since it came into sight.
#[derive(Clone, Debug)]
pub struct Mappings {
    /// When.
    pub stamp: Stamp,
    /// Who.
    pub process: Arc<ProcessInfo>,
    /// By address.
    pub ranges: Vec<Range>,
}

/// A watched process ended.
#[derive(Clone, Debug)]
pub struct ProcessExited {
    /// When.
    pub stamp: Stamp,
    /// Who.
    pub process: Arc<ProcessInfo>,
    /// `wait(2)` status.
    pub status: Option<u32>,
    /// Descriptors it acquired and held at its exit.
    pub left: u64,
    /// Judged against the kernel's own bitmap of its table.
    pub verified: bool,
    /// What was lost on the way.
    pub evidence: Evidence,
}

/// A change in what can be trusted.
#[derive(Clone, Debug)]
pub struct Health {
    /// When it was noticed.
    pub stamp: Stamp,
    /// What `lost` counts.
    pub what: Lost,
    /// What was lost since the last report, by counter name.
    pub lost: Vec<(String, u64)>,
    /// Whom it concerns, where known.
    pub processes: Vec<ProcessId>,
}

/// What was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Events on their way from the kernel: findings may be wrong.
    Events,
    /// Reports on their way to a sink whose reader is too slow: findings are right, but not all of
    /// them were told.
    Reports,
}

/// How far it has come, while there is nothing to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Time observed so far.
    pub observed: Duration,
    /// How long it is going to observe; `None` until it is told to end.
    pub until: Option<Duration>,
    /// When the warm-up is over.
    pub warm_up: Duration,
    /// When what was acquired right after it is old enough to be judged.
    pub judged_from: Duration,
    /// Handles held.
    pub held: u64,
    /// Findings so far.
    pub findings: u64,
    /// Events lost so far.
    pub lost: u64,
}

/// How it ended, and what it cost.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// When.
    pub stamp: Stamp,
    /// Time observed.
    pub observed: Duration,
    /// Processes that were judged at their exit.
    pub processes_judged: u64,
    /// Processes that were still running.
    pub processes_running: u64,
    /// Findings opened, by verdict.
    pub findings: Vec<(Verdict, u64)>,
    /// Handles left at exit, all processes together.
    pub left: u64,
    /// Processes whose handles left at exit are in that number alone, and were not told; `None`
    /// where they were.
    pub left_untold: Option<u64>,
    /// The rules of the suppressions; the numbers above are without what they suppressed.
    pub suppressions: Vec<Suppression>,
    /// Findings that are in the baseline too and reach no gate; `None` without a baseline.
    pub known: Option<u64>,
    /// Every counter, kernel's and agent's, by name.
    pub counters: Vec<(String, u64)>,
    /// What was lost.
    pub evidence: Evidence,
    /// What memguard itself used.
    pub cost: Cost,
    /// Only for `run`: the command's exit code, and the one memguard ends with.
    pub exit: Option<RunExit>,
}

/// What memguard itself used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// CPU time of the agent, its start included.
    pub cpu: Duration,
    /// What of it came after everything was attached; `None` where that is not known.
    pub cpu_observing: Option<Duration>,
    /// Anonymous resident memory of the agent.
    pub rss_bytes: Option<u64>,
    /// Memory of maps and ring in the kernel.
    pub kernel_bytes: u64,
    /// Records that were read, from the ring or the nursery; `None` where that is not known.
    pub events_read: Option<u64>,
    /// Time of the BPF programs, which is that of the calls they watch, extrapolated from samples;
    /// `None` where there was none.
    pub bpf_time: Option<Duration>,
}

impl Cost {
    /// CPU of the agent in percent of one core, over the time observed.
    pub fn cpu_percent(&self, observed: Duration) -> Option<f64> {
        let share = self.cpu_observing?.as_secs_f64() / observed.as_secs_f64();
        share.is_finite().then_some(share * 100.0)
    }

    /// Time of the BPF programs in percent of one core, likewise.
    pub fn bpf_percent(&self, observed: Duration) -> Option<f64> {
        let share = self.bpf_time?.as_secs_f64() / observed.as_secs_f64();
        share.is_finite().then_some(share * 100.0)
    }
}

impl Summary {
    /// How many findings were suppressed.
    pub fn suppressed(&self) -> u64 {
        let counts = self.suppressions.iter().map(|rule| rule.count);
        counts.fold(0, u64::saturating_add)
    }
}

/// A rule that keeps findings from being shown.
#[derive(Clone, Debug)]
pub struct Suppression {
    /// File and line, as `leaks.supp:3`.
    pub place: String,
    /// The line.
    pub rule: String,
    /// Findings that it suppressed.
    pub count: u64,
    /// Some of them, where they are asked for.
    pub findings: Vec<Finding>,
}

impl Summary {
    /// Findings of one verdict.
    pub fn found(&self, verdict: Verdict) -> u64 {
        let same = self.findings.iter();
        let same = same.filter(|(found, _)| *found == verdict);
        same.fold(0, |sum: u64, (_, number)| sum.saturating_add(*number))
    }
}

/// How the command of `run` ended.
#[derive(Clone, Debug)]
pub struct RunExit {
    /// The command's process.
    pub process: Option<Arc<ProcessInfo>>,
    /// The command's own code; 128 + n where signal n killed it.
    pub command_code: i32,
    /// What memguard ends with.
    pub code: i32,
    /// Why, in words.
    pub reason: String,
}
