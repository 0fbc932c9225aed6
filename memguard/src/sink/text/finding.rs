//! One finding: a sentence, some of the handles, what to do.

use super::{
    page::{Page, Paint},
    table::{Column, align},
};
use crate::{
    model::finding::{Finding, Sample, Verdict},
    sink::{units::duration, words},
};

/// Under the sentence, after `LEAK  `.
const INDENT: &str = "      ";
/// Handles shown.
const SAMPLES: usize = 3;

pub(super) fn opened(page: &mut Page, finding: &Finding) {
    sentence(page, finding);
    samples(page, &finding.samples);
    limit(page, finding);
    doubts(page, finding);
    if let Some(suggestion) = &finding.suggestion {
        page.paragraph(INDENT, Paint::None, suggestion);
    }
}

pub(super) fn updated(page: &mut Page, finding: &Finding) {
    sentence(page, finding);
    limit(page, finding);
    doubts(page, finding);
}

/// The end of a leak is news; that of others is not.
pub(super) fn resolved(page: &mut Page, finding: &Finding) {
    if matches!(finding.verdict, Verdict::Leak | Verdict::Cleared) {
        page.paragraph("DONE  ", Paint::Good, &words::finding(finding));
    }
}

/// `LEAK  `, and how loud it is.
pub(super) fn tag(verdict: Verdict) -> (String, Paint) {
    let paint = match verdict {
        Verdict::Leak => Paint::Bad,
        Verdict::Left => Paint::Warn,
        Verdict::Aged | Verdict::Inherited => Paint::Dim,
        Verdict::Cleared => Paint::Good,
    };
    (verdict.name().to_uppercase() + "  ", paint)
}

fn sentence(page: &mut Page, finding: &Finding) {
    let (tag, paint) = tag(finding.verdict);
    page.paragraph(&tag, paint, &words::finding(finding));
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

fn cells(sample: &Sample) -> [String; 4] {
    let Sample {
        fd,
        age,
        call,
        target,
        ..
    } = sample;
    let age = age.map(duration).unwrap_or_default();
    let call = call.map(|call| call.name().to_owned()).unwrap_or_default();
    [
        format!("fd {fd}"),
        age,
        call,
        target.clone().unwrap_or_default(),
    ]
}

fn limit(page: &mut Page, finding: &Finding) {
    let Some(limit) = &finding.limit else { return };
    let Some(left) = limit.exhausted_in else {
        return;
    };
    let (name, value) = (limit.name, limit.value);
    page.line(&format!(
        "{INDENT}{name} {value} will be reached in {}",
        duration(left)
    ));
}

/// A doubt stands where the number stands that it taints.
fn doubts(page: &mut Page, finding: &Finding) {
    let unverified = (!finding.verified).then_some("the kernel could not be asked");
    let reasons = finding.evidence.reasons.iter().map(String::as_str);
    let doubts: Vec<_> = unverified.into_iter().chain(reasons).collect();
    if !doubts.is_empty() {
        page.paragraph(
            INDENT,
            Paint::None,
            &format!("not certain: {}", doubts.join("; ")),
        );
    }
}
