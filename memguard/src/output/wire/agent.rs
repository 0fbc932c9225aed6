//! What events about memguard's own work carry: agent, exit, health, summary.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::{
        finding::{Finding, Verdict},
        report,
    },
    output::{
        sentence,
        wire::builder::{Text, WireBuilder},
        words,
    },
};

/// The agent that started.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
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
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Probes {
    /// Names of those that are attached.
    pub attached: Vec<Text>,
    /// Those that are not.
    pub missing: Vec<MissingProbe>,
}

/// A probe that is not attached.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct MissingProbe {
    /// Its name.
    pub name: Text,
    /// Why not.
    pub reason: Text,
}

impl Agent {
    pub(super) fn new(started: &report::Started, builder: &WireBuilder<'_>) -> Self {
        let missing = |(name, reason): &(String, String)| MissingProbe {
            name: builder.text(name),
            reason: builder.text(reason),
        };
        Self {
            scope: builder.redacted(&started.scope),
            probes: Probes {
                attached: builder.texts(&started.attached),
                missing: builder.list(&started.missing, missing),
            },
            kernel_bytes: started.kernel_bytes,
            truncated: false,
        }
    }
}

/// The end of a process.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
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
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Health {
    /// Events lost since the last such report, by counter.
    pub lost: BTreeMap<Text, u64>,
    /// Whom it concerns, where known.
    pub processes: Vec<Pid>,
    /// Counters or processes were left out to keep the line short.
    pub truncated: bool,
}

/// A process by number.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Pid {
    /// Process id in the initial PID namespace.
    pub pid: u32,
}

impl Health {
    pub(super) fn new(health: &report::Health, builder: &WireBuilder<'_>) -> Self {
        Self {
            lost: builder.numbers(&health.lost),
            processes: builder.list(&health.processes, |process| Pid { pid: process.tgid }),
            truncated: false,
        }
    }
}

/// How it ended.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Summary {
    /// Time observed.
    pub observed_seconds: f64,
    /// Processes that were judged at their exit.
    pub processes_judged: u64,
    /// Processes that were still running.
    pub processes_running: u64,
    /// Findings opened, by verdict.
    pub findings: BTreeMap<Cow<'static, str>, u64>,
    /// Descriptors left at exit, all processes together.
    pub left_count: u64,
    /// Processes whose descriptors left at exit are in `left_count` alone, for `watch` was run
    /// without `--left`; null where there is a line of each.
    pub left_untold_processes: Option<u64>,
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
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
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
    fn new(rule: &report::Suppression, builder: &WireBuilder<'_>) -> Self {
        let body = |finding: &Finding| builder.text(&sentence::finding(finding));
        Self {
            place: builder.text(&rule.place),
            rule: builder.text(&rule.rule),
            count: rule.count,
            bodies: builder.list(&rule.findings, body),
        }
    }
}

/// What memguard used.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
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
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct RunExit {
    /// The command's own code; 128 + n where signal n killed it.
    pub command_code: i32,
    /// What memguard exits with.
    pub code: i32,
    /// Why, in words.
    #[serde(default)]
    #[schemars(!default)]
    pub reason: Text,
}

impl Summary {
    pub(super) fn new(summary: &report::Summary, builder: &WireBuilder<'_>) -> Self {
        let number = |verdict| summary.found(verdict);
        Self {
            observed_seconds: summary.observed.as_secs_f64(),
            processes_judged: summary.processes_judged,
            processes_running: summary.processes_running,
            findings: Verdict::ALL
                .map(|verdict| (verdict.name().into(), number(verdict)))
                .into(),
            left_count: summary.left,
            left_untold_processes: summary.left_untold,
            suppressed_count: summary.suppressed(),
            suppressions: builder.list(&summary.suppressions, |rule| {
                Suppression::new(rule, builder)
            }),
            known_count: summary.known,
            cost: Cost::new(summary),
            exit: summary
                .exit
                .as_ref()
                .map(|exit| RunExit::new(exit, builder)),
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
    fn new(exit: &report::RunExit, builder: &WireBuilder<'_>) -> Self {
        let report::RunExit {
            command_code,
            code,
            reason,
            ..
        } = exit;
        Self {
            command_code: *command_code,
            code: *code,
            reason: builder.text(reason),
        }
    }
}
