//! Which event carries what.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::{
        finding::State,
        report::{self, Report},
    },
    output::wire::{
        agent::{Agent, Exit, Health, Summary},
        builder::{Text, WireBuilder},
        census::Census,
        finding::{Evidence, Finding},
        memory::{Mappings, Threshold},
        stack::Stack,
    },
};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EventName {
    /// Everything is attached.
    #[serde(rename = "memguard.agent.started")]
    AgentStarted,
    /// What a process holds.
    #[serde(rename = "memguard.census")]
    Census,
    /// A finding was reported for the first time.
    #[serde(rename = "memguard.finding.opened")]
    FindingOpened,
    /// A finding changed in a way that matters.
    #[serde(rename = "memguard.finding.updated")]
    FindingUpdated,
    /// The handles were released, or the process is gone.
    #[serde(rename = "memguard.finding.resolved")]
    FindingResolved,
    /// A process has reached a size that is told when it is reached.
    #[serde(rename = "memguard.threshold.crossed")]
    ThresholdCrossed,
    /// What memguard believes that a process has mapped; asked for with `--show-mappings`.
    #[serde(rename = "memguard.mappings")]
    Mappings,
    /// A watched process ended and was judged.
    #[serde(rename = "memguard.process.exited")]
    ProcessExited,
    /// Events were lost, or what can be seen changed.
    #[serde(rename = "memguard.health.changed")]
    HealthChanged,
    /// The command of `memguard run` and all it started were judged.
    #[serde(rename = "memguard.run.summary")]
    RunSummary,
    /// The agent ends.
    #[serde(rename = "memguard.agent.stopped")]
    AgentStopped,
    /// One of a newer memguard; never written.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

impl EventName {
    pub(super) fn new(report: &Report) -> Self {
        match report {
            Report::Started(_) => Self::AgentStarted,
            Report::Census(_) => Self::Census,
            Report::Finding(finding) => match finding.state {
                State::Opened => Self::FindingOpened,
                State::Updated => Self::FindingUpdated,
                State::Resolved => Self::FindingResolved,
            },
            Report::Crossed(_) => Self::ThresholdCrossed,
            Report::Mappings(_) => Self::Mappings,
            Report::Exited(_) => Self::ProcessExited,
            Report::Health(_) => Self::HealthChanged,
            Report::RunSummary(_) => Self::RunSummary,
            Report::Stopped(_) => Self::AgentStopped,
        }
    }
}

/// The details of an event; `event_name` decides which.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[expect(
    missing_docs,
    reason = "the types say it, and in the schema the event name decides"
)]
pub enum Payload {
    Started(AgentStarted),
    Census(CensusTaken),
    Finding(Box<FindingChanged>),
    Crossed(ThresholdCrossed),
    Mappings(MappingsShown),
    Exited(ProcessExited),
    Health(HealthChanged),
    Summary(Box<AgentSummary>),
}

/// Details of `memguard.agent.started`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentStarted {
    /// The agent.
    pub agent: Agent,
}

/// Details of `memguard.census`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct CensusTaken {
    /// What the process holds.
    pub census: Census,
}

/// Details of `memguard.finding.*`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct FindingChanged {
    /// The finding.
    pub finding: Finding,
    /// Where in the program they were acquired; null where that could not be found out.
    pub stack: Option<Stack>,
    /// How far it can be trusted.
    #[serde(default)]
    #[schemars(!default)]
    pub evidence: Evidence,
}

/// Details of `memguard.threshold.crossed`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdCrossed {
    /// What was reached.
    pub threshold: Threshold,
}

/// Details of `memguard.mappings`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct MappingsShown {
    /// What is held.
    pub mappings: Mappings,
}

/// Details of `memguard.process.exited`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProcessExited {
    /// How it ended.
    pub exit: Exit,
    /// How far that can be trusted.
    #[serde(default)]
    #[schemars(!default)]
    pub evidence: Evidence,
}

/// Details of `memguard.health.changed`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct HealthChanged {
    /// What was lost.
    pub health: Health,
}

/// Details of `memguard.run.summary` and `memguard.agent.stopped`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentSummary {
    /// How it ended.
    pub summary: Summary,
    /// Every counter, the kernel's and the agent's, by name.
    #[serde(default)]
    #[schemars(!default)]
    pub counters: BTreeMap<Text, u64>,
    /// How far it can be trusted.
    #[serde(default)]
    #[schemars(!default)]
    pub evidence: Evidence,
}

impl Payload {
    pub(super) fn new(report: &Report, builder: &WireBuilder<'_>) -> Self {
        match report {
            Report::Started(it) => Self::Started(AgentStarted {
                agent: Agent::new(it, builder),
            }),
            Report::Census(it) => Self::Census(CensusTaken {
                census: Census::new(it, builder),
            }),
            Report::Finding(it) => Self::Finding(Box::new(FindingChanged {
                finding: Finding::new(it, builder),
                stack: it.origin.as_ref().map(|origin| Stack::new(origin, builder)),
                evidence: Evidence::new(&it.evidence, builder),
            })),
            Report::Crossed(it) => Self::Crossed(ThresholdCrossed {
                threshold: Threshold::new(it),
            }),
            Report::Mappings(it) => Self::Mappings(MappingsShown {
                mappings: Mappings::new(it),
            }),
            Report::Exited(it) => Self::Exited(ProcessExited {
                exit: Exit::new(it),
                evidence: Evidence::new(&it.evidence, builder),
            }),
            Report::Health(it) => Self::Health(HealthChanged {
                health: Health::new(it, builder),
            }),
            Report::RunSummary(it) | Report::Stopped(it) => {
                Self::Summary(Box::new(AgentSummary::new(it, builder)))
            }
        }
    }

    pub(super) fn mark_truncated(&mut self, truncated: bool) {
        *match self {
            Self::Started(it) => &mut it.agent.truncated,
            Self::Census(it) => &mut it.census.truncated,
            Self::Finding(it) => &mut it.finding.truncated,
            Self::Crossed(it) => &mut it.threshold.truncated,
            Self::Mappings(it) => {
                it.mappings.truncated |= truncated;
                return;
            }
            Self::Exited(it) => &mut it.exit.truncated,
            Self::Health(it) => &mut it.health.truncated,
            Self::Summary(it) => &mut it.summary.truncated,
        } = truncated;
    }
}

impl AgentSummary {
    fn new(summary: &report::Summary, builder: &WireBuilder<'_>) -> Self {
        Self {
            summary: Summary::new(summary, builder),
            counters: builder.numbers(&summary.counters),
            evidence: Evidence::new(&summary.evidence, builder),
        }
    }
}
