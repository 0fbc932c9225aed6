//! One line of the `memguard.finding.*` family, and sums over several.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use crate::{
    lines::{address, number, text},
    times::unix_seconds,
};

/// Severity numbers from here on are warnings and worse.
const WARN: u64 = 13;

/// A finding, read from the line that holds it.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'a>(pub &'a Value);

/// One handle of a finding.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The descriptor's number.
    pub fd: u64,
    /// When it was acquired, in seconds since 1970.
    pub acquired_at: f64,
    /// How old it was when the line was written.
    pub age_seconds: f64,
}

/// A place that acquired memory which is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// As `leak (pool.c:88)`, where it could be found out.
    pub place: Option<String>,
    /// `brk`, `anon` …
    pub kind: String,
    /// How much.
    pub bytes: u64,
    /// In how many pieces.
    pub count: u64,
}

/// A place that touched new memory, as far as samples tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// As `leak (pool.c:88)`, where it could be found out.
    pub place: Option<String>,
    /// How much, estimated.
    pub bytes: u64,
    /// By how many samples.
    pub samples: u64,
}

impl<'a> Finding<'a> {
    /// What tells this finding from others of the same run.
    pub fn id(self) -> &'a str {
        text(self.0, "/memguard/finding/id")
    }

    /// `left`, `leak`, `aged` …
    pub fn verdict(self) -> &'a str {
        text(self.0, "/memguard/finding/verdict")
    }

    /// `fd`, `socket`, `mmap` or `heap`.
    pub fn resource(self) -> &'a str {
        text(self.0, "/memguard/finding/resource")
    }

    /// `file`, `tcp`, `pipe` …
    pub fn kind(self) -> &'a str {
        text(self.0, "/memguard/finding/kind")
    }

    /// The system calls by which its handles were acquired.
    pub fn calls(self) -> Vec<&'a str> {
        let calls = self.0.pointer("/memguard/finding/calls");
        let calls = calls.and_then(Value::as_array).into_iter().flatten();
        calls.filter_map(Value::as_str).collect()
    }

    /// Whether it is over: the handles are released, or the process is gone.
    pub fn is_resolved(self) -> bool {
        text(self.0, "/memguard/finding/state") == "resolved"
    }

    /// How many handles the finding is about.
    pub fn open_count(self) -> u64 {
        number(self.0, "/memguard/finding/open_count")
    }

    /// How large they are together, or how large the process is; `None` for what has no size.
    pub fn open_bytes(self) -> Option<u64> {
        self.at("/open_bytes")?.as_u64()
    }

    /// How fast it grows: handles, or bytes where it is memory, a second.
    pub fn slope_per_second(self) -> Option<f64> {
        self.at("/growth/slope_per_second")?.as_f64()
    }

    /// `linear`, `exponential` or `stepwise`.
    pub fn growth_shape(self) -> Option<&'a str> {
        self.at("/growth/shape")?.as_str()
    }

    /// How large the process was when its growth began to be measured.
    pub fn baseline_bytes(self) -> Option<u64> {
        self.at("/growth/baseline")?.as_u64()
    }

    /// Where what is live was acquired, the largest first.
    pub fn sites(self) -> Vec<Site> {
        let sites = self.at("/sites").and_then(Value::as_array);
        sites.into_iter().flatten().map(site).collect()
    }

    /// Who touched the memory that grows, the most first; `None` where that was not asked for.
    pub fn touched(self) -> Option<Vec<Touched>> {
        let sites = self.at("/touched/sites")?.as_array()?;
        Some(sites.iter().map(touched).collect())
    }

    /// Age of its oldest handle.
    pub fn oldest_age_seconds(self) -> f64 {
        let age = self
            .0
            .pointer("/memguard/finding/oldest_age_seconds")
            .and_then(Value::as_f64);
        age.unwrap_or_else(|| panic!("no age in {}", self.0))
    }

    /// The limit that it counts against and how much of it is used, where that is told.
    pub fn limit(self) -> Option<(u64, u64)> {
        let limit = self.0.pointer("/memguard/finding/limit")?;
        limit
            .is_object()
            .then(|| (number(limit, "/value"), number(limit, "/used")))
    }

    /// What that limit is called, as `RLIMIT_NOFILE`.
    pub fn limit_name(self) -> Option<&'a str> {
        self.at("/limit/name")?.as_str()
    }

    /// How sure memguard is, from 0 to 1, where that is told.
    pub fn confidence(self) -> Option<f64> {
        self.at("/confidence")?.as_f64()
    }

    /// The process it is about.
    pub fn pid(self) -> u64 {
        number(self.0, "/process/pid")
    }

    /// When its line was written, in seconds since 1970.
    pub fn written_at(self) -> f64 {
        unix_seconds(text(self.0, "/timestamp"))
    }

    /// Whether the line is a warning or worse.
    pub fn warns(self) -> bool {
        number(self.0, "/severity_number") >= WARN
    }

    /// Single handles, those that the line lists.
    pub fn samples(self) -> Vec<Sample> {
        let samples = self
            .0
            .pointer("/memguard/finding/samples")
            .and_then(Value::as_array);
        samples.into_iter().flatten().map(sample).collect()
    }

    fn at(self, field: &str) -> Option<&'a Value> {
        self.0.pointer(&format!("/memguard/finding{field}"))
    }

    /// Single ranges of addresses, those that the line lists: the first address and the one behind.
    ///
    /// # Panics
    ///
    /// When it lists something else.
    pub fn ranges(self) -> Vec<(u64, u64)> {
        let samples = self.at("/samples").and_then(Value::as_array);
        samples.into_iter().flatten().map(range).collect()
    }

    /// What two lines about the same handles have in common.
    pub fn group(self) -> [&'a Value; 5] {
        [
            "/process/pid",
            "/process/creation/time",
            "/memguard/finding/resource",
            "/memguard/finding/kind",
            "/memguard/finding/fingerprint",
        ]
        .map(|pointer| self.0.pointer(pointer).unwrap_or(&Value::Null))
    }
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {} {}/{} of process {}: {}",
            self.verdict(),
            self.open_count(),
            self.resource(),
            self.kind(),
            self.pid(),
            text(self.0, "/body"),
        )
    }
}

