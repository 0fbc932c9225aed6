//! A line of `memguard diff --format jsonl`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    compare,
    model::{finding::Finding, resource::Kind},
    output::wire::SCHEMA_VERSION,
};

/// Longest string, in characters.
const TEXT: usize = 4_096;

/// One line of `memguard diff --format jsonl`. Readers ignore fields that they do not know.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "memguard difference line")]
pub struct DifferenceRecord {
    /// Version of this format. The number before the dot changes when a reader must change.
    pub schema_version: &'static str,
    /// Always `memguard.difference`.
    pub event_name: &'static str,
    /// The details.
    pub memguard: DifferencePayload,
}

/// Details of a line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DifferencePayload {
    /// What is not the same.
    pub difference: Difference,
}

/// A fingerprint that is not the same in both files.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Difference {
    /// `new` (only in the newer file), `grew` (more of it, or a graver verdict), `shrank` (less of
    /// it, or a milder verdict) or `gone` (only in the older file).
    #[schemars(extend("enum" = ["new", "grew", "shrank", "gone"]))]
    pub change: &'static str,
    /// As in a finding.
    pub fingerprint: String,
    /// As in a finding.
    pub resource: Option<&'static str>,
    /// As in a finding.
    pub kind: Option<&'static str>,
    /// Name of the program.
    pub program: Option<String>,
    /// The first place of the program's own code; null where it is not known.
    pub place: Option<String>,
    /// What the older file has; null where it is new.
    pub old: Option<Side>,
    /// What the newer file has; null where it is gone.
    pub new: Option<Side>,
}

/// All findings of one fingerprint in one file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Side {
    /// The gravest verdict of theirs.
    pub verdict: &'static str,
    /// Handles in those of this verdict.
    pub open_count: u64,
    /// Bytes in them; null where there are none, or not known.
    pub open_bytes: Option<u64>,
    /// How many findings of this verdict there are.
    pub findings: u64,
}

impl DifferenceRecord {
    /// A difference as a line.
    pub fn new(difference: &compare::Difference) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            event_name: "memguard.difference",
            memguard: DifferencePayload {
                difference: Difference::new(difference),
            },
        }
    }
}

impl Difference {
    fn new(difference: &compare::Difference) -> Self {
        let example = difference.example();
        let kind = example.map(|it| it.kind);
        let cut = |text: &str| text.chars().take(TEXT).collect();
        Self {
            change: difference.change.name(),
            fingerprint: format!("fp1:{:016x}", difference.fingerprint),
            resource: kind.map(|kind| kind.resource().name()),
            kind: kind.map(Kind::name),
            program: example.map(|it| cut(&it.process.label())),
            place: example.and_then(Finding::place).map(cut),
            old: difference.old.as_ref().map(Side::new),
            new: difference.new.as_ref().map(Side::new),
        }
    }
}

impl Side {
    fn new(side: &compare::Side) -> Self {
        Self {
            verdict: side.verdict.name(),
            open_count: side.count,
            open_bytes: side.bytes,
            findings: side.findings,
        }
    }
}
