//! The published schemas: what a test reads from memguard has to follow them.

use std::{
    collections::HashSet,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
    sync::{LazyLock, Mutex, PoisonError},
};

use jsonschema::Validator;
use serde_json::Value;

static LINES: LazyLock<Validator> = LazyLock::new(|| validator("memguard-1.1.schema.json"));

/// Lines that were found good: who waits for a line reads all before it again and again.
static GOOD: LazyLock<Mutex<HashSet<u64>>> = LazyLock::new(Mutex::default);

/// Checks a line of findings.
///
/// # Panics
///
/// When it does not follow the schema.
#[track_caller]
pub fn check(line: &str, value: &Value) {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    let hash = hasher.finish();
    let known = |good: &HashSet<u64>| good.contains(&hash);
    if known(&GOOD.lock().unwrap_or_else(PoisonError::into_inner)) {
        return;
    }
    let errors: Vec<String> = LINES
        .iter_errors(value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\nin {line}");
    GOOD.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(hash);
}

fn validator(name: &str) -> Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/schema")
        .join(name);
    let read = fs::read_to_string(&path);
    let text = read.unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let schema: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{} is no JSON: {error}", path.display()));
    jsonschema::validator_for(&schema)
        .unwrap_or_else(|error| panic!("{} is no schema: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{LINES, check, validator};

    /// What `diff --format jsonl` writes is compared with this file by the tests of `diff`.
    #[test]
    fn differences_follow_their_schema() {
        let schema = validator("memguard-difference-1.1.schema.json");
        let golden = include_str!("../../memguard/src/output/golden/difference.jsonl");
        for line in golden.lines() {
            let mut value = serde_json::from_str(line).unwrap();
            assert!(schema.is_valid(&value), "{line}");
            value["memguard"] = json!({});
            assert!(!schema.is_valid(&value), "{line}");
        }
    }

    /// A validator that lets everything pass would make every test green.
    #[test]
    fn good_lines_pass_and_bad_ones_do_not() {
        let golden = include_str!("../../memguard/src/output/golden/reports.jsonl");
        for line in golden.lines() {
            let mut value = serde_json::from_str(line).unwrap();
            check(line, &value);
            for (field, wrong) in [
                ("event_name", json!("memguard.unheard.of")),
                ("timestamp", json!(7)),
                ("memguard", json!({})),
                ("severity_number", json!(1)),
            ] {
                let right = value[field].take();
                value[field] = wrong;
                assert!(!LINES.is_valid(&value), "{field} of {line}");
                value[field] = right;
            }
            assert!(LINES.is_valid(&value));
        }
    }
}
