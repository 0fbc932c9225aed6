//! Whose an address space is.
//!
//! One process has it, as a rule. With `CLONE_VM` (`vfork`, `posix_spawn`) a child borrows its
//! parent's until it becomes another program or ends, and what it maps stays with the parent.

use hashbrown::HashMap;

use crate::model::{
    ids::{ProcessId, Stamp},
    memory::SpaceId,
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Owners {
    by_space: HashMap<SpaceId, ProcessId>,
    by_process: HashMap<ProcessId, SpaceId>,
    /// Borrowed address spaces, by the borrower's thread group.
    borrowed: HashMap<u32, SpaceId>,
    /// When address spaces ended: what comes late of before is nobody's.
    ended: HashMap<SpaceId, Stamp>,
    /// When processes left the address spaces that they had, known or not: by exec for a new one,
    /// which is named, or for good.
    left: HashMap<ProcessId, (Option<SpaceId>, Stamp)>,
}

impl Owners {
    /// A process was seen to use an address space; false where that was before its last end.
    pub(super) fn used(&mut self, space: SpaceId, process: ProcessId, stamp: Stamp) -> bool {
        if self.is_over(space, stamp) || self.has_left(space, process, stamp) {
            return false;
        }
        self.uses(space, process);
        true
    }

    /// Whether a process has given up its own address space since, which nobody has told of before.
    fn has_left(&self, space: SpaceId, process: ProcessId, stamp: Stamp) -> bool {
        let unknown = !self.by_space.contains_key(&space);
        let left = self.left.get(&process);
        unknown && left.is_some_and(|(next, at)| stamp <= *at && *next != Some(space))
    }

    /// Whether an address space has ended since.
    pub(super) fn is_over(&self, space: SpaceId, stamp: Stamp) -> bool {
        self.ended.get(&space).is_some_and(|end| stamp <= *end)
    }

    /// Address spaces that have ended, and when.
    pub(super) fn over(&self) -> impl Iterator<Item = (SpaceId, Stamp)> {
        self.ended.iter().map(|(space, end)| (*space, *end))
    }

    /// Nothing older comes after this.
    pub(super) fn forget(&mut self, cutoff: Stamp) {
        self.ended.retain(|_, end| *end >= cutoff);
        self.left.retain(|_, (_, at)| *at >= cutoff);
        super::give_back(&mut self.left);
        super::give_back(&mut self.ended);
        super::give_back(&mut self.by_space);
        super::give_back(&mut self.by_process);
    }

    fn uses(&mut self, space: SpaceId, process: ProcessId) {
        // Records of a borrower may come after it has given it back: who has it keeps it.
        if !self.by_space.contains_key(&space) {
            self.own(space, process);
        }
    }

    fn own(&mut self, space: SpaceId, process: ProcessId) {
        if let Some(before) = self.by_space.insert(space, process) {
            self.by_process.remove(&before);
        }
        self.by_process.insert(process, space);
    }

    /// A child was born that borrows.
    pub(super) fn lent(&mut self, space: SpaceId, parent: ProcessId, child: u32) {
        self.uses(space, parent);
        self.borrowed.insert(child, space);
    }

    /// A child was born that has its own.
    pub(super) fn born(&mut self, child: u32) {
        self.borrowed.remove(&child);
    }

    /// A process became another program, in a new address space. Returns the one that has ended
    /// with that, if it was its own.
    pub(super) fn execed(
        &mut self,
        process: ProcessId,
        space: Option<SpaceId>,
        stamp: Stamp,
    ) -> Option<SpaceId> {
        let ended = self.leave(process, stamp);
        self.left.insert(process, (space, stamp));
        if let Some(space) = space {
            // Whatever has this address is over, seen or not.
            self.ended.insert(space, stamp);
            self.own(space, process);
        }
        ended
    }

    /// A process has ended. Returns the address space that has ended with it: none where it was
    /// borrowed, or is lent to another that lives on.
    pub(super) fn ended(
        &mut self,
        process: ProcessId,
        space: Option<SpaceId>,
        stamp: Stamp,
    ) -> Option<SpaceId> {
        if let Some(space) = space.filter(|_| !self.borrowed.contains_key(&process.tgid)) {
            self.uses(space, process);
        }
        self.left.insert(process, (None, stamp));
        self.leave(process, stamp)
    }

    fn leave(&mut self, process: ProcessId, stamp: Stamp) -> Option<SpaceId> {
        let borrowed = self.borrowed.remove(&process.tgid);
        let own = || self.by_process.remove(&process);
        let space = borrowed.or_else(own)?;
        self.end_unless_used(space, stamp)
    }

    /// A borrower is no more, of whom only the number is known. Returns the address space that has
    /// ended with it.
    pub(super) fn returned(&mut self, tgid: u32, stamp: Stamp) -> Option<SpaceId> {
        let space = self.borrowed.remove(&tgid)?;
        self.end_unless_used(space, stamp)
    }

    fn end_unless_used(&mut self, space: SpaceId, stamp: Stamp) -> Option<SpaceId> {
        // While it is lent it goes on, in the name of the one who made it.
        let lent = self.borrowed.values().any(|lent| *lent == space);
        if lent || self.living(space).is_some() {
            return None;
        }
        self.by_space.remove(&space);
        self.ended.insert(space, stamp);
        Some(space)
    }

    /// Whose it is; `None` where no record has told.
    pub(super) fn of(&self, space: SpaceId) -> Option<ProcessId> {
        self.by_space.get(&space).copied()
    }

    /// Whose it is, as long as that process has not left it to those it is lent to.
    pub(super) fn living(&self, space: SpaceId) -> Option<ProcessId> {
        let lives = |owner: &ProcessId| self.by_process.get(owner) == Some(&space);
        self.of(space).filter(lives)
    }

    /// What a thread group borrows.
    pub(super) fn borrowed(&self, tgid: u32) -> Option<SpaceId> {
        self.borrowed.get(&tgid).copied()
    }

    /// Nothing that a process did before this moment makes an address space its own.
    pub(super) fn left(&mut self, process: ProcessId, at: Stamp) {
        self.left.insert(process, (None, at));
    }

    /// How many entries are about a process.
    pub(super) fn mentions(&self, process: ProcessId) -> usize {
        let spaces = self.by_space.values().filter(|owner| **owner == process);
        let by_process = usize::from(self.by_process.contains_key(&process));
        let left = usize::from(self.left.contains_key(&process));
        spaces
            .count()
            .saturating_add(by_process)
            .saturating_add(left)
    }

    /// The one of a process; `None` where no record has told.
    pub(super) fn space(&self, process: ProcessId) -> Option<SpaceId> {
        self.by_process.get(&process).copied()
    }

    /// How much is remembered.
    pub(super) fn len(&self) -> usize {
        let counts = [
            self.by_space.len(),
            self.borrowed.len(),
            self.ended.len(),
            self.left.len(),
        ];
        counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(tgid: u32) -> ProcessId {
        ProcessId {
            tgid,
            start_ticks: u64::from(tgid),
        }
    }

    const SPACE: SpaceId = SpaceId(0x1000);

    #[test]
    fn what_a_borrower_uses_stays_its_parents() {
        let mut owners = Owners::default();
        owners.lent(SPACE, process(1), 2);
        assert!(owners.used(SPACE, process(2), Stamp(11)));
        assert_eq!(owners.of(SPACE), Some(process(1)));
        assert_eq!(
            owners.execed(process(2), Some(SpaceId(0x2000)), Stamp(12)),
            None
        );
        assert_eq!(owners.of(SpaceId(0x2000)), Some(process(2)));
        assert_eq!(
            owners.ended(process(2), Some(SpaceId(0x2000)), Stamp(13)),
            Some(SpaceId(0x2000))
        );
        assert_eq!(
            owners.ended(process(1), Some(SPACE), Stamp(14)),
            Some(SPACE)
        );
        owners.forget(Stamp(15));
        assert!(
            owners.len() == 0 && owners.by_process.is_empty(),
            "{owners:?}"
        );
    }

    #[test]
    fn an_address_space_outlives_its_owner_while_it_is_lent() {
        let mut owners = Owners::default();
        owners.lent(SPACE, process(1), 2);
        assert_eq!(owners.ended(process(1), Some(SPACE), Stamp(11)), None);
        assert_eq!(owners.of(SPACE), Some(process(1)));
        assert_eq!(
            owners.ended(process(2), Some(SPACE), Stamp(12)),
            Some(SPACE)
        );
        // The next that gets the address is another's.
        assert!(owners.used(SPACE, process(3), Stamp(20)));
        assert_eq!(owners.of(SPACE), Some(process(3)));
    }

    #[test]
    fn what_was_never_heard_of_ends_with_exec_too() {
        let mut owners = Owners::default();
        owners.execed(process(1), Some(SpaceId(0x2000)), Stamp(10));
        assert!(!owners.used(SPACE, process(1), Stamp(9)));
        assert!(owners.used(SpaceId(0x2000), process(1), Stamp(11)));
        // But what it borrowed is its parent's.
        owners.lent(SPACE, process(3), 4);
        owners.execed(process(4), Some(SpaceId(0x3000)), Stamp(20));
        assert!(owners.used(SPACE, process(4), Stamp(19)));
        assert_eq!(owners.of(SPACE), Some(process(3)));
    }

    #[test]
    fn a_late_record_of_the_dead_does_not_take_it_back() {
        let mut owners = Owners::default();
        assert!(owners.used(SPACE, process(1), Stamp(10)));
        assert_eq!(owners.ended(process(1), None, Stamp(11)), Some(SPACE));
        assert!(owners.used(SPACE, process(3), Stamp(20)));
        assert!(!owners.used(SPACE, process(1), Stamp(9)));
        assert_eq!(owners.of(SPACE), Some(process(3)));
        assert_eq!(owners.space(process(1)), None);
    }
}
