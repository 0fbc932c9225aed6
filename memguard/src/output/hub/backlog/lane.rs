//! How important a report is.

use crate::model::{finding::State, report::Report};

/// What is dropped first. The order of the variants is that of dropping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// A newer report will say the same and more.
    Updates,
    /// Told once, and of no consequence for what follows.
    Once,
    /// Without it the reader would not know that something is wrong, or that it is over.
    Findings,
    /// Never dropped; there is one in a run.
    Beginning,
    /// The summary, likewise.
    End,
}

impl Lane {
    pub(super) const ALL: [Self; 5] = [
        Self::Updates,
        Self::Once,
        Self::Findings,
        Self::Beginning,
        Self::End,
    ];
    pub(super) const DROPPABLE: [Self; 3] = [Self::Updates, Self::Once, Self::Findings];

    pub(super) fn of(report: &Report) -> Self {
        match report {
            Report::Finding(finding) if finding.state == State::Updated => Self::Updates,
            Report::Finding(_) | Report::Health(_) => Self::Findings,
            Report::Census(_) | Report::Crossed(_) | Report::Mappings(_) | Report::Exited(_) => {
                Self::Once
            }
            Report::Started(_) => Self::Beginning,
            Report::RunSummary(_) | Report::Stopped(_) => Self::End,
        }
    }
}
