//! Call-frame information: which entry of `.eh_frame` or `.debug_frame` describes an address.
//!
//! gimli parses. The bounds are ours: gimli has none of its own but the end of a section.

use std::{ops::Range, sync::Arc};

use gimli::{
    BaseAddresses, CommonInformationEntry, DebugFrame, EhFrame, EndianSlice, FrameDescriptionEntry,
    LittleEndian, Reader as _, UnwindOffset, UnwindSection,
};

use super::row::Row;

/// Most bytes of an entry of a function; of 2.6 million that were looked at the longest, of gRPC's
/// Python module, has 20 948.
const ENTRY: usize = 64 * 1024;

/// Most bytes of an entry that functions share; the longest that was seen has 52.
const COMMON: usize = 1024;

/// Most entries of a section that are looked at to list them.
const ENTRIES: usize = 1 << 20;

/// The bytes that gimli reads.
pub(super) type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// The entry of one function, or of a part of one.
pub(super) type Entry<'a> = FrameDescriptionEntry<Bytes<'a>>;

/// Which of the two formats a section has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    EhFrame,
    DebugFrame,
}

/// A section with call-frame information.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FrameSection {
    pub(super) format: Format,
    /// Where it is loaded, as the file's headers count.
    pub(super) address: u64,
    pub(super) bytes: Arc<[u8]>,
}

/// Start and end of the code of an entry, and the offset of the entry.
pub(super) type Listed = (u64, u64, u32);

impl FrameSection {
    /// The entry at an offset; `None` where there is none, or it makes no sense.
    pub(super) fn entry(&self, offset: usize) -> Option<Entry<'_>> {
        let entry = match self.format {
            Format::EhFrame => self.parse::<EhFrame<_>>(offset),
            Format::DebugFrame => self.parse::<DebugFrame<_>>(offset),
        };
        entry.filter(|entry| entry.cie().address_size() == 8 && !range(entry).is_empty())
    }

    /// How the code of an entry is unwound at an address.
    pub(super) fn row(&self, entry: &Entry<'_>, address: u64) -> Option<Row> {
        let (bytes, bases) = (self.upto(usize::MAX), self.bases());
        match self.format {
            Format::EhFrame => Row::of::<EhFrame<_>>(bytes, &bases, entry, address),
            Format::DebugFrame => Row::of::<DebugFrame<_>>(bytes, &bases, entry, address),
        }
    }

    /// All entries of functions, by the address of the function.
    pub(super) fn list(&self) -> Box<[Listed]> {
        let entries = self.offsets().take(ENTRIES).filter_map(|offset| {
            let Range { start, end } = range(&self.entry(offset)?);
            Some((start, end, u32::try_from(offset).ok()?))
        });
        let mut list: Vec<_> = entries.collect();
        list.sort_unstable();
        list.into()
    }

    /// Offsets of all entries, up to the first that cannot be stepped over.
    fn offsets(&self) -> impl Iterator<Item = usize> {
        let section = self.upto(usize::MAX);
        let mut rest = section;
        std::iter::from_fn(move || {
            let offset = rest.offset_from(section);
            let (length, _) = rest.read_initial_length().ok()?;
            rest.skip(length).ok()?;
            (length > 0).then_some(offset)
        })
    }

    fn parse<'a, S>(&'a self, offset: usize) -> Option<Entry<'a>>
    where
        S: UnwindSection<Bytes<'a>> + From<Bytes<'a>>,
    {
        let bases = self.bases();
        let section = S::from(self.upto(offset.saturating_add(ENTRY)));
        let partial = section.partial_fde_from_offset(&bases, offset.into());
        partial
            .ok()?
            .parse(|_, bases, offset| self.common::<S>(bases, offset))
            .ok()
    }

    fn common<'a, S>(
        &'a self,
        bases: &BaseAddresses,
        offset: S::Offset,
    ) -> gimli::Result<CommonInformationEntry<Bytes<'a>>>
    where
        S: UnwindSection<Bytes<'a>> + From<Bytes<'a>>,
    {
        let end = UnwindOffset::into(offset).saturating_add(COMMON);
        S::from(self.upto(end)).cie_from_offset(bases, offset)
    }

    /// The section up to an offset: an entry that is longer is none.
    fn upto(&self, end: usize) -> Bytes<'_> {
        let bytes = self.bytes.get(..end).unwrap_or(&self.bytes);
        EndianSlice::new(bytes, LittleEndian)
    }

    /// What addresses in the section may be relative to.
    fn bases(&self) -> BaseAddresses {
        BaseAddresses::default().set_eh_frame(self.address)
    }
}

/// The code that an entry is about.
pub(super) fn range(entry: &Entry<'_>) -> Range<u64> {
    entry.initial_address()..entry.end_address()
}
