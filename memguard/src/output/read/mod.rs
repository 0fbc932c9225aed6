//! JSON lines of an earlier run, back as reports.
//!
//! Lenient: fields that are not known are passed over, fields that are missing are not known, and a
//! line that cannot be read is named and counted, and costs nothing but itself. Only a file of a
//! newer version of the format is refused as a whole. What comes out of a file is as hostile as
//! anything from outside: sinks clean it.

mod finding;
mod lines;
mod model;

use std::io::{self, BufRead};

use serde::de::DeserializeOwned;
use serde_json::Value;

use self::lines::{Line, Lines, shown};
use crate::{model::report::Report, output::wire::Record};

/// Longest line that is read, with its newline.
pub const LINE_MAX: usize = 1 << 20;
/// Bad lines that are named; all are counted.
const NAMED: usize = 10;
/// Number before the dot of the newest version of the format that can be read.
const MAJOR: u64 = 1;

/// One line, as far as a review needs it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Name of the host.
    pub host: String,
    /// Version of memguard that wrote it.
    pub version: String,
    /// When, as `2026-11-20 22:08:50 UTC`; empty where that is not known.
    pub time: String,
    /// What it says; `None` for what a review does not need.
    pub report: Option<Report>,
}

/// What kind of file it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Lines that were understood.
    pub good: u64,
    /// Lines that were not.
    pub bad: u64,
    /// The first of those, by number, with what is wrong with them.
    pub complaints: Vec<(u64, String)>,
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is of a newer version of the format.
    #[error(
        "line {line} has format version {version}, but this memguard reads only up to {MAJOR}.x"
    )]
    Newer {
        /// Number of the line.
        line: u64,
        /// What it says that it is of.
        version: String,
    },
    /// Not one line was understood.
    #[error("it contains no memguard output{}", .0.as_deref().unwrap_or_default())]
    Nothing(Option<String>),
}

/// Reads all lines, in their order.
pub fn read(input: impl BufRead, mut take: impl FnMut(Recorded)) -> Result<Reading, ReadError> {
    let mut reading = Reading::default();
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next_line()? {
        match recorded(line) {
            Ok(recorded) => {
                reading.good += 1;
                take(recorded);
            }
            Err(Problem::Newer(version)) => {
                let line = lines.number();
                return Err(ReadError::Newer { line, version });
            }
            Err(Problem::Bad(why)) => reading.complain(lines.number(), why),
        }
    }
    if reading.good > 0 {
        return Ok(reading);
    }
    let first = reading.complaints.first();
    let first = first.map(|(line, why)| format!("; line {line} {why}"));
    Err(ReadError::Nothing(first))
}

/// What is wrong with a line.
enum Problem {
    Bad(String),
    Newer(String),
}

impl Reading {
    fn complain(&mut self, line: u64, why: String) {
        self.bad += 1;
        if self.complaints.len() < NAMED {
            self.complaints.push((line, why));
        }
    }
}

fn recorded(line: Line<'_>) -> Result<Recorded, Problem> {
    let bytes = match line {
        Line::Whole(bytes) => bytes,
        Line::TooLong => return Err(Problem::Bad(format!("is longer than {LINE_MAX} bytes"))),
    };
    let mut value: Value =
        serde_json::from_slice(bytes).map_err(|error| Problem::Bad(not_json(&error)))?;
    version(&value)?;
    drop_nulls(&mut value);
    let record: Record<Option<Value>> = typed(value).map_err(Problem::Bad)?;
    model::recorded(record).map_err(Problem::Bad)
}

/// What serde says of syntax may quote the line, so it is told in our words.
fn not_json(error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "ends in the middle of an object".to_owned();
    }
    format!("is not valid JSON at column {}", error.column())
}

/// A null says no more than a field that is missing, and where it stands for a number or a text
/// that is not known to be missing, serde would refuse it. How deep this goes is bounded by serde.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// A value as what it should be; else what is wrong, with a harmless quote.
fn typed<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    let typed = serde_json::from_value(value);
    typed.map_err(|error| {
        format!(
            "is not a line of memguard output: {}",
            shown(&error.to_string())
        )
    })
}

fn version(value: &Value) -> Result<(), Problem> {
    let version = value.get("schema_version").and_then(|it| it.as_str());
    let none = || Problem::Bad("has no schema_version".to_owned());
    let version = version.ok_or_else(none)?;
    let major = version.split('.').next().and_then(|it| it.parse().ok());
    match major {
        Some(0..=MAJOR) => Ok(()),
        Some(_) => Err(Problem::Newer(shown(version))),
        None => Err(Problem::Bad(format!(
            "has an invalid schema_version: {}",
            shown(version)
        ))),
    }
}

#[cfg(test)]
mod tests;
