//! What is mapped in address spaces, by whom, since when: a map of intervals for each.
//!
//! For every page the youngest record wins, in whatever order records come. A release leaves a
//! *hole*, against which acquisitions are tested that are older and come later, until
//! [`Spaces::forget_holes`] is told that there will be none. At one stamp the release wins.
//!
//! The kernel reuses the memory of a dead address space at once. Its end is a release of everything
//! ([`Spaces::died`]): what is younger belongs to the next one.

mod attributes;
mod cell;
mod cells;
mod interval_map;
mod splits;

use hashbrown::HashMap;

use self::interval_map::{ApplyCtx, HOLES, IntervalMap};
use crate::model::{
    ids::Stamp,
    memory::{Detached, HeldRange, Mapped, MappingId, Range, SpaceId, Unmapped},
    origin::StackId,
    resource::Call,
};

/// An acquisition of which nothing is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// As it was.
    pub mapped: Mapped,
    /// Where it was acquired, where that was unwound in time.
    pub stack: Option<StackId>,
    /// When its last page went; `None` where that is not known: it was refuted, or there was no
    /// room for it. Where records came late it may have been earlier.
    pub at: Option<Stamp>,
}

/// Things that should not happen, counted so that they show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anomalies {
    /// Pieces not kept because there were too many.
    pub refused: u64,
    /// Holes and detachments forgotten early because there were too many.
    pub holes_dropped: u64,
    /// Pieces that the kernel no longer showed when it was asked.
    pub refuted: u64,
    /// Acquisitions not taken because one of the same stamp had a part of the range.
    pub repeated: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Spaces {
    maps: HashMap<SpaceId, IntervalMap>,
    /// Youngest detachment of an address, for attachments that come later.
    detachments: HashMap<(SpaceId, u64), Stamp>,
    /// Pieces of all.
    pieces: usize,
    /// What should not have happened.
    pub anomalies: Anomalies,
}

impl Spaces {
    /// Takes an acquisition. It is reported as gone at once where nothing is left of it already.
    pub fn mapped(&mut self, mapped: Mapped, gone: &mut dyn FnMut(Gone)) {
        if mapped.range.start >= mapped.range.end {
            return;
        }
        let detached = self.detachment_of(&mapped);
        self.with(mapped.space, gone, |map, ctx| match detached {
            Some(at) => map.mapped_detached(&mapped, at, ctx),
            None => map.mapped(&mapped, ctx),
        });
    }

    fn detachment_of(&self, mapped: &Mapped) -> Option<Stamp> {
        if mapped.call != Call::Shmat {
            return None;
        }
        let at = self.detachments.get(&(mapped.space, mapped.range.start))?;
        (*at >= mapped.stamp).then_some(*at)
    }

    /// Takes a release of any range.
    pub fn unmapped(&mut self, unmapped: Unmapped, gone: &mut dyn FnMut(Gone)) {
        let Unmapped {
            stamp,
            space,
            range,
            process: _,
        } = unmapped;
        if range.start < range.end {
            self.with(space, gone, |map, ctx| {
                map.unmapped(range, stamp, ctx);
            });
        }
    }

    /// Takes a detachment: of the youngest attachment of that address, as far as it is left. One
    /// that comes later and is older is taken as detached too.
    pub fn detached(&mut self, detached: Detached, gone: &mut dyn FnMut(Gone)) {
        let Detached {
            stamp,
            space,
            address,
            process: _,
        } = detached;
        self.with(space, gone, |map, ctx| {
            map.detached(address, stamp, ctx);
        });
        let youngest = self.detachments.entry((space, address)).or_default();
        *youngest = stamp.max(*youngest);
        if self.detachments.len() > HOLES {
            self.drop_old_detachments();
        }
    }

    fn drop_old_detachments(&mut self) {
        let half = median(self.detachments.values().copied().collect());
        let before = self.detachments.len();
        self.detachments.retain(|_, stamp| *stamp > half);
        let dropped = before.saturating_sub(self.detachments.len()) as u64;
        self.anomalies.holes_dropped = self.anomalies.holes_dropped.saturating_add(dropped);
    }

