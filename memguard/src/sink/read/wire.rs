//! A line as it stands in a file: as much of [`crate::sink::wire`] as a review needs. Whatever may
//! be missing is.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::lines::shown;

#[derive(Debug, Deserialize)]
pub(super) struct Record {
    pub(super) timestamp: Option<String>,
    pub(super) event_name: String,
    pub(super) host: Option<Named>,
    pub(super) service: Option<Service>,
    pub(super) process: Option<Process>,
    pub(super) container: Option<Container>,
    #[serde(default)]
    pub(super) memguard: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Service {
    pub(super) version: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Container {
    pub(super) id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent_pid: Option<u32>,
    pub(super) creation: Option<Creation>,
    pub(super) executable: Option<Executable>,
    pub(super) command_line: Option<String>,
    pub(super) user: Option<User>,
    pub(super) linux: Option<Linux>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Creation {
    pub(super) time: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Executable {
    pub(super) name: Option<String>,
    pub(super) path: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Linux {
    pub(super) cgroup: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Started {
    pub(super) agent: Agent,
}

#[derive(Debug, Deserialize)]
pub(super) struct Agent {
    pub(super) scope: Option<String>,
    pub(super) kernel_bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FindingChanged {
    pub(super) finding: Finding,
    pub(super) stack: Option<Stack>,
    pub(super) evidence: Option<Evidence>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Finding {
    pub(super) id: String,
    pub(super) fingerprint: String,
    pub(super) verdict: String,
    pub(super) judged: Option<String>,
    pub(super) resolution: Option<String>,
    pub(super) alert: Option<bool>,
    pub(super) resource: String,
    pub(super) kind: String,
    pub(super) calls: Option<Vec<String>>,
    pub(super) confidence: Option<f64>,
    pub(super) verified: Option<bool>,
    pub(super) open_count: Option<u64>,
    pub(super) open_bytes: Option<u64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) acquired_count: Option<u64>,
    pub(super) released_count: Option<u64>,
    pub(super) late_count: Option<u64>,
    pub(super) lives: Option<Lives>,
    pub(super) oldest_age_seconds: Option<f64>,
    pub(super) growth: Option<Growth>,
    pub(super) history: Option<History>,
    pub(super) limit: Option<Limit>,
    pub(super) samples: Option<Vec<Sample>>,
    pub(super) sites: Option<Vec<Site>>,
    pub(super) touched: Option<Touched>,
    pub(super) cgroup: Option<String>,
    pub(super) suggestion: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Lives {
    pub(super) count: Option<u64>,
    pub(super) min_seconds: Option<f64>,
    pub(super) median_seconds: Option<f64>,
    pub(super) p99_seconds: Option<f64>,
    pub(super) outlived_count: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Growth {
    pub(super) slope_per_second: Option<f64>,
    pub(super) p_value: Option<f64>,
    pub(super) window_seconds: Option<f64>,
    pub(super) slope_low: Option<f64>,
    pub(super) slope_high: Option<f64>,
    pub(super) shape: Option<String>,
    pub(super) samples: Option<u64>,
    pub(super) baseline: Option<u64>,
    pub(super) critical: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct History {
    pub(super) interval_seconds: Option<f64>,
    pub(super) counts: Option<Vec<u64>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Limit {
    pub(super) name: String,
    pub(super) value: u64,
    pub(super) used: Option<u64>,
    pub(super) exhausted_in_seconds: Option<f64>,
    pub(super) earliest_seconds: Option<f64>,
    pub(super) latest_seconds: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sample {
    pub(super) fd: Option<u32>,
    pub(super) address: Option<String>,
    pub(super) bytes: Option<u64>,
    pub(super) id: Option<u32>,
    pub(super) age_seconds: Option<f64>,
    pub(super) call: Option<String>,
    pub(super) target: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Site {
    pub(super) place: Option<String>,
    pub(super) kind: String,
    pub(super) bytes: Option<u64>,
    pub(super) count: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Touched {
    pub(super) period: Option<u64>,
    pub(super) lost: Option<u64>,
    pub(super) sites: Option<Vec<TouchSite>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TouchSite {
    pub(super) place: Option<String>,
    pub(super) bytes: Option<u64>,
    pub(super) samples: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Stack {
    pub(super) id: Option<String>,
    pub(super) complete: Option<bool>,
    pub(super) reason: Option<String>,
    pub(super) interpreter: Option<String>,
    pub(super) frames: Option<Vec<Frame>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Frame {
    pub(super) ip: Option<String>,
    pub(super) function: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    pub(super) module: Option<String>,
    pub(super) offset: Option<String>,
    pub(super) inlined: Option<bool>,
    pub(super) application: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Evidence {
    pub(super) events_lost: Option<u64>,
    pub(super) conclusive: Option<bool>,
    pub(super) reasons: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Ended {
    pub(super) summary: Summary,
    pub(super) evidence: Option<Evidence>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) observed_seconds: Option<f64>,
    pub(super) processes_judged: Option<u64>,
    pub(super) processes_running: Option<u64>,
    pub(super) findings: Option<BTreeMap<String, u64>>,
    pub(super) left_count: Option<u64>,
    pub(super) suppressions: Option<Vec<Suppression>>,
    pub(super) known_count: Option<u64>,
    pub(super) cost: Option<Cost>,
    pub(super) exit: Option<RunExit>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Suppression {
    pub(super) place: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) count: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cost {
    pub(super) agent_cpu_seconds: Option<f64>,
    pub(super) agent_cpu_percent: Option<f64>,
    pub(super) events_read: Option<u64>,
    pub(super) agent_rss_bytes: Option<u64>,
    pub(super) kernel_bytes: Option<u64>,
    pub(super) bpf_seconds: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RunExit {
    pub(super) command_code: i32,
    pub(super) code: i32,
    pub(super) reason: Option<String>,
}

impl Record {
    pub(super) fn deserialize_from(value: Value) -> Result<Self, String> {
        typed(value)
    }
}

/// A value as what it should be; else what is wrong, with a harmless quote.
pub(super) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    let typed = serde_json::from_value(value);
    typed.map_err(|error| format!("is no line of memguard's: {}", shown(&error.to_string())))
}
