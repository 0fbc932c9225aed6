//! The table of all sites, and what it comes to.

use std::fmt;

use super::{
    judge::{Told, Verdict, shown},
    site::Site,
};

/// One site: what was expected, and what was told.
#[derive(Clone, Debug)]
pub struct Row {
    name: &'static str,
    named: bool,
    expected: String,
    got: String,
    complete: String,
    verdict: Verdict,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Report {
    rows: Vec<Row>,
}

impl Row {
    /// The row of a site.
    pub fn new(site: &Site, line: Option<u64>, told: &[Told], verdict: Verdict) -> Self {
        let place = site
            .mark
            .zip(line)
            .map(|((file, _), line)| format!(" {file}:{line}"));
        let stacks = || told.iter().map(|told| told.stack.as_ref());
        let got = stacks().map(|stack| match stack.and_then(|stack| stack.application()) {
            Some(frame) => shown(frame),
            None => "-".to_owned(),
        });
        let complete = stacks().map(|stack| match stack {
            Some(stack) if stack.complete => "yes",
            Some(_) => "no",
            None => "-",
        });
        Self {
            name: site.name,
            named: site.named,
            expected: format!("{}{}", site.right, place.unwrap_or_default()),
            got: joined(got),
            complete: joined(complete.map(str::to_owned)),
            verdict,
        }
    }
}

/// Each different one once.
fn joined(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<_> = parts.collect();
    parts.dedup();
    parts.join(", ")
}

impl Report {
    /// The report of these rows.
    pub fn new(rows: Vec<Row>) -> Self {
        Self { rows }
    }

    /// How many sites there are.
    pub fn sites(&self) -> usize {
        self.rows.len()
    }

    /// How many have to be named, and how many of them are.
    pub fn named(&self) -> (usize, usize) {
        let named = self.rows.iter().filter(|row| row.named);
        let right = named.clone().filter(|row| row.verdict == Verdict::Right);
        (named.count(), right.count())
    }

    /// The sites of which something is told that is not so.
    pub fn wrong(&self) -> Vec<&Row> {
        self.with(|verdict| matches!(verdict, Verdict::Wrong(_)))
    }

    /// The sites that are not told in full.
    pub fn missing(&self) -> Vec<&Row> {
        self.with(|verdict| matches!(verdict, Verdict::Missing(_)))
    }

    fn with(&self, is: impl Fn(&Verdict) -> bool) -> Vec<&Row> {
        self.rows.iter().filter(|row| is(&row.verdict)).collect()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            named,
            expected,
            got,
            complete,
            verdict,
        } = self;
        let expected = if *named {
            expected.clone()
        } else {
            format!("({expected})")
        };
        write!(
            formatter,
            "{name:22} {expected:44} {got:44} {complete:8} {verdict}"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [
            "site",
            "expected (may be unnamed)",
            "got",
            "complete",
            "verdict",
        ];
        let [site, expected, got, complete, verdict] = head;
        writeln!(
            formatter,
            "{site:22} {expected:44} {got:44} {complete:8} {verdict}"
        )?;
        for row in &self.rows {
            writeln!(formatter, "{row}")?;
        }
        let (named, right) = self.named();
        let (wrong, sites) = (self.wrong().len(), self.sites());
        write!(
            formatter,
            "{sites} sites, {right} of {named} that have a name are right, {wrong} wrong"
        )
    }
}
