//! What one stretch of addresses was last used for, packed: there is one of these for each piece of
//! memory that a traced process has.

use std::num::NonZeroU32;

use crate::model::{ids::Stamp, origin::StackId};

/// A stretch; where it starts is its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// First address behind.
    pub(super) end: u64,
    /// Of the record that used it last.
    pub(super) stamp: Stamp,
    /// What was acquired; `None` is a hole.
    pub(super) acquisition: Option<Acquisition>,
}

const _: () = assert!(size_of::<Cell>() == 24, "a cell has grown");

impl Cell {
    pub(super) fn hole(end: u64, stamp: Stamp) -> Self {
        Self {
            end,
            stamp,
            acquisition: None,
        }
    }

    pub(super) fn is_hole(&self) -> bool {
        self.acquisition.is_none()
    }

    /// Whether it is a piece of an acquisition of this stamp.
    pub(super) fn is_of(&self, stamp: Stamp) -> bool {
        self.stamp == stamp && !self.is_hole()
    }
}

/// What is known of an acquisition beside its range and its stamp.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acquisition {
    /// Number of its [`super::attributes::Attributes`].
    pub(super) attributes: NonZeroU32,
    /// One more than the number of a [`StackId`], so that none costs nothing.
    stack: Option<NonZeroU32>,
}

impl Acquisition {
    pub(super) fn new(attributes: NonZeroU32) -> Self {
        Self {
            attributes,
            stack: None,
        }
    }

    pub(super) fn stack(self) -> Option<StackId> {
        let number = self.stack?.get().checked_sub(1)?;
        Some(StackId(number))
    }

    pub(super) fn set_stack(&mut self, stack: StackId) {
        self.stack = stack.0.checked_add(1).and_then(NonZeroU32::new);
    }
}
