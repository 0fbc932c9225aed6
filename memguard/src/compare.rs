//! Two reviews side by side, by fingerprint: what is new, what is gone, what changed.

use std::collections::BTreeMap;

use crate::{
    model::finding::{Finding, Verdict},
    review::Review,
};

/// What became of a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Only the newer has it.
    New,
    /// The newer has more of it, or calls it by a graver verdict.
    Grew,
    /// The newer has less of it, or calls it by a milder verdict.
    Shrank,
    /// Only the older has it.
    Gone,
}

impl Change {
    /// Every change there is.
    pub const ALL: [Self; 4] = [Self::New, Self::Grew, Self::Shrank, Self::Gone];

    /// As it stands in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Grew => "grew",
            Self::Shrank => "shrank",
            Self::Gone => "gone",
        }
    }
}

/// All findings of one fingerprint in one review.
#[derive(Clone, Debug)]
pub struct Side {
    /// The gravest.
    pub verdict: Verdict,
    /// Handles of that verdict.
    pub count: u64,
    /// Bytes in them, where they have any.
    pub bytes: Option<u64>,
    /// Findings of that verdict: one a process.
    pub findings: u64,
    /// One of them.
    pub example: Finding,
}

/// A fingerprint that is not the same on both sides.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What became of it.
    pub change: Change,
    /// The fingerprint.
    pub fingerprint: u64,
    /// What the older has.
    pub old: Option<Side>,
    /// What the newer has.
    pub new: Option<Side>,
}

impl Difference {
    /// One of its findings, a newer one where there is one.
    pub fn example(&self) -> Option<&Finding> {
        let side = self.new.as_ref().or(self.old.as_ref());
        side.map(|side| &side.example)
    }
}

/// Two reviews side by side.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// By change, then by verdict and weight.
    pub differences: Vec<Difference>,
    /// Fingerprints that are the same on both sides.
    pub same: u64,
}

impl Comparison {
    /// Compares what counts of both.
    pub fn new(old: &Review, new: &Review) -> Self {
        let (mut old, new) = (sides(old), sides(new));
        let mut comparison = Self::default();
        for (fingerprint, side) in new {
            comparison.put(fingerprint, old.remove(&fingerprint), Some(side));
        }
        for (fingerprint, side) in old {
            comparison.put(fingerprint, Some(side), None);
        }
        let weight = |it: &Difference| {
            let side = it.new.as_ref().or(it.old.as_ref());
            let weight = side.map(|side| (side.verdict.rank(), u64::MAX - side.count));
            (it.change, weight, it.fingerprint)
        };
        comparison.differences.sort_by_cached_key(weight);
        comparison
    }

    /// How many fingerprints changed that way.
    pub fn count(&self, change: Change) -> u64 {
        let same = self.differences.iter().filter(|it| it.change == change);
        same.count() as u64
    }

    fn put(&mut self, fingerprint: u64, old: Option<Side>, new: Option<Side>) {
        let change = match (&old, &new) {
            (Some(old), Some(new)) => change(old, new),
            (None, _) => Some(Change::New),
            (_, None) => Some(Change::Gone),
        };
        let Some(change) = change else {
            self.same += 1;
            return;
        };
        self.differences.push(Difference {
            change,
            fingerprint,
            old,
            new,
        });
    }
}

/// The verdict weighs most; of memory that grows its size counts, of all else the number.
fn change(old: &Side, new: &Side) -> Option<Change> {
    let size = |side: &Side| match side.verdict {
        Verdict::Growth => (side.bytes.unwrap_or_default(), 0),
        _ => (side.count, side.bytes.unwrap_or_default()),
    };
    let graver = old.verdict.rank().cmp(&new.verdict.rank());
    match graver.then_with(|| size(new).cmp(&size(old))) {
        std::cmp::Ordering::Less => Some(Change::Shrank),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(Change::Grew),
    }
}

