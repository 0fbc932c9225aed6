//! Differences between two files of findings, as JSON lines.

use crate::{compare::Comparison, output::wire::DifferenceRecord};

/// One object a line, in the order of the comparison.
pub fn jsonl(comparison: &Comparison) -> serde_json::Result<String> {
    let mut lines = String::new();
    for difference in &comparison.differences {
        lines += &serde_json::to_string(&DifferenceRecord::new(difference))?;
        lines.push('\n');
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::PathBuf};

    use serde_json::Value;

    use super::*;
    use crate::output::{testing, wire::difference_schema};

    fn lines() -> String {
        let [old, new] = testing::two_reviews();
        jsonl(&Comparison::new(&old, &new)).expect("it is JSON")
    }

    /// The tests of the commands read these.
    #[test]
    fn golden_runs() {
        let [old, new] = testing::two_runs();
        testing::check_golden("old.jsonl", &old);
        testing::check_golden("new.jsonl", &new);
    }

    #[test]
    fn golden_difference_lines() {
        testing::check_golden("difference.jsonl", &lines());
    }

    #[test]
    fn lines_follow_the_schema() {
        let schema = difference_schema().to_value();
        for line in lines().lines() {
            let value = serde_json::from_str(line).expect("a line is JSON");
            let checked = testing::check_schema(&schema, &schema, &value);
            checked.unwrap_or_else(|why| panic!("{why} in {line}"));
        }
    }

    #[test]
    fn the_committed_schema_is_the_generated_one() {
        let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/schema");
        let file = docs.join("memguard-difference-1.1.schema.json");
        let schema = difference_schema();
        if env::var_os("UPDATE_SCHEMA").is_some() {
            let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
            fs::write(&file, text).expect("docs/schema is writable");
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        let committed: Value = serde_json::from_str(&committed).unwrap_or_default();
        let hint = "UPDATE_SCHEMA=1 cargo test -p memguard schema";
        assert!(
            committed == schema.to_value(),
            "{} is out of date: {hint}",
            file.display()
        );
    }
}
