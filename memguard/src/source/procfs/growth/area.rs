//! Memory of a test's own.

use std::ptr::null_mut;

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect};

use crate::model::memory::{PAGE, Range};

/// Inaccessible memory, so that no neighbour merges with what is made accessible inside; unmapped
/// at the end.
pub(super) struct Area {
    pub(super) at: *mut libc::c_void,
    pub(super) length: usize,
}

impl Area {
    pub(super) fn reserve(length: usize) -> Self {
        // SAFETY: new memory at an address that the kernel chooses.
        let at =
            unsafe { mmap_anonymous(null_mut(), length, ProtFlags::empty(), MapFlags::PRIVATE) };
        let area = Self {
            at: at.unwrap(),
            length,
        };
        // SAFETY: advice on memory of our own.
        unsafe { madvise(area.at, length, Advice::LinuxNoHugepage) }.unwrap();
        area
    }

    pub(super) fn inside(&self, offset: usize) -> *mut libc::c_void {
        assert!(offset < self.length);
        self.at.wrapping_byte_add(offset)
    }

    pub(super) fn open(&self, offset: usize, length: usize) {
        assert!(offset + length <= self.length);
        // SAFETY: memory of our own.
        unsafe {
            mprotect(
                self.inside(offset),
                length,
                MprotectFlags::READ | MprotectFlags::WRITE,
            )
        }
        .unwrap();
    }

    pub(super) fn touch(&self, offset: usize, length: usize) {
        assert!(offset + length <= self.length);
        for page in (offset..offset + length).step_by(PAGE as usize) {
            // SAFETY: writable memory of our own.
            unsafe {
                self.inside(page).cast::<u8>().write_volatile(1);
            }
        }
    }

    pub(super) fn range(&self, offset: usize, length: usize) -> Range {
        Range::of(self.inside(offset).addr() as u64, length as u64).unwrap()
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: nothing refers to the memory any more.
        unsafe { rustix::mm::munmap(self.at, self.length) }.unwrap();
    }
}
