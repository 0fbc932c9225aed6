//! The findings that accuse somebody, or warn of a limit, each from its first such line to its
//! last.

use std::collections::BTreeMap;

use crate::finding::Finding;

/// A finding that was alarming at any time.
pub(super) struct Alarm<'a> {
    pub(super) first: Finding<'a>,
    pub(super) last: Finding<'a>,
    /// It still was, in its last line.
    pub(super) stands: bool,
}

pub(super) fn alarms<'a>(findings: &[Finding<'a>]) -> Vec<Alarm<'a>> {
    let alarm = |lines: Vec<Finding<'a>>| {
        let mut alarming = lines.iter().filter(|finding| is_alarming(**finding));
        let first = *alarming.next()?;
        let last = *alarming.next_back().unwrap_or(&first);
        let end = lines.last()?;
        let stands = is_alarming(*end) && !end.is_resolved();
        Some(Alarm {
            first,
            last,
            stands,
        })
    };
    by_id(findings).into_values().filter_map(alarm).collect()
}

/// The lines of each finding, in their order.
pub(super) fn by_id<'a>(findings: &[Finding<'a>]) -> BTreeMap<&'a str, Vec<Finding<'a>>> {
    let mut by_id: BTreeMap<&str, Vec<Finding<'a>>> = BTreeMap::new();
    for finding in findings {
        by_id.entry(finding.id()).or_default().push(*finding);
    }
    by_id
}

fn is_alarming(finding: Finding<'_>) -> bool {
    matches!(finding.verdict(), "leak" | "growth" | "exhaustion")
}
