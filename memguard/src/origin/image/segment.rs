//! Segments: what of a file is loaded, and where.

use std::ops::Range;

use object::{
    LittleEndian as LE,
    elf::{PF_W, PF_X, ProgramHeader64},
};

use super::region::Region;

/// A part of the file that is loaded.
#[derive(Clone, Debug)]
pub(super) struct LoadSegment {
    /// Where in the file.
    file: Range<u64>,
    /// Where its first byte is loaded, as the headers count.
    address: u64,
    pub(super) executable: bool,
    pub(super) writable: bool,
}

impl LoadSegment {
    pub(super) fn loaded(header: &ProgramHeader64<LE>) -> Option<Self> {
        let start = header.p_offset.get(LE);
        let end = start.checked_add(header.p_filesz.get(LE))?;
        let address = header.p_vaddr.get(LE);
        address.checked_add(end - start)?;
        Some(Self {
            file: start..end,
            address,
            executable: header.p_flags.get(LE) & PF_X != 0,
            writable: header.p_flags.get(LE) & PF_W != 0,
        })
    }

    pub(super) fn region(&self) -> (u64, Region) {
        let Range { start, end } = self.file;
        (self.address, Region::new(start, end - start))
    }

    /// The address of a byte of the file.
    pub(super) fn address(&self, offset: u64) -> Option<u64> {
        let inside = self.file.contains(&offset);
        inside.then(|| self.address + (offset - self.file.start))
    }

    /// Where in the file an address is, and how much of the segment follows it there.
    pub(super) fn offset(&self, address: u64) -> Option<(u64, u64)> {
        let distance = address.checked_sub(self.address)?;
        let offset = self.file.start.checked_add(distance)?;
        let left = self.file.end.checked_sub(offset)?;
        (left > 0).then_some((offset, left))
    }
}
