//! Finds the entry for an address, by the linker's table or one that was made here.

use std::{ops::Range, sync::Arc};

use gimli::{BaseAddresses, EhFrameHdr, EndianSlice, LittleEndian, ParsedEhFrameHdr};

use super::{
    cfi::{Bytes, Entry, FrameSection, Listed, range},
    row::Row,
};

/// Bytes of an address.
const ADDRESS: u8 = 8;

/// A section with call-frame information, and the way into it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FrameIndex {
    section: FrameSection,
    table: Table,
}

/// Where the entries are, by the address of their functions.
#[derive(Debug, PartialEq, Eq)]
enum Table {
    /// The linker's.
    Linked(Header),
    /// Made by reading all entries.
    Listed(Box<[Listed]>),
}

/// `.eh_frame_hdr`. LSB 5.0 Core 10.6.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Where it is loaded.
    address: u64,
    bytes: Arc<[u8]>,
}

impl Header {
    pub(super) fn new(address: u64, bytes: Arc<[u8]>) -> Self {
        Self { address, bytes }
    }

    /// Where `.eh_frame` is loaded.
    pub(super) fn section(&self) -> Option<u64> {
        self.parse()?.eh_frame_ptr().direct().ok()
    }

    /// Whether there is a table, and none of its entries lies behind its end.
    fn has_table(&self) -> bool {
        let Some(parsed) = self.parse() else {
            return false;
        };
        let bases = self.bases();
        parsed.table().is_some_and(|table| {
            let (count, _) = table.iter(&bases).size_hint();
            count <= self.bytes.len() && table.lookup(u64::MAX, &bases).is_ok()
        })
    }

    /// Offset in a section at `section` of the entry that may be about an address.
    fn find(&self, address: u64, section: u64) -> Option<usize> {
        let parsed = self.parse()?;
        let entry = parsed.table()?.lookup(address, &self.bases()).ok()?;
        let offset = entry.direct().ok()?.checked_sub(section)?;
        usize::try_from(offset).ok()
    }

    fn parse(&self) -> Option<ParsedEhFrameHdr<Bytes<'_>>> {
        let bytes = EndianSlice::new(&self.bytes, LittleEndian);
        EhFrameHdr::from(bytes).parse(&self.bases(), ADDRESS).ok()
    }

    fn bases(&self) -> BaseAddresses {
        BaseAddresses::default().set_eh_frame_hdr(self.address)
    }
}

impl FrameIndex {
    /// With the file's own table where it has one.
    pub(super) fn new(section: FrameSection, header: Option<Header>) -> Self {
        let table = match header.filter(Header::has_table) {
            Some(header) => Table::Linked(header),
            None => Table::Listed(section.list()),
        };
        Self { section, table }
    }

    /// How an address is unwound; `None` where nothing is said about it.
    pub(super) fn row(&self, address: u64) -> Option<Row> {
        self.section.row(&self.entry(address)?, address)
    }

    /// Begin and end of the code that one entry is about.
    pub(super) fn function(&self, address: u64) -> Option<Range<u64>> {
        self.entry(address).as_ref().map(range)
    }

    /// Whether an address lies in a function that begins exactly at `start`.
    pub(super) fn covers(&self, start: u64, address: u64) -> bool {
        let function = self.function(address);
        function.is_some_and(|function| function.start == start)
    }

    fn entry(&self, address: u64) -> Option<Entry<'_>> {
        let offset = match &self.table {
            Table::Linked(header) => header.find(address, self.section.address)?,
            Table::Listed(list) => {
                let behind = list.partition_point(|&(start, ..)| start <= address);
                let (_, _, offset) = *list.get(behind.checked_sub(1)?)?;
                usize::try_from(offset).ok()?
            }
        };
        let entry = self.section.entry(offset)?;
        range(&entry).contains(&address).then_some(entry)
    }

    /// Whether the file had a table.
    #[cfg(test)]
    pub(super) fn is_linked(&self) -> bool {
        matches!(self.table, Table::Linked(_))
    }

    /// Memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let table = match &self.table {
            Table::Linked(header) => header.bytes.len(),
            Table::Listed(list) => size_of_val::<[_]>(list),
        };
        self.section.bytes.len() + table
    }
}