    /// The end of an address space: exec, or the exit of its last process. What ends with it is not
    /// reported as gone, now or when it comes late: nobody released it.
    pub fn died(&mut self, space: SpaceId, stamp: Stamp) {
        self.with(space, &mut |_| (), |map, ctx| map.died(stamp, ctx));
    }

    /// Whether anything is left of an acquisition.
    pub fn holds(&self, id: MappingId) -> bool {
        let map = self.maps.get(&id.space);
        map.is_some_and(|map| map.holds(id))
    }

    /// Remembers where memory was acquired; the acquisition, and what was known before. `None`
    /// where nothing is left of it.
    pub fn attribute(
        &mut self,
        id: MappingId,
        stack: StackId,
    ) -> Option<(Mapped, Option<StackId>)> {
        self.maps.get_mut(&id.space)?.attribute(id, stack)
    }

    /// The kernel shows nothing of this acquisition in this range any more: drops it there. This is
    /// not a release: there is no hole, and no time where it is reported as gone.
    pub fn refute(&mut self, id: MappingId, range: Range, gone: &mut dyn FnMut(Gone)) {
        self.with(id.space, gone, |map, ctx| map.refute(id, range, ctx));
    }

    fn with(
        &mut self,
        space: SpaceId,
        gone: &mut dyn FnMut(Gone),
        act: impl FnOnce(&mut IntervalMap, &mut ApplyCtx<'_>),
    ) {
        let Self {
            maps,
            pieces,
            anomalies,
            detachments: _,
        } = self;
        let map = maps.entry(space).or_insert_with(|| IntervalMap::new(space));
        let mut ctx = ApplyCtx {
            total: pieces,
            anomalies,
            gone,
        };
        act(map, &mut ctx);
        if map.cells.is_empty() {
            maps.remove(&space);
        }
    }

    /// Whether anything is known of a part of a range, be it only that it was released.
    pub fn knows(&self, space: SpaceId, range: Range) -> bool {
        let map = self.maps.get(&space);
        map.is_some_and(|map| map.cells.within(range).next().is_some())
    }

    /// Whether a part of a range was released after this, by a record that came first.
    pub fn was_released(&self, space: SpaceId, range: Range, stamp: Stamp) -> bool {
        let map = self.maps.get(&space);
        let mut cells = map.into_iter().flat_map(|map| map.cells.within(range));
        cells.any(|(_, cell)| cell.is_hole() && cell.stamp >= stamp)
    }

    /// What is left in a space, by address.
    pub fn pieces(&self, space: SpaceId) -> impl Iterator<Item = HeldRange> {
        let map = self.maps.get(&space).into_iter();
        map.flat_map(IntervalMap::pieces)
    }

    /// What is left in all spaces; in no order of spaces.
    pub fn all(&self) -> impl Iterator<Item = HeldRange> {
        self.maps.values().flat_map(IntervalMap::pieces)
    }

    /// How many bytes are left in a space.
    pub fn bytes(&self, space: SpaceId) -> u64 {
        let bytes = self.pieces(space).map(|piece| piece.range.bytes());
        bytes.fold(0, u64::saturating_add)
    }

    /// How many pieces are left in all spaces.
    pub fn count(&self) -> usize {
        self.pieces
    }

    /// Forgets what is only kept for records that are older and come later. Nothing older than
    /// `cutoff` may come after this.
    pub fn forget_holes(&mut self, cutoff: Stamp) {
        self.maps.retain(|_, map| {
            map.cells.forget_holes(cutoff);
            !map.cells.is_empty()
        });
        self.detachments.retain(|_, stamp| *stamp >= cutoff);
        super::give_back(&mut self.maps);
        super::give_back(&mut self.detachments);
    }

    /// State that a soak test watches: pieces, holes and detachments.
    pub fn state_count(&self) -> usize {
        let holes = self.maps.values().map(|map| map.cells.holes());
        holes.fold(
            self.pieces.saturating_add(self.detachments.len()),
            usize::saturating_add,
        )
    }
}

/// What half of the stamps are not younger than.
fn median(mut stamps: Vec<Stamp>) -> Stamp {
    let middle = stamps.len() / 2;
    if stamps.is_empty() {
        return Stamp::default();
    }
    *stamps.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests;
