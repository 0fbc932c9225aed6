//! From a line to a report.

use std::{borrow::Cow, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::{Recorded, finding::finding, typed};
use crate::{
    model::{
        finding::{Doubt, Evidence, State, Verdict},
        ids::{ProcessId, Stamp, TICK_NANOSECONDS},
        process::ProcessInfo,
        report::{Cost, Report, RunExit, Started, Summary, Suppression},
    },
    output::wire::{self, EventName, Record},
};

pub(super) fn recorded(record: Record<Option<Value>>) -> Result<Recorded, String> {
    let container = record.container.map(|container| container.id.into());
    let process = record.process.map(|it| Arc::new(process(it, container)));
    Ok(Recorded {
        host: record.host.name.into(),
        version: record.service.version.into_owned(),
        time: time(&record.timestamp).unwrap_or_default(),
        report: report(
            record.event_name,
            record.memguard.unwrap_or_default(),
            process,
        )?,
    })
}

fn report(
    event: EventName,
    details: Value,
    process: Option<Arc<ProcessInfo>>,
) -> Result<Option<Report>, String> {
    let state = match event {
        EventName::AgentStarted => return Ok(Some(Report::Started(started(typed(details)?)))),
        EventName::RunSummary | EventName::AgentStopped => {
            return Ok(Some(ended(typed(details)?)));
        }
        EventName::FindingOpened => State::Opened,
        EventName::FindingUpdated => State::Updated,
        EventName::FindingResolved => State::Resolved,
        EventName::Census
        | EventName::ThresholdCrossed
        | EventName::Mappings
        | EventName::ProcessExited
        | EventName::HealthChanged
        | EventName::Unknown => return Ok(None),
    };
    let process = process.ok_or_else(|| "has a finding without a process".to_owned())?;
    let finding = finding(typed(details)?, state, process)?;
    Ok(Some(Report::Finding(Box::new(finding))))
}

fn started(started: wire::AgentStarted) -> Started {
    Started {
        stamp: Stamp(0),
        scope: started.agent.scope.into(),
        attached: Vec::new(),
        missing: Vec::new(),
        kernel_bytes: started.agent.kernel_bytes,
    }
}

fn process(process: wire::Process, container: Option<String>) -> ProcessInfo {
    ProcessInfo {
        id: ProcessId {
            tgid: process.pid,
            start_ticks: ticks(&process.creation.time).unwrap_or_default(),
        },
        parent: process.parent_pid,
        name: process.executable.name.map(Into::into),
        executable: process.executable.path.map(Into::into),
        command_line: process.command_line.map(Into::into),
        uid: process.user.id,
        cgroup: process.linux.cgroup.map(Into::into),
        container,
    }
}

pub(super) fn evidence(evidence: wire::Evidence) -> Evidence {
    let reasons = evidence.reasons.into_iter();
    let mut reasons: Vec<_> = reasons.map(|it| Doubt::Written(it.into())).collect();
    if !evidence.conclusive && reasons.is_empty() {
        reasons.push(Doubt::Unexplained);
    }
    Evidence {
        events_lost: evidence.events_lost,
        reasons,
    }
}

fn ended(ended: wire::AgentSummary) -> Report {
    let it = ended.summary;
    let number = |(name, count): (Cow<'static, str>, u64)| Some((Verdict::named(&name)?, count));
    let observed = seconds(Some(it.observed_seconds)).unwrap_or_default();
    let summary = Summary {
        observed,
        processes_judged: it.processes_judged,
        processes_running: it.processes_running,
        findings: it.findings.into_iter().filter_map(number).collect(),
        left: it.left_count,
        left_untold: it.left_untold_processes,
        suppressions: it.suppressions.into_iter().map(suppression).collect(),
        known: it.known_count,
        evidence: evidence(ended.evidence),
        cost: cost(&it.cost, observed),
        exit: it.exit.map(run_exit),
        ..Summary::default()
    };
    Report::Stopped(Box::new(summary))
}

fn cost(cost: &wire::Cost, observed: Duration) -> Cost {
    let percent = cost.agent_cpu_percent;
    let observing = percent.map(|percent| percent / 100.0 * observed.as_secs_f64());
    Cost {
        cpu: seconds(Some(cost.agent_cpu_seconds)).unwrap_or_default(),
        cpu_observing: seconds(observing),
        rss_bytes: cost.agent_rss_bytes,
        kernel_bytes: cost.kernel_bytes,
        events_read: cost.events_read,
        bpf_time: seconds(cost.bpf_seconds),
    }
}

fn suppression(rule: wire::Suppression) -> Suppression {
    Suppression {
        place: rule.place.into(),
        rule: rule.rule.into(),
        count: rule.count,
        findings: Vec::new(),
    }
}

fn run_exit(exit: wire::RunExit) -> RunExit {
    RunExit {
        process: None,
        command_code: exit.command_code,
        code: exit.code,
        reason: exit.reason.into(),
    }
}

/// Anything that is no length of time is not known.
pub(super) fn seconds(seconds: Option<f64>) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds?).ok()
}

/// As people read it, to the second.
fn time(time: &wire::Time) -> Option<String> {
    let time: Timestamp = time.as_str().parse().ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn ticks(time: &wire::Time) -> Option<u64> {
    let time: Timestamp = time.as_str().parse().ok()?;
    u64::try_from(time.as_nanosecond() / i128::from(TICK_NANOSECONDS)).ok()
}
