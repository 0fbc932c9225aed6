//! One address space: for every address the youngest record that named it, be it an acquisition or
//! a release.
//!
//! Both are laid over what is older in the same way, whatever the order they come in: where
//! something younger lies, it stays.

use super::{
    Anomalies, Gone,
    attributes::{AttrInterner, Attributes},
    cell::{Acquisition, Cell},
    cells::Cells,
    splits::Splits,
};
use crate::model::{
    ids::Stamp,
    memory::{HeldRange, Mapped, MappingId, Range, SpaceId},
    origin::StackId,
    resource::Call,
};

/// Most pieces of one space: the kernel's own default is 65 530 (`vm.max_map_count`).
pub(super) const PIECES: usize = 1 << 16;

/// Most pieces of all spaces, about 64 MiB.
pub(super) const TOTAL: usize = 1 << 20;

/// Most holes of one space.
pub(super) const HOLES: usize = 1 << 16;

/// What all spaces have in common, lent to one while it takes a record.
pub(super) struct ApplyCtx<'a> {
    /// Pieces of all spaces.
    pub(super) total: &'a mut usize,
    pub(super) anomalies: &'a mut Anomalies,
    pub(super) gone: &'a mut dyn FnMut(Gone),
}

/// What a record found in its range.
#[derive(Debug, Default)]
struct Clearing {
    /// Where nothing younger lies.
    free: Vec<Range>,
    /// The youngest of what is younger.
    younger: Option<Stamp>,
}

