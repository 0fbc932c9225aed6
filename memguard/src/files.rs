//! Files that users name: findings of an earlier run, suppressions, a baseline.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufRead, BufReader, Read as _, Write as _},
    path::Path,
};

use crate::{
    complain,
    config::SuppressConfig,
    failure::Failure,
    findings::suppression::{Rules, Suppressor, defaults},
    model::finding::{Doubt, Evidence},
    output::read::{self, ReadError, Reading, Recorded},
    review::{Review, Run},
};

/// Longest file of suppressions.
const RULES_MAX: u64 = 1 << 20;

/// A file of findings, as far as it could be read.
#[derive(Debug, Default)]
pub struct Findings {
    /// What it comes to.
    pub review: Review,
    /// Lines that could not be read.
    pub bad: u64,
}

impl Findings {
    /// Reads a file, or standard input where it is `-`. Bad lines are told, and cost nothing but
    /// themselves.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let mut review = Review::default();
        let reading = each(path, |line| take(&mut review, line))?;
        tell_bad(path, &reading);
        let bad = reading.bad;
        Ok(Self { review, bad })
    }

    /// Adds that lines could not be read, where there were any, before all other reasons: those
    /// may be many.
    pub fn doubt(&self, evidence: &mut Evidence) {
        if self.bad > 0 {
            let doubt = Doubt::LinesUnreadable(self.bad);
            evidence.reasons.insert(0, doubt);
        }
    }
}

fn take(review: &mut Review, line: Recorded) {
    let Recorded {
        host,
        version,
        time,
        report,
    } = line;
    let origin = Run {
        host,
        version,
        time,
        ..Run::default()
    };
    review.take(origin, report);
}

/// What is to be suppressed, and what is known already.
pub fn suppressor(config: &SuppressConfig, baseline: Option<&Path>) -> Result<Suppressor, Failure> {
    let rules = config.rules.as_deref().map(rules).transpose()?;
    let known = baseline.map(fingerprints).transpose()?;
    let mut rules = rules.unwrap_or_default();
    if !config.without_built_in {
        rules = rules.and_built_in(defaults::rules());
    }
    let suppressor = Suppressor::new(rules, config.show);
    Ok(suppressor.with_baseline(known))
}

fn rules(path: &Path) -> Result<Rules, Failure> {
    let name = path.display();
    let refuse = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot read suppressions from {name}: {why}"))
    };
    let file = File::open(path).map_err(|error| refuse(&error))?;
    let mut bytes = Vec::new();
    let mut limited = file.take(RULES_MAX + 1);
    let read = limited.read_to_end(&mut bytes);
    read.map_err(|error| refuse(&error))?;
    if bytes.len() as u64 > RULES_MAX {
        return Err(refuse(&format!("it is longer than {RULES_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|error| refuse(&error))?;
    Rules::parse(&name.to_string(), &text).map_err(Failure::usage)
}

/// Of every finding in a file. A baseline with holes would make known findings new, so bad lines
/// are no trifle here.
fn fingerprints(path: &Path) -> Result<HashSet<u64>, Failure> {
    if path == Path::new("-") {
        return Err(Failure::usage(
            "standard input belongs to the command and cannot be the --baseline",
        ));
    }
    let mut review = Review::default();
    let reading = each(path, |line| take(&mut review, line))?;
    if let Some((line, why)) = reading.complaints.first() {
        let name = path.display();
        return Err(
            Failure::usage(format!("the baseline {name} is damaged: line {line} {why}"))
                .fix("write a new one: memguard run -o FILE -- COMMAND"),
        );
    }
    // What was withdrawn is not known to be anything.
    let findings = review.findings().iter().filter(|it| !it.is_withdrawn());
    Ok(findings.map(|it| it.finding.fingerprint).collect())
}

fn each(path: &Path, take: impl FnMut(Recorded)) -> Result<Reading, Failure> {
    let refuse = |error: ReadError| {
        Failure::usage(format!(
            "cannot read findings from {}: {error}",
            path.display()
        ))
    };
    let input = open(path).map_err(|error| refuse(error.into()))?;
    read::read(input, take).map_err(refuse)
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    // Opening a directory succeeds, reading it does not, and says nothing of the name.
    Ok(Box::new(BufReader::new(File::open(path)?)))
}

fn tell_bad(path: &Path, reading: &Reading) {
    let name = path.display();
    for (line, why) in &reading.complaints {
        complain(&format!("{name}:{line} {why}"));
    }
    let more = reading.bad - reading.complaints.len() as u64;
    if more > 0 {
        complain(&format!("{name}: {more} more lines could not be read"));
    }
}

/// Results to standard output. A reader that has gone is its own decision.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::caused("cannot write the result", error))
        }
        _ => Ok(()),
    }
}
