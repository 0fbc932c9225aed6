//! Which pages are resident, one by one: `/proc/PID/pagemap`, `proc_pid_pagemap(5)`.
//!
//! For parts of mappings, of which `smaps` says nothing.

use std::os::fd::OwnedFd;

use rustix::{fs::OFlags, io::pread};

use super::{BUFFER, Procfs};
use crate::model::memory::{PAGE, Range};

/// Bytes of the file for each page.
const ENTRY: u64 = 8;

/// Bits of an entry: the page is in memory, or in swap space.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;

/// Bytes of a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes {
    pub(super) resident: u64,
    pub(super) swapped: u64,
}

/// The pages of a process.
#[derive(Debug)]
pub(super) struct PageMap<'a> {
    procfs: &'a Procfs,
    file: OwnedFd,
}

impl Procfs {
    /// Through a live thread where the leader has exited; `None` where it may not be read.
    pub(super) fn page_map(&self, tgid: u32) -> Option<PageMap<'_>> {
        let directory = self.directory(tgid, self.alive(tgid, tgid).ok()?);
        let file = self.open(&format!("{directory}/pagemap"), OFlags::empty());
        Some(PageMap {
            procfs: self,
            file: file.ok()?,
        })
    }
}

impl PageMap<'_> {
    /// What of a range is resident and swapped out; `None` where that cannot be read. The page of
    /// zeros that all processes share counts, which `Rss` does not count.
    pub(super) fn bytes(&self, range: Range) -> Option<Bytes> {
        let (mut at, end) = (range.start / PAGE * ENTRY, range.end / PAGE * ENTRY);
        let mut bytes = Bytes::default();
        self.procfs.with_buffer(|buffer| {
            let room = buffer.spare_capacity_mut();
            while at < end {
                let wanted = usize::try_from(end - at).unwrap_or(BUFFER).min(BUFFER);
                let room = room.get_mut(..wanted)?;
                let (read, _) = pread(&self.file, room, at).ok()?;
                let (entries, _) = read.as_chunks();
                bytes.add(entries);
                at += entries.len() as u64 * ENTRY;
                (!entries.is_empty()).then_some(())?;
            }
            Some(bytes)
        })
    }
}

impl Bytes {
    fn add(&mut self, entries: &[[u8; ENTRY as usize]]) {
        for &entry in entries {
            let entry = u64::from_ne_bytes(entry);
            self.resident += if entry & PRESENT == 0 { 0 } else { PAGE };
            self.swapped += if entry & SWAPPED == 0 { 0 } else { PAGE };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::TestProcfs;

    fn range(first: u64, pages: u64) -> Range {
        Range::of(first * PAGE, pages * PAGE).unwrap()
    }

    #[test]
    fn pages_are_counted_by_their_bits() {
        let tree = TestProcfs::new();
        let entries: Vec<u8> = (0..10_000_u64)
            .map(|page| [PRESENT | 7, SWAPPED, 9, PRESENT][page as usize % 4])
            .flat_map(u64::to_ne_bytes)
            .collect();
        tree.process(7, b"api", 'S', 1).file("7/pagemap", &entries);
        let procfs = tree.procfs();
        let map = procfs.page_map(7).unwrap();
        for (asked, expected) in [
            (range(0, 4), Some((2, 1))),
            (range(2, 2), Some((1, 0))),
            (range(4, 9000), Some((4500, 2250))),
            (range(9999, 2), None),
        ] {
            let found = map
                .bytes(asked)
                .map(|bytes| (bytes.resident / PAGE, bytes.swapped / PAGE));
            assert_eq!(found, expected, "{asked:?}");
        }
        assert!(procfs.page_map(8).is_none());
    }
}
