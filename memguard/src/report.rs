//! `report`: a file of findings, for people or for a flame graph.

use crate::{
    complain_of_code,
    config::{ReportConfig, ReportFormat, output::Stream},
    failure::Failure,
    files::{self, Findings},
    findings::selection::Selection,
    output::{
        folded::{Weight, folded},
        terminal, text,
    },
    review::Reviewed,
};

/// Exit code where a finding reached the gate.
const GATE: u8 = 1;

/// Reads, shows, and returns the exit code.
pub fn report(config: &ReportConfig) -> Result<u8, Failure> {
    let suppressor = files::suppressor(&config.suppress, None)?;
    let mut selection = Selection::new(suppressor, config.fail_on.clone());
    let mut findings = Findings::read(&config.file)?;
    let mut summary = findings.review.summary();
    let (untold, left) = findings.review.untold();
    selection.untold(&untold, left);
    let keep = |it: &Reviewed| !it.is_withdrawn() && selection.take_past(&it.finding, it.counts());
    findings.review.retain(keep);
    selection.apply(&mut summary);
    findings.doubt(&mut summary.evidence);
    let review = &findings.review;
    let text = match config.format {
        ReportFormat::Text => text::review(
            review,
            &summary,
            terminal::style(config.colour, Stream::Stdout),
        ),
        ReportFormat::Folded => folded(review, Weight::Count),
        ReportFormat::FoldedBytes => folded(review, Weight::Bytes),
    };
    files::print(&text)?;
    let Some(reason) = selection.reached() else {
        return Ok(0);
    };
    complain_of_code(GATE, &reason);
    Ok(GATE)
}
