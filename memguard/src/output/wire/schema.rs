//! The JSON schema of a line, generated from the types; the copy in `docs/schema/` is kept equal by
//! a test.

use schemars::{Schema, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::output::wire::{DifferenceRecord, Record};

/// Which definition `memguard` follows, by event.
const PAYLOADS: [(&str, &[&str]); 8] = [
    ("AgentStarted", &["memguard.agent.started"]),
    ("CensusTaken", &["memguard.census"]),
    (
        "FindingChanged",
        &[
            "memguard.finding.opened",
            "memguard.finding.updated",
            "memguard.finding.resolved",
        ],
    ),
    ("ThresholdCrossed", &["memguard.threshold.crossed"]),
    ("MappingsShown", &["memguard.mappings"]),
    ("ProcessExited", &["memguard.process.exited"]),
    ("HealthChanged", &["memguard.health.changed"]),
    (
        "AgentSummary",
        &["memguard.run.summary", "memguard.agent.stopped"],
    ),
];

/// JSON schema (draft 2020-12) of a line of the output.
pub fn schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Record>()
}

/// JSON schema (draft 2020-12) of a line of `memguard diff --format jsonl`.
pub fn difference_schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let generator = settings.into_generator();
    generator.into_root_schema_for::<DifferenceRecord>()
}

/// Says which event carries which payload: the types alone only say that it is one of them.
pub(super) fn tie_payload_to_event(schema: &mut Schema) {
    let ties: Vec<_> = PAYLOADS
        .iter()
        .map(|(payload, events)| tie(payload, events))
        .collect();
    schema.insert("allOf".to_owned(), Value::Array(ties));
}

fn tie(payload: &str, events: &[&str]) -> Value {
    let payload = format!("#/$defs/{payload}");
    json!({
        "if": { "properties": { "event_name": { "enum": events } } },
        "then": { "properties": { "memguard": { "$ref": payload } } },
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, env, fs, path::PathBuf};

    use super::*;
    use crate::output::testing::{check_schema, golden_lines};

    const REFRESH: &str = "UPDATE_SCHEMA=1 cargo test -p memguard schema";

    #[test]
    fn the_committed_schema_is_the_generated_one() {
        let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/schema");
        let file = docs.join("memguard-1.1.schema.json");
        if env::var_os("UPDATE_SCHEMA").is_some() {
            let text = serde_json::to_string_pretty(&schema()).expect("a schema is JSON") + "\n";
            fs::create_dir_all(&docs).expect("docs is writable");
            fs::write(&file, text).expect("docs/schema is writable");
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        let committed = serde_json::from_str(&committed).unwrap_or(Value::Null);
        let same = committed == schema().to_value();
        assert!(same, "{} is out of date, run: {REFRESH}", file.display());
    }

    #[test]
    fn every_event_of_the_schema_is_tied_to_a_payload() {
        let schema = schema().to_value();
        let named = |event: &Value| event["const"].as_str().map(str::to_owned);
        let events = schema["$defs"]["EventName"]["oneOf"]
            .as_array()
            .expect("constants");
        let events: BTreeSet<_> = events.iter().filter_map(named).collect();
        let tied = PAYLOADS
            .iter()
            .flat_map(|(_, events)| events.iter().copied());
        assert_eq!(events, tied.map(str::to_owned).collect());
        for (payload, _) in PAYLOADS {
            assert!(schema["$defs"][payload].is_object(), "{payload}");
        }
    }

    /// What was added since is unknown to the older schema, so its lines are read and not checked.
    #[test]
    fn the_schema_of_older_files_stays_as_it_was() {
        let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/schema");
        let old = fs::read_to_string(docs.join("memguard-1.0.schema.json"));
        let old: Value = serde_json::from_str(&old.expect("it is kept")).expect("it is JSON");
        let lines = include_str!("../golden/version-1.0.jsonl").lines();
        for line in lines {
            let value = serde_json::from_str(line).expect("a line is JSON");
            check_schema(&old, &old, &value).unwrap_or_else(|why| panic!("{why} in {line}"));
        }
    }

    #[test]
    fn golden_lines_follow_the_schema() {
        let schema = schema().to_value();
        for line in golden_lines() {
            let value = serde_json::from_str(&line).expect("a line is JSON");
            check_schema(&schema, &schema, &value).unwrap_or_else(|why| panic!("{why} in {line}"));
        }
    }

    #[test]
    fn the_schema_refuses_what_the_contract_refuses() {
        let schema = schema().to_value();
        let line = golden_lines()
            .into_iter()
            .next()
            .expect("there are golden lines");
        let good: Value = serde_json::from_str(&line).expect("a line is JSON");
        let spoilt = [
            ("event_name", json!("memguard.unheard.of")),
            ("event_name", json!("memguard.census")),
            ("timestamp", json!(7)),
            ("memguard", json!({})),
            ("host", json!({})),
            ("process", json!({ "pid": 0 })),
        ];
        for (field, value) in spoilt {
            let mut bad = good.clone();
            bad[field] = value;
            check_schema(&schema, &schema, &bad).expect_err(field);
        }
        let mut bad = good;
        bad.as_object_mut().expect("an object").remove("container");
        check_schema(&schema, &schema, &bad).expect_err("left out is not null");
    }
}
