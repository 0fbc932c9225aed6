//! Which entry of a section is about an address.

use std::{ops::Range, sync::Arc};

use super::{
    cursor::Cursor,
    entry::{Entry, Section, pointer},
    row::Row,
};

/// Most entries that are listed where the file has no list of its own.
const ENTRIES: usize = 1 << 20;

/// A section and the way into it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Index {
    section: Section,
    order: Order,
}

#[derive(Debug, PartialEq, Eq)]
enum Order {
    /// The linker's, in `.eh_frame_hdr`.
    Linked(Linked),
    /// Start, end and offset of every entry, by start.
    Listed(Box<[(u64, u64, u32)]>),
}

/// Pairs of addresses, each relative to the header's, 4 bytes signed: of code, and of its entry.
#[derive(Debug, PartialEq, Eq)]
struct Linked {
    header: u64,
    bytes: Arc<[u8]>,
    table: Range<usize>,
}

/// Bytes of a pair.
const PAIR: usize = 8;

/// How the table of pairs is encoded by every linker: `DW_EH_PE_datarel | DW_EH_PE_sdata4`.
const PAIRS: u8 = 0x3b;

/// What `.eh_frame_hdr` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Where `.eh_frame` is loaded.
    pub(super) section: u64,
    linked: Option<Linked>,
}

impl Header {
    /// `bytes` are loaded at `address`. LSB 5.0 Core 10.6.2.
    pub(super) fn parse(address: u64, bytes: Arc<[u8]>) -> Option<Self> {
        let mut cursor = Cursor::new(&bytes, 0);
        let [1, to_section, to_count, encoding] = *cursor.take(4)? else {
            return None;
        };
        let mut next = |encoding| {
            let own = address.wrapping_add(cursor.at() as u64);
            pointer(&mut cursor, encoding, own, Some(address))
        };
        let section = next(to_section)?;
        let count = next(to_count).unwrap_or(0);
        let table = table(cursor.at(), count, bytes.len()).filter(|_| encoding == PAIRS);
        let linked = table.map(|table| Linked {
            header: address,
            bytes,
            table,
        });
        Some(Self { section, linked })
    }
}

/// As many whole pairs as there are.
fn table(start: usize, count: u64, length: usize) -> Option<Range<usize>> {
    let room = length.checked_sub(start)? / PAIR;
    let count = usize::try_from(count).ok()?.min(room);
    (count > 0).then(|| start..start + count * PAIR)
}

impl Linked {
    /// Offset in a section at `section` of the last entry that begins at or before `address`.
    fn find(&self, address: u64, section: u64) -> Option<usize> {
        let table = self.bytes.get(self.table.clone())?;
        let (pairs, _) = table.as_chunks::<PAIR>();
        let behind = pairs.partition_point(|pair| self.pair(*pair).0 <= address);
        let (_, entry) = self.pair(*pairs.get(behind.checked_sub(1)?)?);
        usize::try_from(entry.checked_sub(section)?).ok()
    }

    fn pair(&self, pair: [u8; PAIR]) -> (u64, u64) {
        let both = u64::from_le_bytes(pair);
        let absolute = |distance: i32| self.header.wrapping_add(i64::from(distance) as u64);
        (absolute(both as i32), absolute((both >> 32) as i32))
    }
}

impl Index {
    /// With the file's own list where it has one.
    pub(super) fn new(section: Section, header: Option<Header>) -> Self {
        let order = match header.and_then(|header| header.linked) {
            Some(linked) => Order::Linked(linked),
            None => Order::Listed(list(&section)),
        };
        Self { section, order }
    }

    /// How an address is unwound; `None` where nothing is said about it.
    pub(super) fn row(&self, address: u64) -> Option<Row> {
        Row::of(&self.entry(address)?, address)
    }

    /// Begin and end of the code that one entry is about.
    pub(super) fn function(&self, address: u64) -> Option<Range<u64>> {
        Some(self.entry(address)?.range)
    }

    /// Whether an address lies in a function that begins exactly at `start`.
    pub(super) fn covers(&self, start: u64, address: u64) -> bool {
        let function = self.function(address);
        function.is_some_and(|function| function.start == start)
    }

    fn entry(&self, address: u64) -> Option<Entry<'_>> {
        let offset = match &self.order {
            Order::Linked(linked) => linked.find(address, self.section.address)?,
            Order::Listed(list) => {
                let behind = list.partition_point(|&(start, ..)| start <= address);
                let (_, _, offset) = *list.get(behind.checked_sub(1)?)?;
                usize::try_from(offset).ok()?
            }
        };
        let entry = self.section.entry(offset)?;
        entry.range.contains(&address).then_some(entry)
    }

    /// Memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let order = match &self.order {
            Order::Linked(linked) => linked.bytes.len(),
            Order::Listed(list) => size_of_val::<[_]>(list),
        };
        self.section.bytes.len() + order
    }
}

fn list(section: &Section) -> Box<[(u64, u64, u32)]> {
    let entries = section.offsets().take(ENTRIES).filter_map(|offset| {
        let Range { start, end } = section.entry(offset)?.range;
        Some((start, end, u32::try_from(offset).ok()?))
    });
    let mut list: Vec<_> = entries.filter(|(start, end, _)| start < end).collect();
    list.sort_unstable();
    list.into()
}
