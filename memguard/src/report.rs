//! `report`: a file of findings, for people or for a flame graph.

use crate::{
    cli::{ReportArgs, ReportFormat, ReportGate},
    failure::Failure,
    files::{self, Findings},
    model::{finding::Verdict, report::Summary},
    pipeline,
    screen::Screen,
    sink::{
        folded::{Weight, folded},
        text,
    },
};

/// Exit code where a finding reached the gate.
const GATE: u8 = 1;

/// Reads, shows, and returns the exit code.
pub fn report(args: &ReportArgs) -> Result<u8, Failure> {
    let mut screen = files::screen(&args.suppress, None)?;
    let mut findings = Findings::read(&args.file)?;
    let mut summary = findings.review.summary();
    findings.review.retain(|finding| screen.take(finding));
    let reached = reached(args.fail_on, &screen, &summary);
    screen.apply(&mut summary);
    findings.doubt(&mut summary.evidence);
    let review = &findings.review;
    let text = match args.format {
        ReportFormat::Text => text::review(review, &summary, pipeline::stdout_style(args.color)),
        ReportFormat::Folded => folded(review, Weight::Count),
        ReportFormat::FoldedBytes => folded(review, Weight::Bytes),
    };
    files::print(&text)?;
    Ok(if reached { GATE } else { 0 })
}

/// As `watch` and `run` judge, so that a file has the same verdict as the run that wrote it.
fn reached(gate: ReportGate, screen: &Screen, summary: &Summary) -> bool {
    let any = |verdict: Verdict| {
        let named = summary
            .findings
            .iter()
            .find(|(name, _)| *name == verdict.name());
        screen.reaching(verdict, named.map_or(0, |(_, count)| *count)) > 0
    };
    match gate {
        ReportGate::Never => false,
        ReportGate::Leak => any(Verdict::Leak),
        ReportGate::Growth => any(Verdict::Leak) || any(Verdict::Growth),
        ReportGate::Left => screen.left_reaching(summary.left) > 0,
    }
}
