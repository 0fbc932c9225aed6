//! BPF arrays mapped into the agent: shared memory with the programs, no system call to read or
//! write.

use std::{
    io,
    os::fd::AsFd,
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64},
};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Values of an array map, one after the other, each at a multiple of eight bytes.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: the memory is reached through atomics only.
unsafe impl Send for Mapping {}

// SAFETY: likewise, and `store` is for settings, which one thread writes.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `bytes` of a map made with `BPF_F_MMAPABLE`.
    pub fn new(map: impl AsFd, bytes: usize) -> io::Result<Self> {
        let (protection, shared) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        let null = std::ptr::null_mut();
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe { mmap(null, bytes, protection, shared, map, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            start,
            words: bytes / size_of::<u64>(),
        })
    }

    /// All words.
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: mapped for as long as `self`, aligned to a page, and every access, here and in
        // the kernel, is atomic or tolerates tearing (the nursery's protocol).
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }

    /// All half words.
    pub fn halves(&self) -> &[AtomicU32] {
        // SAFETY: as in `words`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.words * 2) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let bytes = self.words * size_of::<u64>();
        // SAFETY: mapped by `new` with this length, and nobody borrows from it any more.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), bytes) };
        // It fails for a range that is none alone, and this one is.
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}