fn sample(value: &Value) -> Sample {
    let age = value.pointer("/age_seconds").and_then(Value::as_f64);
    Sample {
        fd: number(value, "/fd"),
        acquired_at: unix_seconds(text(value, "/acquired_at")),
        age_seconds: age.unwrap_or_else(|| panic!("no age in {value}")),
    }
}

fn touched(value: &Value) -> Touched {
    let place = value.pointer("/place").and_then(Value::as_str);
    Touched {
        place: place.map(str::to_owned),
        bytes: number(value, "/bytes"),
        samples: number(value, "/samples"),
    }
}

fn range(value: &Value) -> (u64, u64) {
    let start = address(text(value, "/address"));
    (start, start + number(value, "/bytes"))
}

fn site(value: &Value) -> Site {
    let place = value.pointer("/place").and_then(Value::as_str);
    Site {
        place: place.map(str::to_owned),
        kind: text(value, "/kind").to_owned(),
        bytes: number(value, "/bytes"),
        count: number(value, "/count"),
    }
}

/// Handles in all of `findings` together.
pub fn total(findings: &[Finding<'_>]) -> u64 {
    findings.iter().map(|finding| finding.open_count()).sum()
}

/// Handles per resource.
pub fn by_resource<'a>(findings: &[Finding<'a>]) -> BTreeMap<&'a str, u64> {
    sum_by(findings, Finding::resource)
}

/// Handles per kind.
pub fn by_kind<'a>(findings: &[Finding<'a>]) -> BTreeMap<&'a str, u64> {
    sum_by(findings, Finding::kind)
}

/// Handles per process.
pub fn by_process(findings: &[Finding<'_>]) -> BTreeMap<u64, u64> {
    sum_by(findings, Finding::pid)
}

/// One line of text per finding, for messages.
pub fn listed(findings: &[Finding<'_>]) -> String {
    let list: Vec<_> = findings.iter().map(ToString::to_string).collect();
    list.join("\n")
}

fn sum_by<'a, K: Ord>(
    findings: &[Finding<'a>],
    key: impl Fn(Finding<'a>) -> K,
) -> BTreeMap<K, u64> {
    let mut sums = BTreeMap::new();
    for finding in findings {
        *sums.entry(key(*finding)).or_default() += finding.open_count();
    }
    sums
}
