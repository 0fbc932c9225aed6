//! What becomes of a finding that is told: whether it is shown, and whether it reaches the gate.
//!
//! Pure, and the same for `watch`, `run` and `report`, so that a file has the verdict of the run
//! that wrote it.

use super::{
    gate::{Gate, GateTally},
    suppression::Suppressor,
};
use crate::model::{
    finding::{Finding, Verdict},
    ids::ProcessId,
    report::Summary,
};

/// Decides about every finding on its way to the sinks.
#[derive(Debug, Default)]
pub struct Selection {
    suppressor: Suppressor,
    tally: GateTally,
    /// What processes held at their ends is only counted.
    hides_left: bool,
    hidden: Hidden,
}

/// Processes whose ends were not told.
#[derive(Debug, Default)]
struct Hidden {
    processes: u64,
    /// Findings of one process come one after the other.
    last: Option<ProcessId>,
}

impl Selection {
    /// Nothing was told yet.
    pub fn new(suppressor: Suppressor, gate: Gate) -> Self {
        Self {
            suppressor,
            tally: GateTally::new(gate),
            ..Self::default()
        }
    }

    /// What processes held at their ends is shown only where that was asked for; else it is
    /// counted, and nothing else.
    #[must_use]
    pub fn show_left(mut self, shown: bool) -> Self {
        self.hides_left = !shown;
        self
    }

    /// Takes a finding as it is told; says whether it is to be shown.
    pub fn take(&mut self, finding: &Finding) -> bool {
        if self.hides_left && is_left(finding) {
            self.hidden.add(finding.process.id);
            return false;
        }
        let decision = self.suppressor.take(finding);
        self.tally.take(finding, decision.counts());
        decision.is_shown()
    }

    /// Takes a finding of a file, as it stood last; `stands` is false where it is over and was
    /// nothing, or was withdrawn.
    pub fn take_past(&mut self, finding: &Finding, stands: bool) -> bool {
        let decision = self.suppressor.take(finding);
        self.tally.take(finding, stands && decision.counts());
        decision.is_shown()
    }

    /// What a file has lost of a verdict, and of descriptors left at exits: only their numbers are
    /// known.
    pub fn untold(&mut self, findings: &[(Verdict, u64)], left: u64) {
        for (verdict, count) in findings {
            self.tally.untold(*verdict, *count);
        }
        self.tally.untold_left(left);
    }

    /// Why the gate was reached, in a line; `None` where it was not.
    pub fn reached(&self) -> Option<String> {
        self.tally.reached()
    }

    /// Takes what was suppressed out of a summary, and says there what is not shown.
    pub fn apply(&self, summary: &mut Summary) {
        self.suppressor.apply(summary);
        if self.hides_left {
            summary.left_untold = Some(self.hidden.processes);
        }
    }
}

impl Hidden {
    fn add(&mut self, process: ProcessId) {
        self.processes += u64::from(self.last != Some(process));
        self.last = Some(process);
    }
}

/// Descriptors that a process held when it ended; what had piled up is more than that.
fn is_left(finding: &Finding) -> bool {
    let verdict = matches!(finding.verdict, Verdict::Left | Verdict::Inherited);
    verdict && finding.left_descriptors() > 0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        findings::suppression::Rules,
        model::{finding::Moment, process::ProcessInfo, resource::Kind, testing},
    };

    fn of(tgid: u32, verdict: Verdict, open_count: u64) -> Finding {
        let start_ticks = 1;
        let id = ProcessId { tgid, start_ticks };
        Finding {
            process: Arc::new(ProcessInfo::unknown(id)),
            id: u64::from(tgid),
            moment: Moment::Exit,
            ..testing::finding(verdict, open_count)
        }
    }

    #[test]
    fn what_was_left_is_counted_and_not_shown_unless_asked_for() {
        let gate = || "left".parse().expect("a gate");
        let told = [
            (of(1, Verdict::Left, 3), false),
            (of(1, Verdict::Inherited, 2), false),
            (of(2, Verdict::Left, 3), false),
            // Had piled up: that is more.
            (of(3, Verdict::Leak, 9), true),
            // No descriptor: it stays on the host.
            (
                Finding {
                    kind: Kind::SysvShm,
                    ..of(4, Verdict::Left, 1)
                },
                true,
            ),
        ];
        let mut hiding = Selection::new(Suppressor::default(), gate()).show_left(false);
        let mut showing = Selection::new(Suppressor::default(), gate()).show_left(true);
        for (finding, shown) in &told {
            assert_eq!(hiding.take(finding), *shown, "{finding:?}");
            assert!(showing.take(finding), "{finding:?}");
        }
        let mut summaries = [17, 17].map(|left| Summary {
            left,
            ..Summary::default()
        });
        let [hidden, shown] = &mut summaries;
        hiding.apply(hidden);
        showing.apply(shown);
        assert_eq!((hidden.left, hidden.left_untold), (17, Some(2)));
        assert_eq!((shown.left, shown.left_untold), (17, None));
        assert!(showing.reached().is_some());
    }

    #[test]
    fn what_is_suppressed_reaches_no_gate() {
        let rules = Rules::parse("test", "left").expect("a rule");
        let gate = "leak,left".parse().expect("a gate");
        let mut selection = Selection::new(Suppressor::new(rules, false), gate);
        assert!(!selection.take(&of(1, Verdict::Left, 3)));
        assert_eq!(selection.reached(), None);
        assert!(selection.take(&of(2, Verdict::Leak, 3)));
        let reached = selection.reached().expect("a leak");
        assert!(reached.starts_with("1 leak (") && reached.contains(", 3 descriptors left"));
    }

    #[test]
    fn what_a_file_says_was_withdrawn_reaches_no_gate() {
        let gate = "leak".parse().expect("a gate");
        let mut selection = Selection::new(Suppressor::default(), gate);
        assert!(selection.take_past(&of(1, Verdict::Leak, 3), false));
        assert_eq!(selection.reached(), None);
        selection.untold(&[(Verdict::Leak, 1)], 0);
        assert!(selection.reached().is_some());
    }
}
