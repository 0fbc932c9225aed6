//! Whole pages.

use memguard_common::event::{PAGE_SHIFT, range_handle};

const PAGE_MASK: u64 = (1 << PAGE_SHIFT) - 1;

/// A range of pages; it may be empty.
#[derive(Clone, Copy)]
pub(super) struct Range {
    /// First address.
    pub(super) address: u64,
    /// How many.
    pub(super) pages: u64,
}

impl Range {
    /// Length in bytes, rounded up as the kernel does.
    #[inline(always)]
    pub(super) fn of(address: u64, length: u64) -> Self {
        Self {
            address,
            pages: page_up(length) >> PAGE_SHIFT,
        }
    }

    /// Between two addresses, rounded up both; empty where the second is not above.
    #[inline(always)]
    pub(super) fn between(start: u64, end: u64) -> Self {
        let (address, end) = (page_up(start), page_up(end));
        Self::of(address, end.saturating_sub(address))
    }

    /// Whether it begins where a page does; the kernel refuses others.
    #[inline(always)]
    pub(super) fn is_aligned(self) -> bool {
        self.address & PAGE_MASK == 0
    }

    #[inline(always)]
    pub(super) fn bytes(self) -> u64 {
        self.pages << PAGE_SHIFT
    }

    /// As the handle of a record.
    #[inline(always)]
    pub(super) fn handle(self) -> u64 {
        range_handle(self.address, self.pages)
    }
}

#[inline(always)]
fn page_up(bytes: u64) -> u64 {
    bytes.wrapping_add(PAGE_MASK) & !PAGE_MASK
}
