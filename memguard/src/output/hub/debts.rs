//! What a dropped report of a finding leaves to the next one of the same finding.
//!
//! A reader that never saw a finding opened is told its next update as the opening, and an alert
//! that was dropped is made up for. A finding that is over before it was told is not told at all.

use std::{collections::BTreeMap, sync::Arc};

use crate::model::{
    finding::{Finding, State},
    report::Report,
};

/// Findings that are remembered: more than are open at a time on any host that was measured, in
/// 640 KiB. An update of one that was forgotten goes out as an update.
const REMEMBERED: usize = 16_384;

/// By id of the finding.
#[derive(Debug, Default)]
pub(super) struct Debts {
    owed: BTreeMap<u64, Debt>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Debt {
    /// Number of the report that was dropped last; older ones that still wait owe nothing.
    number: u64,
    opened: bool,
    alert: bool,
}

/// What becomes of a report that is about to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// As it is.
    AsItIs,
    /// As the first of its finding, or as an alert, or both.
    Instead { opened: bool, alert: bool },
    /// Not at all: the reader never heard of the finding, and it is over.
    Discarded,
}

impl Debts {
    /// The report of this number was dropped.
    pub(super) fn dropped(&mut self, number: u64, finding: &Finding) {
        // Nothing follows.
        if finding.is_final() || finding.state == State::Resolved {
            self.owed.remove(&finding.id);
            return;
        }
        let debt = self.owed.entry(finding.id).or_default();
        debt.number = number;
        debt.opened |= finding.state == State::Opened;
        debt.alert |= finding.alert;
        if self.owed.len() > REMEMBERED {
            self.owed.pop_first();
        }
    }

    /// The report of this number is about to be told.
    pub(super) fn settle(&mut self, number: u64, finding: &Finding) -> Settled {
        let Some(debt) = self.owed.get(&finding.id).copied() else {
            return Settled::AsItIs;
        };
        if number < debt.number {
            return Settled::AsItIs;
        }
        self.owed.remove(&finding.id);
        let Debt { opened, alert, .. } = debt;
        match finding.state {
            State::Resolved if opened => Settled::Discarded,
            State::Resolved => Settled::AsItIs,
            State::Opened | State::Updated => Settled::Instead { opened, alert },
        }
    }
}

impl Settled {
    pub(super) fn is_discarded(self) -> bool {
        self == Self::Discarded
    }

    /// The report to tell.
    pub(super) fn apply(self, report: Arc<Report>) -> Option<Arc<Report>> {
        match self {
            Self::AsItIs => Some(report),
            Self::Discarded => None,
            Self::Instead { opened, alert } => {
                let mut report = Arc::unwrap_or_clone(report);
                if let Report::Finding(finding) = &mut report {
                    finding.alert |= alert;
                    if opened {
                        finding.state = State::Opened;
                    }
                }
                Some(Arc::new(report))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{finding::Verdict, testing};

    fn finding(state: State, alert: bool) -> Finding {
        Finding {
            state,
            alert,
            ..testing::finding(Verdict::Leak, 3)
        }
    }

    /// Reports of one finding that are dropped, then one that is told: number, state, alert.
    fn check(dropped: &[(u64, State, bool)], told: (u64, State), expected: Settled) {
        let mut debts = Debts::default();
        for (number, state, alert) in dropped {
            debts.dropped(*number, &finding(*state, *alert));
        }
        let (number, state) = told;
        let settled = debts.settle(number, &finding(state, false));
        assert_eq!(settled, expected, "{dropped:?} {told:?}");
    }

    #[test]
    fn the_next_report_makes_up_for_the_dropped_ones() {
        use Settled::{AsItIs, Discarded, Instead};
        use State::{Opened, Resolved, Updated};
        let instead = |opened, alert| Instead { opened, alert };
        check(&[], (1, Updated), AsItIs);
        check(&[(1, Opened, false)], (2, Updated), instead(true, false));
        let both = [(1, Opened, true), (2, Updated, false)];
        check(&both, (3, Updated), instead(true, true));
        check(&[(2, Updated, true)], (3, Updated), instead(false, true));
        // What waits in front of the dropped one is not changed.
        check(&[(2, Updated, true)], (1, Opened), AsItIs);
        check(&[(1, Opened, true)], (2, Resolved), Discarded);
        check(&[(2, Updated, true)], (3, Resolved), AsItIs);
        check(
            &[(1, Opened, true), (2, Resolved, false)],
            (3, Updated),
            AsItIs,
        );
    }

    #[test]
    fn not_more_than_a_number_of_findings_are_remembered() {
        let mut debts = Debts::default();
        for id in 0..=REMEMBERED as u64 {
            let opened = finding(State::Opened, false);
            debts.dropped(id, &Finding { id, ..opened });
        }
        assert_eq!(debts.owed.len(), REMEMBERED);
    }
}
