//! What acquisitions of one address space have in common: who called, and how. There are few of
//! these, so each piece has only a number.

use std::{collections::BTreeSet, num::NonZeroU32};

use hashbrown::HashMap;

use crate::model::{
    ids::{ProcessId, Stamp},
    memory::{Mapped, Range, SpaceId},
    resource::Call,
};

/// A [`Mapped`] without its place and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Attributes {
    process: ProcessId,
    tid: u32,
    flags: u32,
    pub(super) call: Call,
    protection: u8,
}

impl From<&Mapped> for Attributes {
    fn from(mapped: &Mapped) -> Self {
        Self {
            process: mapped.process,
            tid: mapped.tid,
            flags: mapped.flags,
            call: mapped.call,
            protection: mapped.protection,
        }
    }
}

impl Attributes {
    /// The acquisition as it came.
    pub(super) fn at(self, space: SpaceId, range: Range, stamp: Stamp) -> Mapped {
        Mapped {
            stamp,
            space,
            range,
            process: self.process,
            tid: self.tid,
            call: self.call,
            protection: self.protection,
            flags: self.flags,
        }
    }
}

/// Attributes, and how many acquisitions have them; free at none.
#[derive(Debug)]
struct Slot {
    attributes: Attributes,
    uses: u32,
}

/// From so many on they are found by a table: a process with thousands of threads has thousands,
/// as each of them maps.
const FEW: usize = 16;

/// Attributes by number, each for as long as an acquisition has them.
#[derive(Debug, Default)]
pub(super) struct AttrInterner {
    slots: Vec<Slot>,
    table: Option<Box<Table>>,
}

/// Where what is, and which slots are free.
#[derive(Debug, Default)]
struct Table {
    used: HashMap<Attributes, usize>,
    free: BTreeSet<usize>,
}

impl AttrInterner {
    /// One acquisition more with these attributes.
    pub(super) fn intern(&mut self, attributes: Attributes) -> NonZeroU32 {
        let index = self
            .find(&attributes)
            .unwrap_or_else(|| self.add(attributes));
        if let Some(slot) = self.slots.get_mut(index) {
            slot.uses = slot.uses.saturating_add(1);
        }
        NonZeroU32::MIN.saturating_add(index as u32)
    }

    fn find(&self, attributes: &Attributes) -> Option<usize> {
        if let Some(table) = &self.table {
            return table.used.get(attributes).copied();
        }
        let same = |slot: &Slot| slot.attributes == *attributes && slot.uses > 0;
        self.slots.iter().position(same)
    }

    /// Puts them where room is.
    fn add(&mut self, attributes: Attributes) -> usize {
        let index = self.free();
        if let Some(slot) = self.slots.get_mut(index) {
            slot.attributes = attributes;
        } else {
            // Room for one where one is all there is: it is the most frequent number.
            self.slots.reserve_exact(usize::from(index < 4));
            let uses = 0;
            self.slots.push(Slot { attributes, uses });
        }
        match &mut self.table {
            Some(table) => {
                table.free.remove(&index);
                table.used.insert(attributes, index);
            }
            None if self.slots.len() >= FEW => self.make_table(attributes, index),
            None => {}
        }
        index
    }

    fn free(&self) -> usize {
        let free = match &self.table {
            Some(table) => table.free.first().copied(),
            None => self.slots.iter().position(|slot| slot.uses == 0),
        };
        free.unwrap_or(self.slots.len())
    }

    /// Of all, with the one that was added last.
    fn make_table(&mut self, added: Attributes, at: usize) {
        let mut table = Table::default();
        for (index, slot) in self.slots.iter().enumerate() {
            if slot.uses > 0 {
                table.used.insert(slot.attributes, index);
            } else if index != at {
                table.free.insert(index);
            }
        }
        table.used.insert(added, at);
        self.table = Some(Box::new(table));
    }

    /// One acquisition less.
    pub(super) fn give_back(&mut self, number: NonZeroU32) {
        let index = index(number);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        slot.uses = slot.uses.saturating_sub(1);
        if slot.uses == 0
            && let Some(table) = &mut self.table
        {
            table.used.remove(&slot.attributes);
            table.free.insert(index);
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.slots.last().is_some_and(|slot| slot.uses == 0) {
            self.slots.pop();
            if let Some(table) = &mut self.table {
                table.free.remove(&self.slots.len());
            }
        }
        if self.slots.len() < FEW / 2 {
            self.table = None;
        }
        if self.slots.capacity() / 4 > self.slots.len() {
            self.slots.shrink_to(self.slots.len().saturating_mul(2));
        }
    }

    pub(super) fn get(&self, number: NonZeroU32) -> Option<Attributes> {
        self.slots.get(index(number)).map(|slot| slot.attributes)
    }

    /// Acquisitions that have attributes.
    #[cfg(test)]
    pub(super) fn uses(&self) -> u32 {
        self.slots.iter().map(|slot| slot.uses).sum()
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        self.slots.capacity().saturating_mul(size_of::<Slot>())
    }
}

fn index(number: NonZeroU32) -> usize {
    (number.get() as usize).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attributes(tid: u32) -> Attributes {
        Attributes {
            process: ProcessId {
                tgid: 1,
                start_ticks: 1,
            },
            tid,
            flags: 0,
            call: Call::Mmap,
            protection: 0,
        }
    }

    /// Looking at each for each would take minutes.
    #[test]
    fn many_threads_are_no_more_work_each_than_few() {
        let mut interner = AttrInterner::default();
        let numbers: Vec<_> = (0..200_000)
            .map(|tid| interner.intern(attributes(tid)))
            .collect();
        assert_eq!(interner.uses(), 200_000);
        for number in numbers {
            interner.give_back(number);
        }
        assert!(interner.slots.is_empty() && interner.table.is_none());
    }

    proptest! {
        /// A number means what it was given for, and nothing is kept that nobody has.
        #[test]
        fn numbers_keep_their_meaning(steps in prop::collection::vec((0..40u32, 0..3u8), 0..400)) {
            let mut interner = AttrInterner::default();
            let mut held: Vec<(u32, NonZeroU32)> = Vec::new();
            for (pick, what) in steps {
                let last = held.len().saturating_sub(1);
                if what > 0 || held.is_empty() {
                    held.push((pick, interner.intern(attributes(pick))));
                } else {
                    let (_, number) = held.swap_remove((pick as usize).min(last));
                    interner.give_back(number);
                }
                for (tid, number) in &held {
                    prop_assert_eq!(interner.get(*number), Some(attributes(*tid)));
                }
                let mut numbers: Vec<_> = held.iter().map(|(_, number)| *number).collect();
                let mut tids: Vec<_> = held.iter().map(|(tid, _)| *tid).collect();
                numbers.sort_unstable();
                numbers.dedup();
                tids.sort_unstable();
                tids.dedup();
                prop_assert_eq!(numbers.len(), tids.len(), "equal attributes have one number");
                prop_assert_eq!(interner.uses() as usize, held.len());
            }
        }
    }
}
