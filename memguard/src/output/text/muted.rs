//! Warnings like one that was told not long ago: they stand in the table at the end, and nowhere
//! else.

use std::collections::BTreeSet;

use crate::model::finding::{Finding, Severity, State};

/// Findings that are remembered; of older ones the end is told although the beginning was not.
const REMEMBERED: usize = 4_096;

/// Numbers of findings that were not shown when they were opened.
#[derive(Debug, Default)]
pub(super) struct Muted {
    ids: BTreeSet<u64>,
}

impl Muted {
    /// Whether nothing is to be said of it now.
    pub(super) fn silences(&mut self, finding: &Finding) -> bool {
        let Finding { id, alert, .. } = *finding;
        if alert {
            self.ids.remove(&id);
            return false;
        }
        let warning = finding.severity >= Severity::Warn;
        if finding.state == State::Opened && warning {
            self.ids.insert(id);
            if self.ids.len() > REMEMBERED {
                self.ids.pop_first();
            }
        }
        self.ids.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing;

    #[test]
    fn what_is_no_alert_is_silent_until_it_is_one() {
        use Severity::{Info, Warn};
        use State::{Opened, Resolved, Updated};
        let mut muted = Muted::default();
        for (id, state, severity, alert, silent) in [
            (1, Opened, Warn, true, false),
            (1, Updated, Warn, false, false),
            (2, Opened, Warn, false, true),
            (2, Updated, Warn, false, true),
            (2, Updated, Warn, true, false),
            (2, Resolved, Warn, false, false),
            (3, Opened, Warn, false, true),
            (3, Resolved, Warn, false, true),
            (4, Opened, Info, false, false),
            (4, Updated, Warn, true, false),
        ] {
            let finding = Finding {
                id,
                state,
                severity,
                alert,
                ..testing::finding()
            };
            assert_eq!(muted.silences(&finding), silent, "{id} {state:?}");
        }
    }
}