impl Clearing {
    fn add(&mut self, start: u64, end: u64) {
        if start < end {
            self.free.push(Range { start, end });
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct IntervalMap {
    id: SpaceId,
    pub(super) cells: Cells,
    pub(super) splits: Splits,
    pub(super) attributes: AttrInterner,
    /// The last end of the space. What is not younger ended with it, unless it was released.
    died: Stamp,
}

impl IntervalMap {
    pub(super) fn new(id: SpaceId) -> Self {
        Self {
            id,
            cells: Cells::default(),
            splits: Splits::default(),
            attributes: AttrInterner::default(),
            died: Stamp::default(),
        }
    }

    /// Lays an acquisition over what is older.
    pub(super) fn mapped(&mut self, mapped: &Mapped, ctx: &mut ApplyCtx<'_>) {
        let (range, stamp) = (mapped.range, mapped.stamp);
        if self.has(stamp, range) {
            ctx.anomalies.repeated = ctx.anomalies.repeated.saturating_add(1);
            return;
        }
        let clearing = self.clear(range, stamp, stamp, ctx);
        let attributes = self.attributes.intern(Attributes::from(mapped));
        let kept = self.fill(&clearing, stamp, Acquisition::new(attributes), ctx);
        if clearing.free.as_slice() == [range] && kept == 1 {
            return;
        }
        let last = clearing.younger.unwrap_or(stamp);
        if let Some(last) = self.splits.became(stamp, range, kept, last) {
            self.attributes.give_back(attributes);
            let at = clearing.free.is_empty().then_some(last);
            self.report(mapped, None, at, ctx);
        }
    }

    /// Whether there is an acquisition of this stamp already that had a part of the range.
    fn has(&self, stamp: Stamp, range: Range) -> bool {
        let mut cells = self.cells.within(range);
        self.splits.overlap(stamp, range) || cells.any(|(_, cell)| cell.is_of(stamp))
    }

    /// Gives an acquisition what is free; how many pieces that makes.
    fn fill(
        &mut self,
        clearing: &Clearing,
        stamp: Stamp,
        acquisition: Acquisition,
        ctx: &mut ApplyCtx<'_>,
    ) -> u32 {
        let acquisition = Some(acquisition);
        let mut kept = 0u32;
        for &Range { start, end } in &clearing.free {
            let cell = Cell {
                end,
                stamp,
                acquisition,
            };
            kept = kept.saturating_add(self.put(start, cell, ctx));
        }
        kept
    }

    /// An attachment that was detached before it came here: nothing is left, as after a release at
    /// its own stamp.
    pub(super) fn mapped_detached(&mut self, mapped: &Mapped, at: Stamp, ctx: &mut ApplyCtx<'_>) {
        self.unmapped(mapped.range, mapped.stamp, ctx);
        self.report(mapped, None, Some(at), ctx);
    }

    /// Lays a hole over what is older.
    pub(super) fn unmapped(&mut self, range: Range, stamp: Stamp, ctx: &mut ApplyCtx<'_>) {
        self.release(range, stamp, stamp, ctx);
    }

    /// The whole space ends. What ends so is not reported.
    pub(super) fn died(&mut self, stamp: Stamp, ctx: &mut ApplyCtx<'_>) {
        self.died = self.died.max(stamp);
        self.unmapped(Range::ALL, stamp, ctx);
    }

    /// Releases the attachment of an address. The hole has the attachment's stamp, not the
    /// detachment's: what was mapped over it in between was not released.
    pub(super) fn detached(&mut self, address: u64, at: Stamp, ctx: &mut ApplyCtx<'_>) {
        if let Some((stamp, range)) = self.attachment(address, at) {
            self.release(range, stamp, at, ctx);
        }
    }

    /// Makes a hole of `stamp` by a record of `at`. It takes what has the same stamp, too.
    fn release(&mut self, range: Range, stamp: Stamp, at: Stamp, ctx: &mut ApplyCtx<'_>) {
        let clearing = self.clear(range, stamp.next(), at, ctx);
        for free in clearing.free {
            self.put(free.start, Cell::hole(free.end, stamp), ctx);
        }
    }

    /// The youngest attachment of an address that is not younger than `until` and of which
    /// something is left. Where its first page is left, it is what lies there.
    fn attachment(&self, start: u64, until: Stamp) -> Option<(Stamp, Range)> {
        let first = self.cells.stamp_at(start).filter(|stamp| *stamp <= until);
        let first = first.and_then(|stamp| Some((stamp, self.origin(stamp, start)?)));
        let split = self.splits.starting_at(start, until);
        first.into_iter().chain(split).find(|(stamp, origin)| {
            let acquisition = self.cells.acquisition(*stamp, *origin);
            let attributes =
                acquisition.and_then(|acquisition| self.attributes.get(acquisition.attributes));
            attributes.is_some_and(|attributes| attributes.call == Call::Shmat)
        })
    }

    /// The range, as it was acquired, of an acquisition of which something is left.
    fn origin(&self, stamp: Stamp, start: u64) -> Option<Range> {
        let split = self.splits.get(stamp, start);
        let whole = || {
            let piece = self.cells.piece_at(stamp, start)?;
            Some(self.splits.origin(stamp, piece)).filter(|origin| origin.start == start)
        };
        split.or_else(whole)
    }

    /// Takes what is older than `until` out of a range, by a record of `at`.
    fn clear(&mut self, range: Range, until: Stamp, at: Stamp, ctx: &mut ApplyCtx<'_>) -> Clearing {
        let mut clearing = Clearing::default();
        let mut from = range.start;
        let cells: Vec<_> = self.cells.within(range).collect();
        for (start, cell) in cells {
            if cell.stamp < until {
                self.take(start, range, Some(at), ctx);
                continue;
            }
            clearing.add(from, start);
            clearing.younger = clearing.younger.max(Some(cell.stamp));
            from = cell.end;
        }
        clearing.add(from, range.end);
        clearing
    }

    /// Takes what a range and a cell have in common from the cell; `at` where it is known when it
    /// went.
    fn take(&mut self, start: u64, range: Range, at: Option<Stamp>, ctx: &mut ApplyCtx<'_>) {
        let Some(cell) = self.remove(start, ctx) else {
            return;
        };
        let left = Cell {
            end: range.start.min(cell.end),
            ..cell
        };
        let right = range.end.max(start);
        let kept = self.put(start, left, ctx);
        let kept = self.put(right, cell, ctx).saturating_add(kept);
        if let Some(acquisition) = cell.acquisition {
            let piece = Range {
                start,
                end: cell.end,
            };
            let origin = self.splits.origin(cell.stamp, piece);
            let by = at.unwrap_or(cell.stamp);
            if let Some(last) = self.splits.became(cell.stamp, origin, kept, by) {
                self.ended(origin, cell.stamp, acquisition, at.and(Some(last)), ctx);
            }
        }
    }

    /// The last page of an acquisition has gone.
    fn ended(
        &mut self,
        origin: Range,
        stamp: Stamp,
        acquisition: Acquisition,
        at: Option<Stamp>,
        ctx: &mut ApplyCtx<'_>,
    ) {
        if let Some(mapped) = self.unpack(origin, stamp, acquisition) {
            self.report(&mapped, acquisition.stack(), at, ctx);
        }
        self.attributes.give_back(acquisition.attributes);
    }

    fn report(
        &self,
        mapped: &Mapped,
        stack: Option<StackId>,
        at: Option<Stamp>,
        ctx: &mut ApplyCtx<'_>,
    ) {
        if mapped.stamp > self.died {
            let mapped = *mapped;
            (ctx.gone)(Gone { mapped, stack, at });
        }
    }

    fn remove(&mut self, start: u64, ctx: &mut ApplyCtx<'_>) -> Option<Cell> {
        let cell = self.cells.remove(start)?;
        let pieces = usize::from(!cell.is_hole());
        *ctx.total = ctx.total.saturating_sub(pieces);
        Some(cell)
    }

    /// Adds a cell; how many pieces that makes: none where it is empty or there is no room for it.
    fn put(&mut self, start: u64, cell: Cell, ctx: &mut ApplyCtx<'_>) -> u32 {
        if start >= cell.end {
            return 0;
        }
        if cell.is_hole() {
            self.put_hole(start, cell, ctx);
            return 0;
        }
        if self.cells.pieces() >= PIECES || *ctx.total >= TOTAL {
            ctx.anomalies.refused = ctx.anomalies.refused.saturating_add(1);
            return 0;
        }
        *ctx.total = ctx.total.saturating_add(1);
        self.cells.insert(start, cell);
        1
    }

    fn put_hole(&mut self, start: u64, hole: Cell, ctx: &mut ApplyCtx<'_>) {
        if self.cells.holes() >= HOLES {
            let dropped = self.cells.forget_old_holes();
            ctx.anomalies.holes_dropped = ctx.anomalies.holes_dropped.saturating_add(dropped);
        }
        self.cells.insert(start, hole);
    }

    pub(super) fn holds(&self, id: MappingId) -> bool {
        let origin = self.origin(id.stamp, id.start);
        origin.is_some_and(|origin| self.cells.acquisition(id.stamp, origin).is_some())
    }

    pub(super) fn attribute(
        &mut self,
        id: MappingId,
        stack: StackId,
    ) -> Option<(Mapped, Option<StackId>)> {
        let origin = self.origin(id.stamp, id.start)?;
        let before = self.cells.acquisition(id.stamp, origin)?;
        for acquisition in self.cells.acquisition_mut(id.stamp, origin) {
            acquisition.set_stack(stack);
        }
        let mapped = self.unpack(origin, id.stamp, before)?;
        Some((mapped, before.stack()))
    }

    pub(super) fn refute(&mut self, id: MappingId, range: Range, ctx: &mut ApplyCtx<'_>) {
        let origin = self.origin(id.stamp, id.start);
        let Some(range) = origin.and_then(|origin| origin.common(range)) else {
            return;
        };
        let cells: Vec<_> = self.cells.within(range).collect();
        for (start, _) in cells.iter().filter(|(_, cell)| cell.is_of(id.stamp)) {
            self.take(*start, range, None, ctx);
            ctx.anomalies.refuted = ctx.anomalies.refuted.saturating_add(1);
        }
    }

    /// What is left of all acquisitions, by address.
    pub(super) fn pieces(&self) -> impl Iterator<Item = HeldRange> {
        let cells = self.cells.iter();
        cells.filter_map(|(start, cell)| self.piece(start, cell))
    }

    fn piece(&self, start: u64, cell: &Cell) -> Option<HeldRange> {
        let acquisition = cell.acquisition?;
        let end = cell.end;
        let range = Range { start, end };
        let origin = self.splits.origin(cell.stamp, range);
        Some(HeldRange {
            range,
            mapped: self.unpack(origin, cell.stamp, acquisition)?,
            stack: acquisition.stack(),
        })
    }

    fn unpack(&self, origin: Range, stamp: Stamp, acquisition: Acquisition) -> Option<Mapped> {
        Some(
            self.attributes
                .get(acquisition.attributes)?
                .at(self.id, origin, stamp),
        )
    }
}
