//! What is read of the files that code is run from, once for all processes that run it.
//!
//! `file` finds the file of a mapping, `elf` reads its parts, `index` finds the entry of
//! `.eh_frame` that is about an address, `cfi` and `row` have gimli read it, `expression` computes
//! what some of them say, and `golang` reads what Go has instead. Files are untrusted: everything
//! read is bounded, nothing is indexed unchecked.

mod cfi;
mod elf;
mod expression;
mod file;
mod golang;
mod index;
mod region;
mod row;
mod segment;
mod store;
mod vdso;

#[cfg(test)]
mod tests;

use std::{fs::File, ops::Range, sync::Arc};

use self::{elf::Elf, golang::GoTable, index::FrameIndex};
pub(super) use self::{
    elf::ImageError,
    expression::{Context, evaluate},
    golang::{GoName, GoProgram, GoRule},
    row::{Cfa, Row, Saved, register},
    store::{ImageId, Images},
};
use super::calls::Jump;
use crate::model::origin::BuildId;

/// How long the first instructions are at most: the loader of glibc has 61 bytes of them.
const ENTRY: u64 = 64;

/// Most jumps in a row that a call is followed through.
const JUMPS: usize = 4;

/// A file that code is run from. Addresses are those of its headers.
#[derive(Debug)]
pub(super) struct Image {
    elf: Elf,
    eh_frame: Option<Arc<FrameIndex>>,
    /// For what `.eh_frame` does not speak of: programs of Go have nothing else.
    debug_frame: Option<FrameIndex>,
    /// For what neither speaks of: stripped programs of Go.
    golang: Option<GoTable>,
}

impl Image {
    fn new(elf: Elf) -> Self {
        Self {
            eh_frame: elf.eh_frame().map(Arc::new),
            debug_frame: elf.debug_frame(),
            golang: GoTable::of(&elf),
            elf,
        }
    }

    /// Of a file.
    pub(super) fn read(file: File) -> Result<Self, ImageError> {
        Elf::parse(elf::Bytes::File(file)).map(Self::new)
    }

    /// Of a file in memory.
    #[cfg(test)]
    pub(super) fn of(bytes: Vec<u8>) -> Result<Self, ImageError> {
        let elf = Elf::parse(elf::Bytes::Memory(bytes.into()))?;
        Ok(Self::new(elf))
    }

    /// What the linker named it.
    pub(super) fn build_id(&self) -> Option<BuildId> {
        self.elf.build_id
    }

    /// Address of the code at an offset of the file.
    pub(super) fn address(&self, offset: u64) -> Option<u64> {
        self.elf.address(offset)
    }

    /// How the code at an address is unwound, where somebody says.
    pub(super) fn row(&self, address: u64) -> Option<Row> {
        let row = |index: &FrameIndex| index.row(address);
        self.eh_frame
            .as_deref()
            .and_then(row)
            .or_else(|| self.debug_frame.as_ref()?.row(address))
    }

    /// The function around an address, where unwind information tells its bounds.
    pub(super) fn function(&self, address: u64) -> Option<Range<u64>> {
        let function = |index: &FrameIndex| index.function(address);
        self.eh_frame
            .as_deref()
            .and_then(function)
            .or_else(|| self.debug_frame.as_ref()?.function(address))
            .or_else(|| self.golang.as_ref()?.bounds(&self.elf, address))
    }

    /// How code of Go at an address leads to its caller, by the run time's own table.
    pub(super) fn go_rule(&self, address: u64) -> Option<GoRule> {
        self.golang.as_ref()?.rule(&self.elf, address)
    }

    /// Whether `.eh_frame` says that an address lies in a function that begins exactly at `start`.
    pub(super) fn covers(&self, start: u64, address: u64) -> bool {
        let covers = |index: &FrameIndex| index.covers(start, address);
        self.eh_frame.as_deref().is_some_and(covers)
    }

    /// Up to `LENGTH` bytes of code from an address on, and how many there are.
    pub(super) fn code<const LENGTH: usize>(&self, address: u64) -> Option<([u8; LENGTH], usize)> {
        self.elf.code(address)
    }

    /// Whether the code at an address begins in some way.
    pub(super) fn starts(&self, address: u64, with: impl Fn(&[u8]) -> bool) -> bool {
        let code = self.code::<16>(address);
        code.is_some_and(|(code, length)| code.get(..length).is_some_and(with))
    }

    /// Whether code belongs to the first instructions of the program, or of its loader, which are
    /// written by hand: nobody called them.
    pub(super) fn is_entry(&self, address: u64) -> bool {
        let inside = address.checked_sub(self.elf.entry);
        inside.is_some_and(|inside| inside < ENTRY)
    }

    /// Where a call of an address comes to: behind jumps to fixed addresses, but `None` where it
    /// begins with a jump to one that is found elsewhere, like a stub of the linkage table.
    pub(super) fn destination(&self, mut address: u64) -> Option<u64> {
        for _ in 0..JUMPS {
            let (code, length) = self.code::<16>(address)?;
            match Jump::at(code.get(..length)?) {
                None => return Some(address),
                Some(Jump::Direct(distance)) => address = address.wrapping_add_signed(distance),
                Some(Jump::Indirect) => return None,
            }
        }
        None
    }

    /// Files that say the same, like those of containers that were made from one image, share the
    /// memory. To claim it by the build id is not enough.
    fn share(&mut self, other: &Self) {
        if self.build_id() == other.build_id() && self.eh_frame == other.eh_frame {
            self.eh_frame.clone_from(&other.eh_frame);
        }
    }

    /// Memory that it takes, its share of what is shared.
    fn bytes(&self) -> usize {
        let share = |index: &Arc<FrameIndex>| index.bytes() / Arc::strong_count(index);
        let eh_frame = self.eh_frame.as_ref().map_or(0, share);
        let debug_frame = self.debug_frame.as_ref().map_or(0, FrameIndex::bytes);
        size_of::<Self>() + eh_frame + debug_frame
    }
}
