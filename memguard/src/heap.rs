//! How much memguard itself has on its heap: a health figure. Resident memory says how much it once
//! had; this goes back when something is let go, so that a leak of memguard's own shows.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The system's allocator, counted, for a program that declares it its global one.
///
/// It costs four additions in the whole life of a block, about 4 ns where no other thread allocates
/// at the same time.
#[derive(Debug)]
pub struct Counting;

/// Bytes as they were asked for; what the allocator adds to each block is not in it.
static BYTES: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);

/// From so many bytes on a block is a mapping of its own.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 256 * 1024;

/// Makes large blocks go back to the kernel as soon as they are let go; to be called first.
///
/// glibc does so by itself until the first of them is freed, and then keeps everything below its
/// size, up to 32 MiB: the old halves of tables that grow (`M_MMAP_THRESHOLD`, mallopt(3)).
pub fn give_back_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no other thread runs yet, and no pointer is involved.
    unsafe {
        // Where it is refused, more memory stays resident.
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Bytes that are in use now.
pub fn bytes() -> u64 {
    BYTES.load(Relaxed) as u64
}

/// Blocks that are in use now.
pub fn blocks() -> u64 {
    BLOCKS.load(Relaxed) as u64
}

fn count(layout: Layout, block: *mut u8) -> *mut u8 {
    if !block.is_null() {
        BYTES.fetch_add(layout.size(), Relaxed);
        BLOCKS.fetch_add(1, Relaxed);
    }
    block
}

// SAFETY: every call goes to the system's allocator as it came, and its answer goes back as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the same contract.
        count(layout, unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the same contract.
        count(layout, unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the same contract, and the block came from there.
        unsafe {
            System.dealloc(block, layout);
        }
        BYTES.fetch_sub(layout.size(), Relaxed);
        BLOCKS.fetch_sub(1, Relaxed);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the same contract, and the block came from there.
        let moved = unsafe { System.realloc(block, layout, size) };
        if !moved.is_null() {
            // Wraps where it shrinks, and the sum is right all the same.
            BYTES.fetch_add(size.wrapping_sub(layout.size()), Relaxed);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests run on the system's allocator, so that nobody else counts here.
    #[test]
    fn what_is_given_back_does_not_count() {
        let layout = Layout::from_size_align(100, 8).unwrap();
        let larger = Layout::from_size_align(1000, 8).unwrap();
        // SAFETY: of some size.
        let first = unsafe { Counting.alloc(layout) };
        // SAFETY: of some size.
        let second = unsafe { Counting.alloc_zeroed(layout) };
        assert_eq!((bytes(), blocks()), (200, 2));
        // SAFETY: `first` came from there with this layout.
        let first = unsafe { Counting.realloc(first, layout, 1000) };
        assert_eq!((bytes(), blocks()), (1100, 2));
        // SAFETY: `first` has this layout now.
        let first = unsafe { Counting.realloc(first, larger, 100) };
        assert_eq!((bytes(), blocks()), (200, 2));
        for block in [first, second] {
            // SAFETY: came from there with this layout, and is not used any more.
            unsafe {
                Counting.dealloc(block, layout);
            }
        }
        assert_eq!((bytes(), blocks()), (0, 0));
    }
}
