//! Threads that leave a descriptor table while others may still use it.

use super::bitmap::Bitmap;
use crate::model::event::Exited;

/// A thread that ended while others of the process, or of another one, may still use its table.
#[derive(Debug)]
pub(super) struct TableDetach {
    /// The latest.
    pub(super) exited: Exited,
    /// What it saw.
    pub(super) truth: Option<Bitmap>,
    pub(super) users: Users,
}

/// Who used a table that threads of one process detached from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Users {
    /// How many threads of the process detached from it.
    detached: u32,
    /// How many users the first of them saw.
    seen: u32,
}

impl Users {
    pub(super) fn one(exited: &Exited) -> Self {
        let (detached, seen) = (1, exited.users);
        Self { detached, seen }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            detached: self.detached.saturating_add(other.detached),
            seen: self.seen.max(other.seen),
        }
    }

    /// Everybody who used the table has detached, whatever fork records say: `unshare(2)` leaves
    /// none.
    pub(super) fn have_all_detached(self) -> bool {
        self.detached >= self.seen
    }
}

impl TableDetach {
    pub(super) fn new(exited: Exited, truth: Option<Bitmap>) -> Self {
        let users = Users::one(&exited);
        Self {
            exited,
            truth,
            users,
        }
    }

    pub(super) fn then(&mut self, other: Self) {
        self.users = self.users.and(other.users);
        if other.exited.stamp > self.exited.stamp {
            (self.exited, self.truth) = (other.exited, other.truth);
        }
    }
}
