//! The JSON of the output: the only types that are written to a sink. `docs/schema/` is generated
//! from them, and [`read`](crate::output::read) reads lines back by them.
//!
//! Names nest as in the OpenTelemetry semantic conventions. Unknown is `null`, never 0 and never
//! left out. Every string from outside passes through [`WireBuilder`], which cuts what would make a
//! line too long.
//!
//! Fields of what is read are lenient (`#[serde(default)]`), as lines of other versions may lack
//! some. Of the schema, which is that of lines written now, they are no part
//! (`#[schemars(!default)]`).

mod agent;
mod builder;
mod census;
mod difference;
mod finding;
mod memory;
mod parts;
mod payload;
mod process;
mod schema;
mod stack;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    agent::{Agent, Cost, Exit, Health, MissingProbe, Pid, Probes, RunExit, Summary, Suppression},
    builder::{Bounds, Context, Text, Time, WireBuilder},
    census::{Census, CensusKind, CensusTarget},
    difference::DifferenceRecord,
    finding::{Evidence, Finding},
    memory::{AddressRange, Mappings, Threshold},
    parts::{Growth, History, InStep, Limit, Lives, Sample, Site, TouchSite, Touched},
    payload::{
        AgentStarted, AgentSummary, CensusTaken, EventName, FindingChanged, HealthChanged,
        MappingsShown, Payload, ProcessExited, ThresholdCrossed,
    },
    process::{Container, Creation, Executable, Host, Linux, Process, Service, User},
    schema::{difference_schema, schema},
    stack::{Frame, Stack},
};
use crate::{
    model::{
        finding::{Severity, Verdict},
        process::ProcessInfo,
        report::{self, Report},
    },
    output::words,
};

/// Version of the format. The number before the dot changes when a reader must change.
pub const SCHEMA_VERSION: &str = "1.1";

/// One line of memguard's output. Readers ignore fields that they do not know.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "memguard output line", transform = schema::tie_payload_to_event)]
pub struct Record<P = Payload> {
    /// Version of this format. The number before the dot changes when a reader must change.
    #[serde(default)]
    #[schemars(!default)]
    pub schema_version: Cow<'static, str>,
    /// When it happened.
    #[serde(default)]
    #[schemars(!default)]
    pub timestamp: Time,
    /// What happened; decides what is in `memguard`.
    pub event_name: EventName,
    /// Severity in words: INFO, WARN or ERROR.
    #[schemars(extend("enum" = ["INFO", "WARN", "ERROR"]))]
    #[serde(default)]
    #[schemars(!default)]
    pub severity_text: Cow<'static, str>,
    /// Severity in OpenTelemetry's numbers: 9, 13 or 17.
    #[schemars(extend("enum" = [9, 13, 17]))]
    #[serde(default)]
    #[schemars(!default)]
    pub severity_number: u8,
    /// One sentence for people.
    #[serde(default)]
    #[schemars(!default)]
    pub body: Text,
    /// The host it happened on.
    #[serde(default)]
    #[schemars(!default)]
    pub host: Host,
    /// Who says so.
    #[serde(default)]
    #[schemars(!default)]
    pub service: Service,
    /// The process it is about; null where it is about none.
    pub process: Option<Process>,
    /// The container of that process; null where there is none.
    pub container: Option<Container>,
    /// The details of the event.
    pub memguard: P,
}

impl Record {
    /// A report as a line, no longer than the bounds allow.
    pub fn new(report: &Report, context: &Context, bounds: Bounds) -> Self {
        let builder = WireBuilder::new(context, bounds);
        let process = subject(report);
        let (severity_text, severity_number) = severity(report);
        let mut record = Self {
            schema_version: SCHEMA_VERSION.into(),
            timestamp: builder.time(report.stamp()),
            event_name: EventName::new(report),
            severity_text: severity_text.into(),
            severity_number,
            body: builder.text(&words::body(report, context.redaction)),
            host: Host {
                name: builder.text(&context.host.name),
            },
            service: Service::this(),
            process: process.map(|process| Process::new(process, &builder)),
            container: process.and_then(|process| Container::new(process, &builder)),
            memguard: Payload::new(report, &builder),
        };
        record.memguard.mark_truncated(builder.has_cut());
        record
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
