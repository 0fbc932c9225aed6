//! How often a finding is told, and which of those that are told somebody should hear of now.
//!
//! A service with five hundred workers that leak alike, and a leak that comes and goes, are one
//! piece of news: a fingerprint is an alert once in a while, and again when it is graver than
//! before. All of them are told; only this mark differs.

use std::{collections::BTreeSet, time::Duration};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::model::{
    finding::{Finding, Severity, State},
    ids::Stamp,
};

/// How often findings are told, at most.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ReportThrottle {
    /// A finding is updated, and nothing is called flat before it was for so long.
    pub update: Duration,
    /// A fingerprint is an alert, unless it is graver than before.
    pub alert: Duration,
}

impl ReportThrottle {
    /// Updates after twelve judgements, and alerts once an hour.
    pub fn at(interval: Duration) -> Self {
        Self {
            update: interval.saturating_mul(12),
            alert: Duration::from_hours(1),
        }
    }
}

/// Fingerprints that are remembered; beyond it the oldest is forgotten, and is news again.
const REMEMBERED: usize = 4096;

/// What was told, and when.
#[derive(Debug)]
pub(super) struct Alerts {
    every: Duration,
    told: HashMap<u64, (Stamp, Severity)>,
    by_age: BTreeSet<(Stamp, u64)>,
}

impl Alerts {
    /// Nothing told yet; of each fingerprint one in so long.
    pub(super) fn new(every: Duration) -> Self {
        Self {
            every,
            told: HashMap::new(),
            by_age: BTreeSet::new(),
        }
    }

    /// Whether this is one. What is no warning never is.
    pub(super) fn is_news(&mut self, finding: &Finding, now: Stamp) -> bool {
        let Finding {
            fingerprint,
            severity,
            state,
            ..
        } = *finding;
        if severity < Severity::Warn || state == State::Resolved {
            return false;
        }
        let before = self.told.get(&fingerprint);
        let quiet =
            |(at, told): &(Stamp, Severity)| severity <= *told && now.since(*at) < self.every;
        if before.is_some_and(quiet) {
            return false;
        }
        self.remember(fingerprint, severity, now);
        true
    }

    fn remember(&mut self, fingerprint: u64, severity: Severity, now: Stamp) {
        if let Some((at, _)) = self.told.insert(fingerprint, (now, severity)) {
            self.by_age.remove(&(at, fingerprint));
        }
        self.by_age.insert((now, fingerprint));
        if self.by_age.len() > REMEMBERED
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.told.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{finding::Verdict, testing};

    fn finding(fingerprint: u64, severity: Severity) -> Finding {
        Finding {
            fingerprint,
            severity,
            ..testing::finding(Verdict::Leak, 7)
        }
    }

    #[test]
    fn a_fingerprint_is_news_once_an_hour_and_when_it_is_graver() {
        use Severity::{Error, Info, Warn};
        let mut alerts = Alerts::new(Duration::from_hours(1));
        for (minute, fingerprint, severity, expected, why) in [
            (0, 1, Info, false, "no warning"),
            (1, 1, Warn, true, "the first"),
            (2, 1, Warn, false, "the same again"),
            (3, 2, Warn, true, "another one"),
            (4, 1, Error, true, "graver"),
            (5, 1, Warn, false, "milder"),
            (6, 1, Error, false, "as grave as told"),
            (64, 1, Warn, true, "an hour later"),
            (65, 1, Error, true, "graver than then"),
        ] {
            let now = Stamp(minute * 60_000_000_000);
            let got = alerts.is_news(&finding(fingerprint, severity), now);
            assert_eq!(got, expected, "{why}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut alerts = Alerts::new(Duration::from_hours(1));
        for fingerprint in 0..10_000 {
            assert!(alerts.is_news(&finding(fingerprint, Severity::Warn), Stamp(fingerprint)));
        }
        assert_eq!(
            (alerts.told.len(), alerts.by_age.len()),
            (REMEMBERED, REMEMBERED)
        );
        let now = Stamp(10_000);
        assert!(
            !alerts.is_news(&finding(9_999, Severity::Warn), now),
            "remembered"
        );
        assert!(
            alerts.is_news(&finding(0, Severity::Warn), now),
            "forgotten"
        );
    }
}
