//! From a line to a report.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::{Recorded, finding::finding, wire};
use crate::model::{
    finding::{Evidence, State, Verdict},
    ids::{ProcessId, Stamp},
    process::ProcessInfo,
    report::{Cost, Report, RunExit, Started, Summary, Suppression},
};

/// Nanoseconds of a tick of [`ProcessId::start_ticks`].
const TICK_NS: i128 = 10_000_000;

pub(super) fn recorded(record: wire::Record) -> Result<Recorded, String> {
    let wire::Record {
        timestamp,
        event_name,
        host,
        service,
        process,
        container,
        memguard,
    } = record;
    let container = container.and_then(|container| container.id);
    let process = process.map(|process| Arc::new(self::process(process, container)));
    Ok(Recorded {
        host: host.and_then(|host| host.name).unwrap_or_default(),
        version: service.and_then(|it| it.version).unwrap_or_default(),
        time: timestamp.as_deref().and_then(time).unwrap_or_default(),
        report: report(&event_name, memguard, process)?,
    })
}

fn report(
    event: &str,
    details: Value,
    process: Option<Arc<ProcessInfo>>,
) -> Result<Option<Report>, String> {
    let state = match event {
        "memguard.agent.started" => {
            return Ok(Some(Report::Started(started(wire::typed(details)?))));
        }
        "memguard.run.summary" | "memguard.agent.stopped" => {
            return Ok(Some(ended(wire::typed(details)?)));
        }
        "memguard.finding.opened" => State::Opened,
        "memguard.finding.updated" => State::Updated,
        "memguard.finding.resolved" => State::Resolved,
        _ => return Ok(None),
    };
    let process = process.ok_or_else(|| "has a finding of no process".to_owned())?;
    let finding = finding(wire::typed(details)?, state, process)?;
    Ok(Some(Report::Finding(Box::new(finding))))
}

fn started(started: wire::Started) -> Started {
    let wire::Agent {
        scope,
        kernel_bytes,
    } = started.agent;
    Started {
        stamp: Stamp(0),
        scope: scope.unwrap_or_default(),
        attached: Vec::new(),
        missing: Vec::new(),
        kernel_bytes: kernel_bytes.unwrap_or_default(),
    }
}

fn process(process: wire::Process, container: Option<String>) -> ProcessInfo {
    let created = process.creation.and_then(|creation| creation.time);
    let executable = process.executable;
    let (name, path) = executable.map_or((None, None), |it| (it.name, it.path));
    ProcessInfo {
        id: ProcessId {
            tgid: process.pid,
            start_ticks: created.as_deref().and_then(ticks).unwrap_or_default(),
        },
        parent: process.parent_pid,
        name,
        executable: path,
        command_line: process.command_line,
        uid: process.user.and_then(|user| user.id),
        cgroup: process.linux.and_then(|linux| linux.cgroup),
        container,
    }
}

pub(super) fn evidence(evidence: Option<wire::Evidence>) -> Evidence {
    let Some(evidence) = evidence else {
        return Evidence::default();
    };
    let mut reasons = evidence.reasons.unwrap_or_default();
    if evidence.conclusive == Some(false) && reasons.is_empty() {
        reasons.push("the file says so".to_owned());
    }
    Evidence {
        events_lost: evidence.events_lost.unwrap_or_default(),
        reasons,
    }
}

fn ended(ended: wire::Ended) -> Report {
    let wire::Ended {
        summary: it,
        evidence,
    } = ended;
    let number = |(name, count): (String, u64)| Some((Verdict::named(&name)?.name(), count));
    let findings = it.findings.into_iter().flatten();
    let observed = seconds(it.observed_seconds).unwrap_or_default();
    let summary = Summary {
        observed,
        processes_judged: it.processes_judged.unwrap_or_default(),
        processes_running: it.processes_running.unwrap_or_default(),
        findings: findings.filter_map(number).collect(),
        left: it.left_count.unwrap_or_default(),
        suppressions: it
            .suppressions
            .into_iter()
            .flatten()
            .map(suppression)
            .collect(),
        known: it.known_count,
        evidence: self::evidence(evidence),
        cost: it.cost.map(|it| cost(&it, observed)).unwrap_or_default(),
        exit: it.exit.map(run_exit),
        ..Summary::default()
    };
    Report::Stopped(Box::new(summary))
}

fn cost(cost: &wire::Cost, observed: Duration) -> Cost {
    let percent = cost.agent_cpu_percent;
    let observing = percent.map(|percent| percent / 100.0 * observed.as_secs_f64());
    Cost {
        cpu: seconds(cost.agent_cpu_seconds).unwrap_or_default(),
        cpu_observing: seconds(observing),
        rss_bytes: cost.agent_rss_bytes,
        kernel_bytes: cost.kernel_bytes.unwrap_or_default(),
        events_read: cost.events_read,
        bpf_time: seconds(cost.bpf_seconds),
    }
}

fn suppression(rule: wire::Suppression) -> Suppression {
    Suppression {
        place: rule.place.unwrap_or_default(),
        rule: rule.rule.unwrap_or_default(),
        count: rule.count.unwrap_or_default(),
        findings: Vec::new(),
    }
}

fn run_exit(exit: wire::RunExit) -> RunExit {
    RunExit {
        process: None,
        command_code: exit.command_code,
        code: exit.code,
        reason: exit.reason.unwrap_or_default(),
    }
}

/// Anything that is no length of time is not known.
pub(super) fn seconds(seconds: Option<f64>) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds?).ok()
}

/// As people read it, to the second.
fn time(text: &str) -> Option<String> {
    let time: Timestamp = text.parse().ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn ticks(text: &str) -> Option<u64> {
    let time: Timestamp = text.parse().ok()?;
    u64::try_from(time.as_nanosecond() / TICK_NS).ok()
}
