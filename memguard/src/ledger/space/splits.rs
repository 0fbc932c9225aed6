//! Acquisitions that are not whole any more. What is whole needs no entry: its one piece is as long
//! as it was acquired.
//!
//! No two acquisitions of one stamp have an address in common (the kernel makes them one after the
//! other; [`super::IntervalMap`] refuses anything else), so stamp and address say which a piece is
//! of.

use std::collections::BTreeMap;

use crate::model::{ids::Stamp, memory::Range};

/// What is known of a split acquisition beside its pieces.
#[derive(Clone, Copy, Debug)]
struct Split {
    /// Where it ended.
    end: u64,
    /// How many pieces are left.
    pieces: u32,
    /// Youngest record that took something of it.
    last: Stamp,
}

/// By stamp and first address as acquired.
#[derive(Debug, Default)]
pub(super) struct Splits(BTreeMap<(Stamp, u64), Split>);

impl Splits {
    /// The range, as it was acquired, of what this is a piece of.
    pub(super) fn origin(&self, stamp: Stamp, piece: Range) -> Range {
        self.of(stamp, piece.start)
            .filter(|origin| piece.end <= origin.end)
            .unwrap_or(piece)
    }

    /// The last range of a stamp that starts at or before an address.
    fn of(&self, stamp: Stamp, address: u64) -> Option<Range> {
        let mut before = self.0.range((stamp, 0)..=(stamp, address));
        let (&(_, start), split) = before.next_back()?;
        Some(Range {
            start,
            end: split.end,
        })
    }

    /// The range of the acquisition that started here.
    pub(super) fn get(&self, stamp: Stamp, start: u64) -> Option<Range> {
        let end = self.0.get(&(stamp, start))?.end;
        Some(Range { start, end })
    }

    /// Whether an acquisition of this stamp had an address of the range.
    pub(super) fn overlap(&self, stamp: Stamp, range: Range) -> bool {
        let last = range.end.saturating_sub(1);
        self.of(stamp, last)
            .is_some_and(|origin| origin.end > range.start)
    }

    /// Split acquisitions that started here and are not younger, the youngest first.
    pub(super) fn starting_at(
        &self,
        start: u64,
        until: Stamp,
    ) -> impl Iterator<Item = (Stamp, Range)> {
        let older = self.0.range(..=(until, u64::MAX)).rev();
        older
            .filter(move |((_, at), _)| *at == start)
            .map(|(&(stamp, start), split)| {
                let end = split.end;
                (stamp, Range { start, end })
            })
    }

    /// A piece became this many, by a record of `at`. The youngest record that took something,
    /// where that was the last piece.
    pub(super) fn became(
        &mut self,
        stamp: Stamp,
        origin: Range,
        pieces: u32,
        at: Stamp,
    ) -> Option<Stamp> {
        let whole = Split {
            end: origin.end,
            pieces: 1,
            last: at,
        };
        let key = (stamp, origin.start);
        let mut split = self.0.remove(&key).unwrap_or(whole);
        split.pieces = split.pieces.saturating_sub(1).saturating_add(pieces);
        split.last = split.last.max(at);
        if split.pieces == 0 {
            return Some(split.last);
        }
        self.0.insert(key, split);
        None
    }

    #[cfg(test)]
    pub(super) fn pieces(&self) -> impl Iterator<Item = (Stamp, Range, u32)> {
        self.0.iter().map(|(&(stamp, start), split)| {
            let end = split.end;
            (stamp, Range { start, end }, split.pieces)
        })
    }
}
