//! Counts by kind and target, for the census.

use std::cmp::Reverse;

use hashbrown::HashMap;

use super::ProcError;
use crate::model::{report::CensusRow, resource::Kind};

/// Targets in a row.
const TARGETS: usize = 3;

/// Target of descriptors that may be listed but not looked at: those of another user namespace, or
/// that a security module guards.
const DENIED: &str = "(permission denied)";

/// Counts of targets by kind.
#[derive(Debug, Default)]
pub(super) struct Tally(HashMap<Kind, HashMap<String, u64>>);

impl Tally {
    /// What was closed meanwhile is not counted.
    pub(super) fn add(
        &mut self,
        found: Result<(Kind, String), ProcError>,
    ) -> Result<(), ProcError> {
        let (kind, target) = match found {
            Err(error) if error.is_gone() => return Ok(()),
            Err(ProcError::Denied { .. }) => (Kind::Other, DENIED.to_owned()),
            found => found?,
        };
        *self.0.entry(kind).or_default().entry(target).or_default() += 1;
        Ok(())
    }

    /// Largest first, at equal counts in the order of kinds and names.
    pub(super) fn rows(self) -> Vec<CensusRow> {
        let mut rows: Vec<_> = self
            .0
            .into_iter()
            .map(|(kind, targets)| row(kind, targets))
            .collect();
        rows.sort_unstable_by_key(|row| (Reverse(row.count), row.kind));
        rows
    }
}

fn row(kind: Kind, targets: HashMap<String, u64>) -> CensusRow {
    let count = targets.values().sum();
    let mut targets: Vec<_> = targets.into_iter().collect();
    targets.sort_unstable_by(|(a, an), (b, bn)| bn.cmp(an).then_with(|| a.cmp(b)));
    targets.truncate(TARGETS);
    CensusRow {
        kind,
        count,
        targets,
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn the_most_frequent_targets_are_kept() {
        let mut tally = Tally::default();
        for target in ["b", "e", "a", "d", "d", "c", "c", "c"] {
            tally.add(Ok((Kind::File, target.to_owned()))).unwrap();
        }
        let expected = [("c", 3), ("d", 2), ("a", 1)].map(|(name, count)| (name.to_owned(), count));
        assert_eq!(tally.rows()[0].targets, expected);
    }

    #[test]
    fn what_may_not_be_looked_at_is_counted_and_what_is_gone_is_not() {
        let mut tally = Tally::default();
        for errno in [Errno::ACCESS, Errno::PERM, Errno::NOENT, Errno::SRCH] {
            tally
                .add(Err(ProcError::new("/proc/1/fd/0".into(), errno)))
                .unwrap();
        }
        let broken = tally.add(Err(ProcError::new("/proc/1/fd/0".into(), Errno::IO)));
        assert!(broken.is_err());
        let rows = tally.rows();
        assert_eq!((rows.len(), rows[0].kind), (1, Kind::Other));
        assert_eq!(rows[0].targets, [(DENIED.to_owned(), 2)]);
    }
}
