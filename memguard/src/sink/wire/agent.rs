//! What events about memguard's own work carry: agent, exit, health, summary.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    model::{
        finding::{Finding, Verdict},
        report,
    },
    sink::{
        sentence,
        wire::scribe::{Scribe, Text},
        words,
    },
};

/// The agent that started.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Agent {
    /// What is watched, in words.
    pub scope: Text,
    /// What is attached and what is not.
    pub probes: Probes,
    /// Memory of maps and ring in the kernel.
    pub kernel_bytes: u64,
    /// Probes, or ends of long texts, were left out to keep the line short.
    pub truncated: bool,
}

/// Probes in the kernel.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Probes {
    /// Names of those that are attached.
    pub attached: Vec<Text>,
    /// Those that are not.
    pub missing: Vec<MissingProbe>,
}

/// A probe that is not attached.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MissingProbe {
    /// Its name.
    pub name: Text,
    /// Why not.
    pub reason: Text,
}

impl Agent {
    pub(super) fn new(started: &report::Started, scribe: &Scribe<'_>) -> Self {
        let missing = |(name, reason): &(String, String)| MissingProbe {
            name: scribe.text(name),
            reason: scribe.text(reason),
        };
        Self {
            scope: scribe.shown(&started.scope),
            probes: Probes {
                attached: scribe.texts(&started.attached),
                missing: scribe.list(&started.missing, missing),
            },
            kernel_bytes: started.kernel_bytes,
            truncated: false,
        }
    }
}

/// The end of a process.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Exit {
    /// Status as wait(2) has it.
    pub status: Option<u32>,
    /// Signal that killed it.
    pub signal: Option<u32>,
    /// Code it exited with.
    pub code: Option<u32>,
    /// Descriptors it acquired and held at its exit.
    pub left_count: u64,
    /// Judged against the kernel's own bitmap of its table.
    pub verified: bool,
    /// Ends of long texts were left out to keep the line short.
    pub truncated: bool,
}

impl Exit {
    pub(super) fn new(exited: &report::ProcessExited) -> Self {
        let (code, signal) = exited.status.map(words::wait_status).unwrap_or_default();
        Self {
            status: exited.status,
            signal,
            code,
            left_count: exited.left,
            verified: exited.verified,
            truncated: false,
        }
    }
}

/// What was lost.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Health {
    /// Events lost since the last such report, by counter.
    pub lost: BTreeMap<Text, u64>,
    /// Whom it concerns, where known.
    pub processes: Vec<Pid>,
    /// Counters or processes were left out to keep the line short.
    pub truncated: bool,
}

/// A process by number.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pid {
    /// Process id in the initial PID namespace.
    pub pid: u32,
}

impl Health {
    pub(super) fn new(health: &report::Health, scribe: &Scribe<'_>) -> Self {
        Self {
            lost: scribe.numbers(&health.lost),
            processes: scribe.list(&health.processes, |process| Pid { pid: process.tgid }),
            truncated: false,
        }
    }
}

/// How it ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Summary {
    /// Time observed.
    pub observed_seconds: f64,
    /// Processes that were judged at their exit.
    pub processes_judged: u64,
    /// Processes that were still running.
    pub processes_running: u64,
    /// Findings opened, by verdict.
    pub findings: BTreeMap<&'static str, u64>,
    /// Descriptors left at exit, all processes together.
    pub left_count: u64,
    /// Findings that were suppressed; they are in no other number here.
    pub suppressed_count: u64,
    /// The rules of the suppressions that were asked for.
    pub suppressions: Vec<Suppression>,
    /// Findings that are in the baseline too and reach no gate; null without a baseline.
    pub known_count: Option<u64>,
    /// What it cost to find out.
    pub cost: Cost,
    /// How the command of `memguard run` ended; null for other commands.
    pub exit: Option<RunExit>,
    /// Counters, or ends of long texts, were left out to keep the line short.
    pub truncated: bool,
}

/// A rule of the suppressions.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Suppression {
    /// File and line, as `leaks.supp:3`.
    pub place: Text,
    /// The line.
    pub rule: Text,
    /// Findings that it suppressed.
    pub count: u64,
    /// What they say, some of them; empty unless `--show-suppressed` was given.
    pub bodies: Vec<Text>,
}

impl Suppression {
    fn new(rule: &report::Suppression, scribe: &Scribe<'_>) -> Self {
        let body = |finding: &Finding| scribe.text(&sentence::finding(finding));
        Self {
            place: scribe.text(&rule.place),
            rule: scribe.text(&rule.rule),
            count: rule.count,
            bodies: scribe.list(&rule.findings, body),
        }
    }
}

/// What memguard used.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Cost {
    /// CPU time of the agent, its start included.
    pub agent_cpu_seconds: f64,
    /// CPU of the agent in percent of one core, over the time observed and without its start.
    pub agent_cpu_percent: Option<f64>,
    /// Anonymous resident memory of the agent.
    pub agent_rss_bytes: Option<u64>,
    /// Memory of maps and ring in the kernel.
    pub kernel_bytes: u64,
    /// Records that the agent read, from the ring buffer or the nursery.
    pub events_read: Option<u64>,
    /// Events that did not reach it.
    pub events_lost: u64,
    /// Time of the BPF programs, added to the calls they watch: extrapolated from periods in which
    /// the kernel counted it, too high rather than too low; null where there was none.
    pub bpf_seconds: Option<f64>,
    /// The same in percent of one core, over the time observed.
    pub bpf_cpu_percent: Option<f64>,
}

/// How the command of `memguard run` ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunExit {
    /// The command's own code; 128 + n where signal n killed it.
    pub command_code: i32,
    /// What memguard exits with.
    pub code: i32,
    /// Why, in words.
    pub reason: Text,
}

impl Summary {
    pub(super) fn new(summary: &report::Summary, scribe: &Scribe<'_>) -> Self {
        let number = |verdict| summary.found(verdict);
        Self {
            observed_seconds: summary.observed.as_secs_f64(),
            processes_judged: summary.processes_judged,
            processes_running: summary.processes_running,
            findings: Verdict::ALL
                .map(|verdict| (verdict.name(), number(verdict)))
                .into(),
            left_count: summary.left,
            suppressed_count: summary.suppressed(),
            suppressions: scribe.list(&summary.suppressions, |rule| Suppression::new(rule, scribe)),
            known_count: summary.known,
            cost: Cost::new(summary),
            exit: summary.exit.as_ref().map(|exit| RunExit::new(exit, scribe)),
            truncated: false,
        }
    }
}

impl Cost {
    fn new(summary: &report::Summary) -> Self {
        let cost = &summary.cost;
        Self {
            agent_cpu_seconds: cost.cpu.as_secs_f64(),
            agent_cpu_percent: cost.cpu_percent(summary.observed),
            agent_rss_bytes: cost.rss_bytes,
            kernel_bytes: cost.kernel_bytes,
            events_read: cost.events_read,
            events_lost: summary.evidence.events_lost,
            bpf_seconds: cost.bpf_time.map(|time| time.as_secs_f64()),
            bpf_cpu_percent: cost.bpf_percent(summary.observed),
        }
    }
}

impl RunExit {
    fn new(exit: &report::RunExit, scribe: &Scribe<'_>) -> Self {
        let report::RunExit {
            command_code,
            code,
            reason,
            ..
        } = exit;
        Self {
            command_code: *command_code,
            code: *code,
            reason: scribe.text(reason),
        }
    }
}
