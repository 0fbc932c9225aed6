//! Memory of a process as a whole.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::report;

/// A size that is told when it is reached.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Threshold {
    /// The option that sets it, `--rss-warning`, `--rss-critical` or `--rss-emergency`, or the
    /// name of a ceiling of which most is in use, as `memory.max`.
    pub name: Cow<'static, str>,
    /// The size, or the whole ceiling.
    pub value_bytes: u64,
    /// What is in use: of a ceiling, by all whom it holds for; else the process's anonymous
    /// memory.
    pub used_bytes: u64,
    /// Something was left out to keep the line short.
    pub truncated: bool,
}

impl Threshold {
    pub(super) fn new(alert: &report::ThresholdAlert) -> Self {
        Self {
            name: alert.threshold.name().into(),
            value_bytes: alert.value,
            used_bytes: alert.used,
            truncated: false,
        }
    }
}

/// Most ranges in a line.
const RANGES: usize = 4096;

/// What memguard believes that a process has mapped since it came into sight.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Mappings {
    /// Each range, by address.
    pub ranges: Vec<AddressRange>,
    /// Ranges were left out to keep the line short.
    pub truncated: bool,
}

/// Addresses of one process.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct AddressRange {
    /// First address, hexadecimal.
    pub start: String,
    /// First address behind, hexadecimal.
    pub end: String,
}

impl Mappings {
    pub(super) fn new(mappings: &report::Mappings) -> Self {
        let ranges = mappings.ranges.iter().take(RANGES);
        let ranges = ranges.map(|range| AddressRange {
            start: format!("{:#x}", range.start),
            end: format!("{:#x}", range.end),
        });
        Self {
            ranges: ranges.collect(),
            truncated: mappings.ranges.len() > RANGES,
        }
    }
}
