//! What the tests of the sinks share: example reports, golden files, a check against the schema.

mod check;
mod findings;
mod hostile;
mod reports;
mod runs;
mod subjects;

use std::{env, fs, path::PathBuf};

pub(super) use self::{
    check::check_schema,
    findings::finding,
    hostile::{hostile_reports, hostile_text},
    reports::{census, reports, started, summary},
    runs::{two_reviews, two_runs},
    subjects::{context, process},
};
use crate::{
    model::report::Report,
    output::{
        JsonlSink, Sink as _,
        read::{Recorded, read},
        wire::Context,
    },
    review::{Review, Run},
};

/// Compares with a committed file, or writes it where `UPDATE_GOLDEN` is set.
pub(super) fn check_golden(name: &str, actual: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/output/golden");
    let file = folder.join(name);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, actual).expect("golden files are writable");
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    let hint = "if that is meant: UPDATE_GOLDEN=1 cargo test -p memguard golden";
    assert!(
        expected == actual,
        "{name} differs, {hint}; it is now:\n{actual}"
    );
}

/// The lines of [`reports`].
pub(super) fn golden_lines() -> Vec<String> {
    lines_of(&reports()).lines().map(str::to_owned).collect()
}

/// Reports as JSON lines.
pub(super) fn lines_of(reports: &[Report]) -> String {
    let Context {
        host,
        clock,
        redaction,
    } = context();
    let mut out = Vec::new();
    let mut sink = JsonlSink::new(&mut out, host, clock, redaction);
    for report in reports {
        sink.report(report).expect("a Vec takes everything");
    }
    String::from_utf8(out).expect("lines are UTF-8")
}

/// What the lines of [`reports`] come to when they are read again.
pub(super) fn review() -> Review {
    read_review(&(golden_lines().join("\n")))
}

/// What lines come to.
pub(super) fn read_review(lines: &str) -> Review {
    let mut review = Review::default();
    let take = |line: Recorded| {
        let origin = Run {
            host: line.host,
            version: "0.0.0".to_owned(),
            time: line.time,
            ..Run::default()
        };
        review.take(origin, line.report);
    };
    read(lines.as_bytes(), take).expect("lines can be read");
    review
}
