//! The JSON lines that memguard wrote, and the fields that all of them have.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    fs,
    io::{BufReader, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{counters::Counters, finding::Finding};

/// No line may be longer.
const LONGEST: usize = 256 * 1024;

/// Parsed output, in the order in which it was written.
#[derive(Debug, Default)]
pub struct Lines(Vec<Value>);

impl Lines {
    /// Lines that are already parsed.
    pub fn of(lines: Vec<Value>) -> Self {
        Self(lines)
    }

    /// Reads a finished file.
    ///
    /// # Panics
    ///
    /// When the file cannot be read, or anything in it is not a complete line with one JSON object.
    pub fn read(path: &Path) -> Self {
        let content = fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        assert!(
            content.is_empty() || content.ends_with('\n'),
            "the last line is cut off"
        );
        Self(content.lines().map(parse).collect())
    }

    /// Reads the complete lines of a file that is still being written, if it is there yet.
    pub fn read_so_far(path: &Path) -> Self {
        let mut growing = Growing::new(path);
        growing.read();
        growing.lines
    }

    /// Every line.
    pub fn all(&self) -> &[Value] {
        &self.0
    }

    /// The lines with this `event_name`.
    pub fn events(&self, name: &str) -> Vec<&Value> {
        self.0
            .iter()
            .filter(|line| text(line, "/event_name") == name)
            .collect()
    }

    /// The one line with this `event_name` about process `pid`.
    pub fn event_of(&self, name: &str, pid: u32) -> Option<&Value> {
        self.events(name)
            .into_iter()
            .find(|line| number(line, "/process/pid") == u64::from(pid))
    }

    /// Every line of the `memguard.finding.*` family, whatever its state or verdict.
    pub fn finding_lines(&self) -> Vec<Finding<'_>> {
        let family = |line: &&Value| text(line, "/event_name").starts_with("memguard.finding.");
        self.0.iter().filter(family).map(Finding).collect()
    }

    /// The last state of every finding, in the order of their first lines.
    pub fn latest_findings(&self) -> Vec<Finding<'_>> {
        let mut latest: Vec<Finding<'_>> = Vec::new();
        let mut places = HashMap::new();
        for finding in self.finding_lines() {
            match places.entry(finding.id()) {
                Entry::Occupied(place) => latest[*place.get()] = finding,
                Entry::Vacant(place) => {
                    place.insert(latest.len());
                    latest.push(finding);
                }
            }
        }
        latest
    }

    /// The last state of the findings that have this verdict and are not resolved.
    pub fn findings(&self, verdict: &str) -> Vec<Finding<'_>> {
        with_verdict(&self.latest_findings(), verdict)
    }

    /// What was held by a process at its exit: each group with verdict `left`, and those with
    /// verdict `leak` that no `left` line repeats.
    pub fn left_behind(&self) -> Vec<Finding<'_>> {
        let latest = self.latest_findings();
        let mut left = with_verdict(&latest, "left");
        let told: HashSet<_> = left.iter().map(|finding| finding.group()).collect();
        let leaks = with_verdict(&latest, "leak");
        left.extend(
            leaks
                .into_iter()
                .filter(|leak| !told.contains(&leak.group())),
        );
        left
    }

    /// The summary that ends a `run`.
    ///
    /// # Panics
    ///
    /// When there is none, or more than one.
    pub fn summary(&self) -> &Value {
        let summaries = self.events("memguard.run.summary");
        let [summary] = summaries.as_slice() else {
            panic!(
                "{} lines with memguard.run.summary, not one",
                summaries.len()
            );
        };
        summary
    }

    /// The one line with which a watch ends.
    ///
    /// # Panics
    ///
    /// When it has not ended, or more than once.
    pub fn stopped(&self) -> &Value {
        let stopped = self.events("memguard.agent.stopped");
        let [stopped] = stopped.as_slice() else {
            panic!(
                "{} lines with memguard.agent.stopped, not one",
                stopped.len()
            );
        };
        stopped
    }

    /// The kernel side's counters, from the summary.
    pub fn counters(&self) -> Counters {
        Counters::of(self.summary())
    }
}

/// A file that is still being written; every line of it is read and checked once, however often
/// it is asked for more.
#[derive(Debug)]
pub struct Growing {
    path: PathBuf,
    read: u64,
    /// What there is so far.
    pub lines: Lines,
}

impl Growing {
    /// Nothing is read yet; the file need not be there.
    pub fn new(path: &Path) -> Self {
        let (path, lines) = (path.to_owned(), Lines::default());
        Self {
            path,
            read: 0,
            lines,
        }
    }

    /// Takes the lines that are complete by now. Returns whether there are new ones.
    pub fn read(&mut self) -> bool {
        let more = self.more().unwrap_or_default();
        let Some(end) = more.rfind('\n') else {
            return false;
        };
        self.read += end as u64 + 1;
        self.lines.0.extend(more[..end].lines().map(parse));
        true
    }

    /// What is behind the last complete line.
    fn more(&self) -> std::io::Result<String> {
        let mut file = BufReader::new(fs::File::open(&self.path)?);
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // The last line may end within a character.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn with_verdict<'a>(findings: &[Finding<'a>], verdict: &str) -> Vec<Finding<'a>> {
    let wanted = |finding: &&Finding<'_>| finding.verdict() == verdict && !finding.is_resolved();
    findings.iter().filter(wanted).copied().collect()
}

fn parse(line: &str) -> Value {
    assert!(
        line.len() <= LONGEST,
        "a line of {} bytes: {:?} …",
        line.len(),
        line.get(..200)
    );
    let value: Value = serde_json::from_str(line)
        .unwrap_or_else(|error| panic!("not one JSON value: {error}: {line}"));
    assert!(value.is_object(), "not a JSON object: {line}");
    assert_eq!(text(&value, "/schema_version"), "1.1", "in {line}");
    crate::times::unix_seconds(text(&value, "/timestamp"));
    crate::schema::check(line, &value);
    value
}

/// The text at `pointer` (RFC 6901) of a line.
///
/// # Panics
///
/// When it is absent or no text.
#[track_caller]
pub fn text<'a>(line: &'a Value, pointer: &str) -> &'a str {
    let value = line.pointer(pointer).and_then(Value::as_str);
    value.unwrap_or_else(|| panic!("no text at {pointer} in {line}"))
}

/// The unsigned number at `pointer` of a line.
///
/// # Panics
///
/// When it is absent or no unsigned integer.
#[track_caller]
pub fn number(line: &Value, pointer: &str) -> u64 {
    let value = line.pointer(pointer).and_then(Value::as_u64);
    value.unwrap_or_else(|| panic!("no unsigned integer at {pointer} in {line}"))
}

/// The truth value at `pointer` of a line.
///
/// # Panics
///
/// When it is absent or neither true nor false.
#[track_caller]
pub fn flag(line: &Value, pointer: &str) -> bool {
    let value = line.pointer(pointer).and_then(Value::as_bool);
    value.unwrap_or_else(|| panic!("no true or false at {pointer} in {line}"))
}

/// Reads "0x14e10".
///
/// # Panics
///
/// When it is no address.
#[track_caller]
pub fn address(text: &str) -> u64 {
    let digits = text.strip_prefix("0x");
    let address = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    address.unwrap_or_else(|| panic!("no address: {text}"))
}
