//! Code that reads no kernel, as criterion has timed it: `memguard/benches/pure`, which
//! `cargo xtask bench` runs first.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Options, Row};
use crate::programs::target_dir;

/// The one that is a rate: what criterion calls it, and how many of what it does each time.
const UNWINDING: &str = "unwinding/1024 windows";
const WINDOWS: f64 = 1024.0;

/// The section `pure`.
pub(super) fn measure(_: &Options) -> Vec<Row> {
    let mut found = Vec::new();
    timed_below(&target_dir().join("criterion"), &mut found);
    let mut rows: Vec<Row> = found.iter().filter_map(|folder| row(folder)).collect();
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    if rows.is_empty() {
        rows.push(Row::missing(
            "pure code",
            "cargo bench -p memguard has not run",
        ));
    }
    rows
}

fn row(folder: &Path) -> Option<Row> {
    let [named, sample] = ["benchmark.json", "sample.json"].map(|file| json(&folder.join(file)));
    let name = named?.get("full_id")?.as_str()?.to_owned();
    let times = nanoseconds(&sample?)?;
    if name == UNWINDING {
        let rates: Vec<f64> = times.iter().map(|time| WINDOWS * 1e9 / time).collect();
        return Some(Row::new("unwinding, warm", "windows/s", &rates).at_least(200_000.0));
    }
    Some(Row::new(name, "ns", &times))
}

/// Of one iteration, in each sample.
fn nanoseconds(sample: &Value) -> Option<Vec<f64>> {
    let numbers = |key: &str| {
        let values = sample.get(key)?.as_array()?;
        values
            .iter()
            .map(Value::as_f64)
            .collect::<Option<Vec<f64>>>()
    };
    let (times, counts) = (numbers("times")?, numbers("iters")?);
    Some(
        times
            .iter()
            .zip(counts)
            .map(|(time, count)| time / count)
            .collect(),
    )
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// Folders with the samples of a last run.
fn timed_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name() == "new" {
            found.push(path);
        } else if path.is_dir() {
            timed_below(&path, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::nanoseconds;

    /// A sample is of many iterations, and each sample of others.
    #[test]
    fn samples_are_of_many_iterations() {
        let sample = json!({ "iters": [10.0, 20.0], "times": [50.0, 200.0] });
        assert_eq!(nanoseconds(&sample), Some(vec![5.0, 10.0]));
        assert_eq!(nanoseconds(&json!({ "iters": [1.0] })), None);
    }
}
