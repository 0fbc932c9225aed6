//! What a process holds.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::report,
    output::wire::{
        builder::{Text, WireBuilder},
        parts::Limit,
    },
};

/// What a process holds, whenever it was acquired.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Census {
    /// All its descriptors.
    pub open_count: u64,
    /// Those that were open before memguard came; never a leak.
    pub preexisting_count: u64,
    /// Its limit on descriptors.
    pub limit: Option<Limit>,
    /// Resident memory.
    pub rss_bytes: Option<u64>,
    /// Not every descriptor was looked at.
    pub partial: bool,
    /// By kind, largest first.
    pub kinds: Vec<CensusKind>,
    /// Kinds, targets, or ends of long texts, were left out to keep the line short.
    pub truncated: bool,
}

/// Descriptors of one kind.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct CensusKind {
    /// `fd` or `socket`.
    pub resource: Cow<'static, str>,
    /// What they are.
    pub kind: Cow<'static, str>,
    /// How many.
    pub count: u64,
    /// The most frequent targets, most frequent first.
    pub targets: Vec<CensusTarget>,
}

/// What descriptors lead to.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct CensusTarget {
    /// Path or peer, digits folded to `#`.
    pub target: Text,
    /// How many descriptors lead there.
    pub count: u64,
}

impl Census {
    pub(super) fn new(census: &report::Census, builder: &WireBuilder<'_>) -> Self {
        Self {
            open_count: census.open,
            preexisting_count: census.preexisting,
            limit: census.limit.as_ref().map(Limit::new),
            rss_bytes: census.rss_bytes,
            partial: census.partial,
            kinds: builder.list(&census.rows, |row| CensusKind::new(row, builder)),
            truncated: false,
        }
    }
}

impl CensusKind {
    fn new(row: &report::CensusRow, builder: &WireBuilder<'_>) -> Self {
        let target = |(target, count): &(String, u64)| CensusTarget {
            target: builder.text(target),
            count: *count,
        };
        Self {
            resource: row.kind.resource().name().into(),
            kind: row.kind.name().into(),
            count: row.count,
            targets: builder.list(&row.targets, target),
        }
    }
}
