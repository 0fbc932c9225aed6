//! Releases of memory that was mapped before memguard came: what takes its place is no pile.

use hashbrown::HashMap;

use crate::model::memory::SpaceId;

/// How many there were in each address space that somebody has.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    by_space: HashMap<SpaceId, u64>,
}

impl Foreign {
    /// Something was released of which nothing is known.
    pub(super) fn released(&mut self, space: SpaceId) {
        let count = self.by_space.entry(space).or_default();
        *count = count.saturating_add(1);
    }

    /// One of these is known after all: its acquisition came later.
    pub(super) fn known(&mut self, space: SpaceId) {
        if let Some(count) = self.by_space.get_mut(&space) {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn count(&self, space: SpaceId) -> u64 {
        self.by_space.get(&space).copied().unwrap_or_default()
    }

    /// These spaces have ended.
    pub(super) fn forget(&mut self, over: impl Fn(SpaceId) -> bool) {
        self.by_space.retain(|space, _| !over(*space));
        super::give_back(&mut self.by_space);
    }
}
