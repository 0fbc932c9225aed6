//! Handles that were released before they left the nursery: each waits for its stack, and is
//! counted for its site then.

use hashbrown::{HashMap, HashSet};

use super::Engine;
use crate::{
    judge::descriptors::is_descriptor,
    ledger::{AcquisitionId, HandleId, HeldFd, population::GroupId},
    model::{event::Acquired, ids::ProcessId, origin::StackId},
};

/// Most that wait: what comes then is counted for nobody, as if it had not been seen.
const WAITING: usize = 4096;

/// Those whose stack is not unwound yet.
#[derive(Debug, Default)]
pub(super) struct ShortLived {
    waiting: HashMap<HandleId, (GroupId, bool)>,
    /// That found no room.
    pub(super) refused: u64,
}

impl ShortLived {
    fn wait(&mut self, handle: HandleId, group: GroupId, lingered: bool) {
        if self.waiting.len() < WAITING {
            self.waiting.insert(handle, (group, lingered));
        } else {
            self.refused = self.refused.saturating_add(1);
        }
    }

    /// Its process has ended.
    pub(super) fn forget(&mut self, process: ProcessId) {
        self.waiting
            .retain(|_, (group, _)| group.process != process);
    }

    /// Whether one of a process waits; for tests.
    pub(super) fn mentions(&self, process: ProcessId) -> bool {
        let mut groups = self.waiting.values();
        groups.any(|(group, _)| group.process == process)
    }
}

impl Engine {
    /// Thread groups of which it is worth to know what they release at once: those that hold
    /// something that is judged.
    pub fn holders(&self) -> HashSet<u32> {
        self.holders.clone()
    }

    pub(super) fn died_young(&mut self, acquired: &Acquired, lingered: bool) {
        let group = GroupId::from(&HeldFd::from(*acquired));
        if !is_descriptor(group) || !self.is_there(group.process) {
            return;
        }
        if self.context.names.are_available() {
            self.short_lives.wait(acquired.into(), group, lingered);
        } else {
            let populations = &mut self.context.ledger.populations;
            populations.died_young(group, acquired.stamp, lingered);
        }
    }

    /// Counts one whose stack has come; false where none such waits.
    pub(super) fn take_short_lived(&mut self, acquisition: AcquisitionId, stack: StackId) -> bool {
        let AcquisitionId::Handle(handle) = acquisition else {
            return false;
        };
        let Some((group, lingered)) = self.short_lives.waiting.remove(&handle) else {
            return false;
        };
        let group = GroupId {
            stack: Some(stack),
            ..group
        };
        let populations = &mut self.context.ledger.populations;
        populations.died_young(group, handle.stamp, lingered);
        true
    }
}
