//! How many bytes a report takes while it waits.
//!
//! An estimate: what is shared with the agent's own tables counts as if it were not, and short
//! strings count as so many bytes each.

use std::mem::{size_of, size_of_val};

use crate::model::{
    finding::Finding,
    origin::{NamedFrame, Origin},
    report::{Census, CensusRow, Report, Summary},
};

/// A string on the heap: a path, a place or a reason, with its length and capacity.
const STRING: usize = 96;

/// Bytes of a report.
pub(super) fn estimate(report: &Report) -> usize {
    let inner = match report {
        Report::Started(it) => (it.attached.len() + 2 * it.missing.len()) * STRING,
        Report::Census(it) => census(it),
        Report::Finding(it) => finding(it),
        Report::Crossed(it) => size_of_val(&**it),
        Report::Mappings(it) => size_of_val(it.ranges.as_slice()),
        Report::Exited(it) => it.evidence.reasons.len() * STRING,
        Report::Health(it) => it.lost.len() * STRING + size_of_val(it.processes.as_slice()),
        Report::RunSummary(it) | Report::Stopped(it) => summary(it),
    };
    size_of::<Report>() + inner
}

fn census(census: &Census) -> usize {
    let row = |row: &CensusRow| size_of::<CensusRow>() + row.targets.len() * STRING;
    census.rows.iter().map(row).sum()
}

fn finding(finding: &Finding) -> usize {
    let Finding {
        samples,
        sites,
        calls,
        touched,
        history,
        evidence,
        ..
    } = finding;
    let touched = touched.as_ref().map_or(0, |touched| touched.sites.len());
    let history = history
        .as_ref()
        .map_or(0, |course| size_of_val(course.counts.as_slice()));
    let strings = samples.len() + sites.len() + touched + evidence.reasons.len() + 1;
    size_of_val(finding)
        + size_of_val(samples.as_slice())
        + size_of_val(sites.as_slice())
        + size_of_val(calls.as_slice())
        + history
        + finding.origin.as_ref().map_or(0, origin)
        + strings * STRING
}

fn origin(origin: &Origin) -> usize {
    origin.stack.frames.len() * (size_of::<NamedFrame>() + STRING)
}

fn summary(summary: &Summary) -> usize {
    let of_rule = |findings: &[Finding]| findings.iter().map(finding).sum::<usize>();
    let rules = summary.suppressions.iter();
    let suppressed: usize = rules.map(|rule| 2 * STRING + of_rule(&rule.findings)).sum();
    size_of_val(summary) + summary.counters.len() * STRING + suppressed
}
