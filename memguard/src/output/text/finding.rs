//! One finding: a sentence, some of the handles, what to do.

use super::{
    page::{Page, Paint},
    sparkline::{Unit, sparkline},
    table::{Column, align},
};
use crate::{
    model::finding::{Finding, Sample, Touched, Verdict},
    output::{
        outcome, sentence,
        units::{bytes, duration},
    },
};

/// Under the sentence, after `LEAK  `.
const INDENT: &str = "      ";
/// Handles shown.
const SAMPLES: usize = 3;
/// Places shown.
const SITES: usize = 5;

pub(super) fn opened(page: &mut Page, finding: &Finding) {
    sentence(page, finding);
    history(page, finding);
    samples(page, &finding.samples);
    sites(page, finding);
    touched(page, finding);
    in_step(page, finding);
    limit(page, finding);
    doubts(page, finding);
    if let Some(suggestion) = &finding.suggestion {
        page.paragraph(INDENT, Paint::None, suggestion);
    }
}

pub(super) fn updated(page: &mut Page, finding: &Finding) {
    sentence(page, finding);
    history(page, finding);
    in_step(page, finding);
    limit(page, finding);
    doubts(page, finding);
}

/// The end of a leak is news; that of others is not.
pub(super) fn resolved(page: &mut Page, finding: &Finding) {
    if matches!(
        finding.verdict,
        Verdict::Leak | Verdict::Growth | Verdict::Exhaustion | Verdict::Cleared
    ) {
        page.paragraph("DONE  ", Paint::Good, &sentence::finding(finding));
    }
}

/// `LEAK  `, and how loud it is.
pub(super) fn tag(verdict: Verdict) -> (String, Paint) {
    let paint = match verdict {
        Verdict::Leak | Verdict::Growth | Verdict::Exhaustion => Paint::Bad,
        Verdict::Left | Verdict::Suspect | Verdict::Hoard => Paint::Warn,
        Verdict::Aged | Verdict::Inherited => Paint::Dim,
        Verdict::Cleared => Paint::Good,
    };
    (verdict.name().to_uppercase() + "  ", paint)
}

fn sentence(page: &mut Page, finding: &Finding) {
    let (tag, paint) = tag(finding.verdict);
    page.paragraph(&tag, paint, &sentence::finding(finding));
}

fn history(page: &mut Page, finding: &Finding) {
    let unit = if finding.kind.is_size() {
        Unit::Bytes
    } else {
        Unit::Count
    };
    if let Some(course) = &finding.history {
        let line = sparkline(course, unit, page.style());
        page.line(&format!("{INDENT}{line}"));
    }
}

fn samples(page: &mut Page, samples: &[Sample]) {
    let rows = samples.iter().take(SAMPLES).map(cells).collect();
    let layout = [
        Column::LEFT,
        Column::RIGHT,
        Column::LEFT,
        Column::shrinking_to(0),
    ];
    for row in align(rows, layout, page.columns() - INDENT.len()) {
        page.line(&format!("{INDENT}{}", row.join("  ")));
    }
}

/// Who has it: the most first, in bytes or as a count.
fn sites(page: &mut Page, finding: &Finding) {
    let rows = finding.sites.iter().take(SITES).map(|site| {
        let place = site.place.as_deref().unwrap_or("(unknown)");
        let held = if finding.kind.is_size() {
            bytes(site.bytes)
        } else {
            site.count.to_string()
        };
        [held, site.kind.name().to_owned(), place.to_owned()]
    });
    let layout = [Column::RIGHT, Column::LEFT, Column::shrinking_to(8)];
    for row in align(rows.collect(), layout, page.columns() - INDENT.len()) {
        page.line(&format!("{INDENT}{}", row.join("  ")));
    }
}

/// Who touches it: said to be an estimate, and what it lacks.
fn touched(page: &mut Page, finding: &Finding) {
    let Some(touched) = &finding.touched else {
        return;
    };
    let Touched {
        period,
        lost,
        sites,
    } = touched;
    let without = match lost {
        0 => String::new(),
        lost => format!(", {lost} lost"),
    };
    let heading =
        format!("first touched by, estimated (1 page fault in {period} sampled{without}):");
    page.paragraph(INDENT, Paint::None, &heading);
    let rows = sites.iter().take(SITES).map(|site| {
        let place = site.place.as_deref().unwrap_or("(unknown)");
        [bytes(site.bytes), place.to_owned()]
    });
    let layout = [Column::RIGHT, Column::shrinking_to(8)];
    for row in align(rows.collect(), layout, page.columns() - INDENT.len()) {
        page.line(&format!("{INDENT}{}", row.join("  ")));
    }
}

fn cells(sample: &Sample) -> [String; 4] {
    let Sample {
        handle,
        age,
        call,
        target,
        ..
    } = sample;
    let age = age.map(duration).unwrap_or_default();
    let call = call.map(|call| call.name().to_owned()).unwrap_or_default();
    [
        handle.to_string(),
        age,
        call,
        target.clone().unwrap_or_default(),
    ]
}

/// Growth that the handles explain is told with them.
fn in_step(page: &mut Page, finding: &Finding) {
    let Some(in_step) = &finding.in_step else {
        return;
    };
    let all = bytes(in_step.bytes);
    let each = bytes(in_step.bytes_per_handle);
    let line = format!("with {all} of memory that grows in step, {each} each");
    page.paragraph(INDENT, Paint::None, &line);
}

fn limit(page: &mut Page, finding: &Finding) {
    // The sentence of an exhaustion says it.
    let limit = finding.limit.as_ref();
    let Some(limit) = limit.filter(|_| finding.verdict != Verdict::Exhaustion) else {
        return;
    };
    let Some(left) = limit.exhausted_in else {
        return;
    };
    let name = limit.name;
    let value = if finding.verdict == Verdict::Growth {
        bytes(limit.value)
    } else {
        limit.value.to_string()
    };
    let earliest = limit.uncertainty.map_or_else(String::new, |(earliest, _)| {
        format!(" ({} at the earliest)", duration(earliest))
    });
    let reached = format!(
        "{name} {value} will be reached in {}{earliest}",
        duration(left)
    );
    page.paragraph(INDENT, Paint::None, &reached);
}

/// A doubt stands where the number stands that it taints.
fn doubts(page: &mut Page, finding: &Finding) {
    if !finding.evidence.conclusive() {
        let reasons = outcome::texts(&finding.evidence);
        let head = format!("{INDENT}INCONCLUSIVE: ");
        page.paragraph(&head, Paint::Warn, &reasons.join("; "));
    }
}
