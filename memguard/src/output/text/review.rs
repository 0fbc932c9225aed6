//! A file of findings for people: what `watch` and `run` say at their end, and each finding.

use super::{
    TextStyle,
    aged::AgedBurst,
    finding,
    page::{Page, Paint},
    sites::Sites,
    summary,
};
use crate::{
    model::{
        finding::{Finding, State, Verdict},
        report::Summary,
    },
    output::{outcome, units::count},
    review::{Review, Reviewed, Run},
};

/// Sites in the table.
const SITES: usize = 40;
/// Findings that are told one by one; the table and the other formats have them all.
const FINDINGS: usize = 50;
/// Runs that are told one by one.
const RUNS: usize = 10;

/// What is in a file; `summary` is that of all its runs together.
pub fn review(review: &Review, summary: &Summary, style: TextStyle) -> String {
    let mut page = Page::new(style);
    page.paragraph("memguard: ", Paint::None, &outcome::verdict(summary));
    let mut told: Vec<_> = review.findings().iter().filter(|it| it.counts()).collect();
    let mut sites = Sites::default();
    for it in &told {
        sites.record(&it.finding);
    }
    summary::table(&mut page, &sites.ranked(), SITES);
    told.sort_by_key(|it| it.finding.verdict.rank());
    findings(&mut page, &told);
    summary::suppressed(&mut page, summary);
    runs(&mut page, review.runs());
    page.into_text()
}

fn findings(page: &mut Page, told: &[&Reviewed]) {
    let aged = |it: &&&Reviewed| it.finding.verdict == Verdict::Aged;
    let grave = told.len() - told.iter().filter(aged).count();
    for it in told.iter().take(grave.min(FINDINGS)) {
        one(page, it);
    }
    if let Some(more) = grave.checked_sub(FINDINGS).filter(|more| *more > 0) {
        let more = count(more as u64, "more finding", "more findings");
        page.line(&format!("… and {more}, see the table"));
    }
    let mut burst = AgedBurst::default();
    for it in told.iter().filter(aged) {
        burst.add(page, &it.finding);
    }
    burst.show(page);
    if !told.is_empty() {
        page.blank();
    }
}

fn one(page: &mut Page, it: &Reviewed) {
    finding::opened(page, &it.finding);
    if it.resolved {
        let resolved = Finding {
            state: State::Resolved,
            ..it.finding.clone()
        };
        finding::resolved(page, &resolved);
    }
}

fn runs(page: &mut Page, runs: &[Run]) {
    for run in runs.iter().take(RUNS) {
        page.paragraph("", Paint::None, &watched(run));
        if let Some(summary) = &run.summary {
            before(page, summary);
            summary::end(page, summary);
        }
    }
    if let Some(more) = runs.len().checked_sub(RUNS).filter(|more| *more > 0) {
        page.line(&format!(
            "… and {}",
            count(more as u64, "more run", "more runs")
        ));
    }
}

/// `watched pid 4242 on node-7 from 2026-11-20 22:08:50 UTC by memguard 0.1.0`.
pub(super) fn watched(run: &Run) -> String {
    let scope = run.scope.as_deref().unwrap_or("an unknown scope");
    let part = |word: &str, text: &str| match text {
        "" => String::new(),
        text => format!(" {word} {text}"),
    };
    let (on, from) = (part("on", &run.host), part("from", &run.time));
    format!(
        "watched {scope}{on}{from}{}",
        part("by memguard", &run.version)
    )
}

/// What was left out when the file was written.
fn before(page: &mut Page, summary: &Summary) {
    let suppressed = summary.suppressed();
    if suppressed > 0 {
        let findings = count(suppressed, "finding", "findings");
        page.line(&format!(
            "{findings} suppressed by that run and not in the file"
        ));
    }
    if let Some(known) = summary.known {
        let findings = count(known, "finding", "findings");
        page.line(&format!("in that run's baseline: {findings}"));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        model::{finding::Evidence, report::Suppression},
        output::testing,
    };

    fn shown(review: &Review, summary: &Summary, columns: u16) -> String {
        let style = TextStyle {
            colour: false,
            columns,
            ..TextStyle::default()
        };
        super::review(review, summary, style)
    }

    #[test]
    fn golden_review() {
        let [old, _] = testing::two_reviews();
        testing::check_golden("review.txt", &shown(&old, &old.summary(), 80));
    }

    #[test]
    fn golden_review_of_everything() {
        let review = testing::review();
        let mut summary = review.summary();
        summary.suppressions = [1, 3, 0]
            .map(|count| Suppression {
                place: format!("api.supp:{count}"),
                rule: "left function=connect_* # known".to_owned(),
                count,
                findings: vec![testing::finding(); (count as usize).min(2)],
            })
            .into();
        testing::check_golden("review-all.txt", &shown(&review, &summary, 100));
    }

    #[test]
    fn golden_review_of_a_file_without_an_end() {
        let lines = testing::golden_lines();
        let review = testing::read_review(&lines[..1].join("\n"));
        testing::check_golden("review-cut.txt", &shown(&review, &review.summary(), 80));
    }

    #[test]
    fn many_findings_and_runs_are_cut() {
        let [old, _] = testing::two_runs();
        let review = testing::read_review(&old.repeat(30));
        let text = shown(&review, &review.summary(), 80);
        assert!(text.lines().count() < 400, "{text}");
        assert!(
            text.contains("\n… and 100 more findings, see the table\n"),
            "{text}"
        );
        assert!(text.contains("\n… and 20 more runs\n"), "{text}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_text_in_a_file_comes_out_harmless(
            text in testing::hostile_text(),
            length in 0_usize..6,
            columns in 0_u16..200,
        ) {
            let lines = testing::lines_of(&testing::hostile_reports(&text, length));
            let review = testing::read_review(&lines);
            let summary = Summary {
                evidence: Evidence::default(),
                ..review.summary()
            };
            let shown = shown(&review, &summary, columns);
            let folded = crate::output::folded::folded(&review, crate::output::folded::Weight::Count);
            for line in shown.split('\n').chain(folded.split('\n')) {
                let harmful = |char: char| char.is_control() || char == '\u{202e}';
                prop_assert!(!line.contains(harmful), "{line:?}");
            }
        }
    }
}
