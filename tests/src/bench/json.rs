//! All figures as one JSON object: machine, kernel, date, commit, rows.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    host::Host,
    row::{Met, Row, Target},
};

/// Writes the file.
pub(super) fn write(path: &Path, host: &Host, rows: &[Row]) {
    let all = json!({
        "machine": host.machine,
        "cpus": host.cpus,
        "kernel": host.kernel,
        "date": host.date,
        "commit": host.commit,
        "quick": host.quick,
        "rows": rows.iter().map(row).collect::<Vec<_>>(),
    });
    fs::write(path, format!("{all:#}\n"))
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    println!("wrote {}", path.display());
}

fn row(row: &Row) -> Value {
    let sample = row.sample;
    json!({
        "section": row.section,
        "name": row.name,
        "unit": row.unit,
        "median": sample.map(|sample| sample.median),
        "spread": sample.map(|sample| [sample.low, sample.high]),
        "n": sample.map_or(0, |sample| sample.n),
        "target": row.target.map(target),
        "met": row.met().and_then(met),
        "within_noise": row.is_noise(),
        "note": row.note,
    })
}

fn target(target: Target) -> Value {
    match target {
        Target::AtMost(limit) => json!({ "at_most": limit }),
        Target::AtLeast(limit) => json!({ "at_least": limit }),
    }
}

/// Unclear is null.
fn met(met: Met) -> Option<bool> {
    match met {
        Met::Yes => Some(true),
        Met::No => Some(false),
        Met::Unclear => None,
    }
}
