//! The counters in `memguard.run.summary` and the two identities that hold between them.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

/// Where every acquisition has gone.
const ACQUISITIONS: [&str; 10] = [
    "acquisitions.failed",
    "acquisitions.filtered",
    "acquisitions.paired",
    "acquisitions.replaced",
    "acquisitions.taken_back",
    "acquisitions.evicted",
    "acquisitions.direct",
    "acquisitions.lost",
    "acquisitions.held",
    "acquisitions.swept",
];

/// Where every release has gone.
const RELEASES: [&str; 5] = [
    "releases.filtered",
    "releases.paired",
    "releases.not_open",
    "releases.sent",
    "releases.lost",
];

/// Records that left the kernel.
const SENT: [&str; 4] = [
    "acquisitions.evicted",
    "acquisitions.direct",
    "acquisitions.swept",
    "releases.sent",
];

/// Records that nobody will ever see.
const LOST: [&str; 7] = [
    "acquisitions.lost",
    "releases.lost",
    "take_backs.lost",
    "overlaid.lost",
    "segments.lost",
    "lifecycle.lost",
    "snapshots.lost",
];

/// Counters by name.
#[derive(Debug)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Takes the counters out of a summary line.
    pub fn of(summary: &Value) -> Self {
        let counters = summary
            .pointer("/memguard/counters")
            .and_then(Value::as_object);
        let counters = counters.unwrap_or_else(|| panic!("no memguard.counters in {summary}"));
        let value = |(name, value): (&String, &Value)| {
            let value = value.as_u64();
            (
                name.clone(),
                value.unwrap_or_else(|| panic!("counter {name} is no integer")),
            )
        };
        Self(counters.iter().map(value).collect())
    }

    /// One counter.
    ///
    /// # Panics
    ///
    /// When it is not there: a counter that is missing is not zero.
    pub fn get(&self, name: &str) -> u64 {
        *self
            .0
            .get(name)
            .unwrap_or_else(|| panic!("no counter {name} in {self}"))
    }

    /// Records of acquisitions and releases that went to user space one by one.
    pub fn sent(&self) -> u64 {
        self.sum(&SENT)
    }

    /// Records that were dropped, of every sort.
    pub fn lost(&self) -> u64 {
        self.sum(&LOST)
    }

    /// Every acquisition and every release has gone exactly one of the known ways.
    ///
    /// # Panics
    ///
    /// When one of the two sums is not what was seen.
    #[track_caller]
    pub fn assert_identities(&self) {
        let balance = |seen: &str, parts: &[&str]| {
            assert_eq!(
                self.get(seen),
                self.sum(parts),
                "{seen} is not the sum of its parts: {self}"
            );
        };
        balance("acquisitions.seen", &ACQUISITIONS);
        balance("releases.seen", &RELEASES);
    }

    fn sum(&self, names: &[&str]) -> u64 {
        names.iter().map(|name| self.get(name)).sum()
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        formatter.write_str(&list.join(", "))
    }
}