fn sides(review: &Review) -> BTreeMap<u64, Side> {
    let mut sides: BTreeMap<u64, Side> = BTreeMap::new();
    let told = review.findings().iter().filter(|it| it.counts());
    // What went flat is no accusation any more.
    for it in told.filter(|it| it.finding.verdict != Verdict::Cleared) {
        let side = Side::of(&it.finding);
        sides
            .entry(it.finding.fingerprint)
            .and_modify(|known| known.add(&side))
            .or_insert(side);
    }
    sides
}

impl Side {
    fn of(finding: &Finding) -> Self {
        Self {
            verdict: finding.verdict,
            count: finding.open_count,
            bytes: finding.open_bytes,
            findings: 1,
            example: finding.clone(),
        }
    }

    /// What piled up and then was left is one and the same: only the gravest verdict is added up.
    fn add(&mut self, more: &Self) {
        match more.verdict.rank().cmp(&self.verdict.rank()) {
            std::cmp::Ordering::Less => *self = more.clone(),
            std::cmp::Ordering::Greater => {}
            std::cmp::Ordering::Equal => {
                self.count = self.count.saturating_add(more.count);
                self.findings += more.findings;
                self.bytes = match (self.bytes, more.bytes) {
                    (Some(ours), Some(theirs)) => Some(ours.saturating_add(theirs)),
                    (ours, theirs) => ours.or(theirs),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{report::Report, testing},
        review::Run,
    };

    /// Fingerprint, verdict, count and bytes.
    type Told = (u64, Verdict, u64, Option<u64>);

    fn review(findings: &[Told]) -> Review {
        let mut review = Review::default();
        for (id, told) in (1_u64..).zip(findings) {
            let (fingerprint, verdict, open_count, open_bytes) = *told;
            let finding = Finding {
                id,
                fingerprint,
                open_bytes,
                ..testing::finding(verdict, open_count)
            };
            review.take(Run::default(), Some(Report::Finding(Box::new(finding))));
        }
        review
    }

    fn check(old: &[Told], new: &[Told], expected: &[(Change, u64)], same: u64) {
        let comparison = Comparison::new(&review(old), &review(new));
        let found = comparison.differences.iter();
        let found: Vec<_> = found.map(|it| (it.change, it.fingerprint)).collect();
        assert_eq!((found.as_slice(), comparison.same), (expected, same));
    }

    #[test]
    fn fingerprints_are_new_gone_or_changed() {
        use Change::{Gone, Grew, New, Shrank};
        use Verdict::{Aged, Cleared, Growth, Leak, Left};
        check(&[], &[], &[], 0);
        check(&[(1, Leak, 2, None)], &[(1, Leak, 2, None)], &[], 1);
        check(
            &[(1, Leak, 2, None), (2, Leak, 2, None), (4, Leak, 9, None)],
            &[
                (2, Leak, 3, None),
                (3, Left, 9, None),
                (4, Leak, 8, None),
                (5, Leak, 1, None),
            ],
            &[(New, 5), (New, 3), (Grew, 2), (Shrank, 4), (Gone, 1)],
            0,
        );
        check(
            &[(1, Aged, 9, None)],
            &[(1, Leak, 2, None)],
            &[(Grew, 1)],
            0,
        );
        check(
            &[(1, Leak, 2, Some(10))],
            &[(1, Leak, 2, Some(11))],
            &[(Grew, 1)],
            0,
        );
        check(
            &[(1, Growth, 9, Some(10))],
            &[(1, Growth, 1, Some(10))],
            &[],
            1,
        );
        check(&[], &[(1, Cleared, 9, None)], &[], 0);
    }

    #[test]
    fn findings_of_one_fingerprint_are_one() {
        use Verdict::{Leak, Left};
        let workers = [
            (1, Left, 3, Some(1)),
            (1, Left, 4, None),
            (1, Left, 5, Some(2)),
        ];
        let side = &sides(&review(&workers))[&1];
        assert_eq!((side.count, side.findings, side.bytes), (12, 3, Some(3)));
        // What leaked and then was left at the exit is told by both, and counts once.
        let both = [(1, Left, 32, None), (1, Leak, 28, None), (1, Left, 1, None)];
        let side = &sides(&review(&both))[&1];
        assert_eq!((side.verdict, side.count, side.findings), (Leak, 28, 1));
    }
}
