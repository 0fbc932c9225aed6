//! The JSON of the output: the only types that know serde. `docs/schema/` is generated from them.
//!
//! Names nest as in the OpenTelemetry semantic conventions. Unknown is `null`, never 0 and never
//! left out. Every string from outside passes through [`Scribe`], which cuts what would make a line
//! too long.

mod agent;
mod census;
mod difference;
mod finding;
mod memory;
mod parts;
mod payload;
mod process;
mod schema;
mod scribe;
mod stack;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::{
    agent::{Agent, Cost, Exit, Health, MissingProbe, Pid, Probes, RunExit, Summary, Suppression},
    census::{Census, CensusKind, CensusTarget},
    difference::DifferenceRecord,
    finding::{Evidence, Finding},
    memory::{AddressRange, Mappings, Threshold},
    parts::{Growth, History, Limit, Sample, Site},
    payload::{
        AgentStarted, AgentSummary, CensusTaken, EventName, FindingChanged, HealthChanged,
        MappingsShown, Payload, ProcessExited, ThresholdCrossed,
    },
    process::{Container, Creation, Executable, Host, Linux, Process, Service, User},
    schema::{difference_schema, schema},
    scribe::{Bounds, Context, Scribe, Text, Time},
    stack::{Frame, Stack},
};
use crate::{
    model::{
        finding::{Severity, Verdict},
        ids::Stamp,
        process::ProcessInfo,
        report::{self, Report},
    },
    sink::words,
};

/// Version of the format. The number before the dot changes when a reader must change.
pub const SCHEMA_VERSION: &str = "1.0";

/// One line of memguard's output. Readers ignore fields that they do not know.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "memguard output line", transform = schema::tie_payload_to_event)]
pub struct Record {
    /// Version of this format. The number before the dot changes when a reader must change.
    pub schema_version: &'static str,
    /// When it happened.
    pub timestamp: Time,
    /// What happened; decides what is in `memguard`.
    pub event_name: EventName,
    /// Severity in words: INFO, WARN or ERROR.
    #[schemars(extend("enum" = ["INFO", "WARN", "ERROR"]))]
    pub severity_text: &'static str,
    /// Severity in OpenTelemetry's numbers: 9, 13 or 17.
    #[schemars(extend("enum" = [9, 13, 17]))]
    pub severity_number: u8,
    /// One sentence for people.
    pub body: Text,
    /// The host it happened on.
    pub host: Host,
    /// Who says so.
    pub service: Service,
    /// The process it is about; null where it is about none.
    pub process: Option<Process>,
    /// The container of that process; null where there is none.
    pub container: Option<Container>,
    /// The details of the event.
    pub memguard: Payload,
}

impl Record {
    /// A report as a line, no longer than the bounds allow.
    pub fn new(report: &Report, context: &Context, bounds: Bounds) -> Self {
        let scribe = Scribe::new(context, bounds);
        let process = subject(report);
        let (severity_text, severity_number) = severity(report);
        let mut record = Self {
            schema_version: SCHEMA_VERSION,
            timestamp: scribe.time(stamp(report)),
            event_name: EventName::new(report),
            severity_text,
            severity_number,
            body: scribe.text(&words::body(report, context.redaction)),
            host: Host {
                name: scribe.text(&context.host.name),
            },
            service: Service::this(),
            process: process.map(|process| Process::new(process, &scribe)),
            container: process.and_then(|process| Container::new(process, &scribe)),
            memguard: Payload::new(report, &scribe),
        };
        record.memguard.mark_truncated(scribe.has_cut());
        record
    }
}

fn stamp(report: &Report) -> Stamp {
    match report {
        Report::Started(it) => it.stamp,
        Report::Census(it) => it.stamp,
        Report::Finding(it) => it.last_seen,
        Report::Crossed(it) => it.stamp,
        Report::Mappings(it) => it.stamp,
        Report::Exited(it) => it.stamp,
        Report::Health(it) => it.stamp,
        Report::RunSummary(it) | Report::Stopped(it) => it.stamp,
    }
}

fn subject(report: &Report) -> Option<&ProcessInfo> {
    match report {
        Report::Started(_) | Report::Health(_) => None,
        Report::Census(it) => Some(&it.process),
        Report::Finding(it) => Some(&it.process),
        Report::Crossed(it) => Some(&it.process),
        Report::Mappings(it) => Some(&it.process),
        Report::Exited(it) => Some(&it.process),
        Report::RunSummary(it) | Report::Stopped(it) => it.exit.as_ref()?.process.as_deref(),
    }
}

fn severity(report: &Report) -> (&'static str, u8) {
    let severity = match report {
        Report::Started(_) | Report::Census(_) | Report::Mappings(_) | Report::Exited(_) => {
            Severity::Info
        }
        Report::Crossed(it) => it.severity,
        Report::Finding(it) => it.severity,
        Report::Health(_) => Severity::Warn,
        Report::RunSummary(it) | Report::Stopped(it) => summary_severity(it),
    };
    match severity {
        Severity::Info => ("INFO", 9),
        Severity::Warn => ("WARN", 13),
        Severity::Error => ("ERROR", 17),
    }
}

fn summary_severity(summary: &report::Summary) -> Severity {
    let found = |verdict| summary.found(verdict) > 0;
    let warn = found(Verdict::Leak) || found(Verdict::Growth) || !summary.evidence.conclusive();
    if warn { Severity::Warn } else { Severity::Info }
}
