//! A part of a file that is read piece by piece, and never beyond its end.

use super::elf::Elf;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    /// Where it is in the file.
    start: u64,
    length: u64,
}

impl Region {
    pub(super) fn new(start: u64, length: u64) -> Self {
        Self { start, length }
    }

    /// What is loaded from an address on, up to the end of what the file has of that segment.
    pub(super) fn loaded(elf: &Elf, address: u64) -> Option<Self> {
        let (start, length) = elf.loaded(address)?;
        Some(Self { start, length })
    }

    pub(super) fn length(self) -> u64 {
        self.length
    }

    /// The part from `start` to `end`.
    pub(super) fn part(self, start: u64, end: u64) -> Option<Self> {
        let length = end.checked_sub(start)?;
        (end <= self.length).then_some(Self {
            start: self.start.checked_add(start)?,
            length,
        })
    }

    /// What begins at an offset: all that is left, at most `LENGTH` bytes, and how many these are.
    pub(super) fn some<const LENGTH: usize>(
        self,
        elf: &Elf,
        offset: u64,
    ) -> Option<([u8; LENGTH], usize)> {
        let left = self.length.checked_sub(offset)?;
        let length = LENGTH.min(usize::try_from(left).unwrap_or(LENGTH));
        let mut bytes = [0; LENGTH];
        let place = bytes.get_mut(..length)?;
        elf.read_at(self.start.checked_add(offset)?, place)?;
        Some((bytes, length))
    }

    /// Exactly `LENGTH` bytes.
    pub(super) fn bytes<const LENGTH: usize>(self, elf: &Elf, offset: u64) -> Option<[u8; LENGTH]> {
        let (bytes, length) = self.some(elf, offset)?;
        (length == LENGTH).then_some(bytes)
    }

    pub(super) fn byte(self, elf: &Elf, offset: u64) -> Option<u8> {
        let [byte] = self.bytes(elf, offset)?;
        Some(byte)
    }

    pub(super) fn word(self, elf: &Elf, offset: u64) -> Option<u32> {
        self.bytes(elf, offset).map(u32::from_le_bytes)
    }

    pub(super) fn long(self, elf: &Elf, offset: u64) -> Option<u64> {
        self.bytes(elf, offset).map(u64::from_le_bytes)
    }

    /// Text up to a zero byte, which is left out; more than `LENGTH` bytes are cut.
    pub(super) fn text<const LENGTH: usize>(self, elf: &Elf, offset: u64) -> Option<String> {
        let (bytes, length) = self.some::<LENGTH>(elf, offset)?;
        let bytes = bytes.get(..length)?;
        let text = bytes.split(|byte| *byte == 0).next()?;
        (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }
}
