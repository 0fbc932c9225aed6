//! What a process holds.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    model::report,
    sink::wire::{
        parts::Limit,
        scribe::{Scribe, Text},
    },
};

/// What a process holds, whenever it was acquired.
#[derive(Debug, Serialize, JsonSchema)]
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
#[derive(Debug, Serialize, JsonSchema)]
pub struct CensusKind {
    /// `fd` or `socket`.
    pub resource: &'static str,
    /// What they are.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
    /// The most frequent targets, most frequent first.
    pub targets: Vec<CensusTarget>,
}

/// What descriptors lead to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CensusTarget {
    /// Path or peer, digits folded to `#`.
    pub target: Text,
    /// How many descriptors lead there.
    pub count: u64,
}

impl Census {
    pub(super) fn new(census: &report::Census, scribe: &Scribe<'_>) -> Self {
        Self {
            open_count: census.open,
            preexisting_count: census.preexisting,
            limit: census.limit.as_ref().map(Limit::new),
            rss_bytes: census.rss_bytes,
            partial: census.partial,
            kinds: scribe.list(&census.rows, |row| CensusKind::new(row, scribe)),
            truncated: false,
        }
    }
}

impl CensusKind {
    fn new(row: &report::CensusRow, scribe: &Scribe<'_>) -> Self {
        let target = |(target, count): &(String, u64)| CensusTarget {
            target: scribe.text(target),
            count: *count,
        };
        Self {
            resource: row.kind.resource().name(),
            kind: row.kind.name(),
            count: row.count,
            targets: scribe.list(&row.targets, target),
        }
    }
}
