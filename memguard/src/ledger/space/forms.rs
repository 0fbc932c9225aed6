//! What acquisitions of one address space have in common: who called, and how. There are few of
//! these, so each piece has only a number.

use std::num::NonZeroU32;

use crate::model::{
    ids::{ProcessId, Stamp},
    memory::{Mapped, Range, SpaceId},
    resource::Call,
};

/// A [`Mapped`] without its place and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    process: ProcessId,
    tid: u32,
    flags: u32,
    pub(super) call: Call,
    protection: u8,
}

impl From<&Mapped> for Form {
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

impl Form {
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

/// A form, and how many acquisitions have it; free at none.
#[derive(Debug)]
struct Slot {
    form: Form,
    uses: u32,
}

/// Forms by number, each as long as an acquisition has it.
#[derive(Debug, Default)]
pub(super) struct Forms(Vec<Slot>);

impl Forms {
    /// One acquisition more of this form. There are never more forms than pieces, so that looking
    /// at each is bounded; mostly there are less than ten.
    pub(super) fn lend(&mut self, form: Form) -> NonZeroU32 {
        let same = |slot: &Slot| slot.form == form && slot.uses > 0;
        let same = self.0.iter().position(same);
        let index = same
            .or_else(|| self.0.iter().position(|slot| slot.uses == 0))
            .unwrap_or(self.0.len());
        if index == self.0.len() {
            // Room for one where one is all there is: it is the most frequent number.
            self.0.reserve_exact(usize::from(index < 4));
            self.0.push(Slot { form, uses: 0 });
        }
        if let Some(slot) = self.0.get_mut(index) {
            slot.form = form;
            slot.uses = slot.uses.saturating_add(1);
        }
        NonZeroU32::MIN.saturating_add(index as u32)
    }

    /// One acquisition less.
    pub(super) fn give_back(&mut self, number: NonZeroU32) {
        if let Some(slot) = self.0.get_mut(index(number)) {
            slot.uses = slot.uses.saturating_sub(1);
        }
        while self.0.last().is_some_and(|slot| slot.uses == 0) {
            self.0.pop();
        }
        if self.0.capacity() / 4 > self.0.len() {
            self.0.shrink_to(self.0.len().saturating_mul(2));
        }
    }

    pub(super) fn get(&self, number: NonZeroU32) -> Option<Form> {
        self.0.get(index(number)).map(|slot| slot.form)
    }

    /// Acquisitions that have a form.
    #[cfg(test)]
    pub(super) fn uses(&self) -> u32 {
        self.0.iter().map(|slot| slot.uses).sum()
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        self.0.capacity().saturating_mul(size_of::<Slot>())
    }
}

fn index(number: NonZeroU32) -> usize {
    (number.get() as usize).saturating_sub(1)
}
