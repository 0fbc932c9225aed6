//! Cells of one space by where they start. No two have an address in common.

use std::collections::BTreeMap;

use super::cell::{Acquisition, Cell};
use crate::model::{ids::Stamp, memory::Range};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Cells {
    cells: BTreeMap<u64, Cell>,
    /// How many of them are holes.
    holes: usize,
}

impl Cells {
    pub(super) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    pub(super) fn holes(&self) -> usize {
        self.holes
    }

    pub(super) fn pieces(&self) -> usize {
        self.cells.len().saturating_sub(self.holes)
    }

    /// All, by address.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Cell)> {
        self.cells.iter().map(|(start, cell)| (*start, cell))
    }

    /// What has an address of the range, by address.
    pub(super) fn within(&self, range: Range) -> impl Iterator<Item = (u64, Cell)> {
        let before = self.cells.range(..range.start).next_back();
        let before = before.filter(|(_, cell)| cell.end > range.start);
        let inside = self.cells.range(range.start..range.end);
        let both = before.into_iter().chain(inside);
        both.map(|(start, cell)| (*start, *cell))
    }

    /// What is known of an acquisition that had this range, where a piece of it is left.
    pub(super) fn acquisition(&self, stamp: Stamp, origin: Range) -> Option<Acquisition> {
        let mut cells = self.cells.range(origin.start..origin.end);
        cells.find(|(_, cell)| cell.is_of(stamp))?.1.acquisition
    }

    /// The same, of all its pieces.
    pub(super) fn acquisition_mut(
        &mut self,
        stamp: Stamp,
        origin: Range,
    ) -> impl Iterator<Item = &mut Acquisition> {
        let cells = self.cells.range_mut(origin.start..origin.end);
        let own = cells.filter(move |(_, cell)| cell.stamp == stamp);
        own.filter_map(|(_, cell)| cell.acquisition.as_mut())
    }

    /// The piece of an acquisition of this stamp that starts here.
    pub(super) fn piece_at(&self, stamp: Stamp, start: u64) -> Option<Range> {
        let cell = self.cells.get(&start).filter(|cell| cell.is_of(stamp))?;
        let end = cell.end;
        Some(Range { start, end })
    }

    /// The stamp of the piece that starts here.
    pub(super) fn stamp_at(&self, start: u64) -> Option<Stamp> {
        let cell = self.cells.get(&start).filter(|cell| !cell.is_hole())?;
        Some(cell.stamp)
    }

    pub(super) fn insert(&mut self, start: u64, cell: Cell) {
        self.cells.insert(start, cell);
        self.holes = self.holes.saturating_add(usize::from(cell.is_hole()));
    }

    pub(super) fn remove(&mut self, start: u64) -> Option<Cell> {
        let cell = self.cells.remove(&start)?;
        self.holes = self.holes.saturating_sub(usize::from(cell.is_hole()));
        Some(cell)
    }

    /// Drops holes that are older; how many.
    pub(super) fn forget_holes(&mut self, cutoff: Stamp) -> u64 {
        if self.holes == 0 {
            return 0;
        }
        let before = self.cells.len();
        self.cells
            .retain(|_, cell| !cell.is_hole() || cell.stamp >= cutoff);
        let dropped = before.saturating_sub(self.cells.len());
        self.holes = self.holes.saturating_sub(dropped);
        dropped as u64
    }

    /// Drops the older half of the holes: a half, so that finding them costs little for each.
    pub(super) fn forget_old_holes(&mut self) -> u64 {
        let holes = self.cells.values().filter(|cell| cell.is_hole());
        let half = super::median(holes.map(|cell| cell.stamp).collect());
        self.forget_holes(half.next())
    }
}
