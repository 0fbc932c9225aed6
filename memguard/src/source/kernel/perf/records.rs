//! Bytes of a ring → records, and fields of these. Pure and total: whatever the bytes, nothing here
//! panics.
//!
//! The layouts are those of `enum perf_event_type` in
//! <https://github.com/torvalds/linux/blob/v6.18/include/uapi/linux/perf_event.h>.

use crate::model::ids::Stamp;

/// `PERF_RECORD_LOST`: so many found no room.
pub const LOST: u32 = 2;

/// Not what the kernel writes.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// A record without its header.
#[derive(Debug)]
pub struct Record<'a> {
    /// `PERF_RECORD_*`.
    pub kind: u32,
    /// `PERF_RECORD_MISC_*`.
    pub misc: u16,
    /// What is behind the header.
    pub body: Fields<'a>,
}

/// Gives every record to `take`; false where a length makes no sense, so that nothing behind it can
/// be found.
pub fn each<'a>(mut bytes: &'a [u8], mut take: impl FnMut(Record<'a>)) -> bool {
    while let Some((record, rest)) = split(bytes) {
        take(record);
        bytes = rest;
    }
    bytes.is_empty()
}

/// The first record, and the bytes behind it.
fn split(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let mut header = Fields(bytes);
    let kind = header.u32().ok()?;
    let misc = header.u16().ok()?;
    let size = usize::from(header.u16().ok()?);
    let (record, rest) = bytes.split_at_checked(size)?;
    let body = Fields(record.get(size_of::<u64>()..)?);
    Some((Record { kind, misc, body }, rest))
}

/// Bytes that are read from the front.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*array)
    }

    /// So many of the next bytes.
    pub fn bytes(&mut self, count: u64) -> Result<&'a [u8], Malformed> {
        let count = usize::try_from(count).map_err(|_beyond| Malformed)?;
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// The next number.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_ne_bytes)
    }

    /// The next number.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_ne_bytes)
    }

    /// The next number.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_ne_bytes)
    }

    /// What stands last in every record with `sample_id_all`.
    pub fn stamp(&mut self) -> Result<Stamp, Malformed> {
        let (rest, stamp) = self.0.split_last_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(Stamp(u64::from_ne_bytes(*stamp)))
    }

    /// The rest, which zeroes fill up to a word.
    pub fn text(&self) -> &'a [u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}
