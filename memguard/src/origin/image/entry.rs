//! Entries of `.eh_frame` and `.debug_frame`: which functions there are, and the instructions that
//! say how each is unwound. LSB 5.0 Core 10.6, DWARF 5 section 6.4.

use std::{ops::Range, sync::Arc};

use super::cursor::Cursor;

/// One of the two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Eh,
    Debug,
}

/// The bytes of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) kind: Kind,
    /// Where it is loaded, as the file's headers count.
    pub(super) address: u64,
    pub(super) bytes: Arc<[u8]>,
}

/// What is common to many functions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common<'a> {
    pub(super) code_alignment: u64,
    pub(super) data_alignment: i64,
    pub(super) return_register: u64,
    pub(super) instructions: Cursor<'a>,
    /// What is interrupted here is no call: `S`.
    pub(super) signal: bool,
    encoding: u8,
    /// Entries have a length of augmentation data: `z`.
    sized: bool,
}

/// One function, or part of one.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub(super) common: Common<'a>,
    pub(super) range: Range<u64>,
    pub(super) instructions: Cursor<'a>,
}

/// Encodings of addresses, `DW_EH_PE_*`.
mod encoding {
    pub(super) const ABSOLUTE: u8 = 0x00;
    pub(super) const FORMAT: u8 = 0x0f;
    pub(super) const BASE: u8 = 0x70;
    pub(super) const TO_ITSELF: u8 = 0x10;
    pub(super) const TO_HEADER: u8 = 0x30;
    pub(super) const INDIRECT: u8 = 0x80;
}

impl Section {
    /// The entry at an offset; `None` where there is none, or it makes no sense.
    pub(super) fn entry(&self, offset: usize) -> Option<Entry<'_>> {
        let Header { common, mut body } = self.header(offset)?;
        let common = self.common(common?)?;
        let start = self.pointer(&mut body, common.encoding, None)?;
        let length = self.pointer(&mut body, common.encoding & encoding::FORMAT, None)?;
        if common.sized {
            let skipped = body.uleb()?;
            body.take(usize::try_from(skipped).ok()?)?;
        }
        Some(Entry {
            common,
            range: start..start.checked_add(length)?,
            instructions: body,
        })
    }

    /// Offsets of all entries that name functions, up to the first that cannot be stepped over.
    pub(super) fn offsets(&self) -> impl Iterator<Item = usize> {
        let mut next = 0;
        let all = std::iter::from_fn(move || {
            let offset = next;
            let header = self.header(offset)?;
            let function = header.common.is_some();
            next = header.end();
            Some((offset, function))
        });
        all.filter_map(|(offset, function)| function.then_some(offset))
    }

    fn header(&self, offset: usize) -> Option<Header<'_>> {
        let mut cursor = Cursor::new(&self.bytes, offset);
        let short = cursor.u32()?;
        let long = short == u32::MAX;
        let length = if long { cursor.u64()? } else { short.into() };
        let mut body = cursor.split(usize::try_from(length).ok()?)?;
        let at = body.at();
        let id = if long && self.kind == Kind::Debug {
            body.u64()?
        } else {
            body.u32()?.into()
        };
        let common = match (self.kind, id) {
            (Kind::Eh, 0) => None,
            (Kind::Eh, back) => Some(at.checked_sub(usize::try_from(back).ok()?)?),
            (Kind::Debug, id) if id == u64::from(u32::MAX) || id == u64::MAX => None,
            (Kind::Debug, offset) => Some(usize::try_from(offset).ok()?),
        };
        Some(Header { common, body })
    }

    fn common(&self, offset: usize) -> Option<Common<'_>> {
        let Header { common, mut body } = self.header(offset)?;
        if common.is_some() {
            return None;
        }
        let version = body.u8()?;
        let augmentation = body.text()?;
        if version >= 4 && body.take(2)? != [8, 0] {
            return None; // addresses of 8 bytes, no segments
        }
        let code_alignment = body.uleb()?;
        let data_alignment = body.sleb()?;
        let return_register = match version {
            1 => body.u8()?.into(),
            3 | 4 => body.uleb()?,
            _ => return None,
        };
        let mut common = Common {
            code_alignment,
            data_alignment,
            return_register,
            instructions: body,
            signal: false,
            encoding: encoding::ABSOLUTE,
            sized: false,
        };
        self.augment(&mut common, augmentation)?;
        Some(common)
    }

    /// Reads what the letters announce; a letter that is not known ends it, unless their data has
    /// no length.
    fn augment(&self, common: &mut Common<'_>, letters: &[u8]) -> Option<()> {
        let Some((first, letters)) = letters.split_first() else {
            return Some(());
        };
        if *first != b'z' {
            return None;
        }
        let length = common.instructions.uleb()?;
        let mut data = common.instructions.split(usize::try_from(length).ok()?)?;
        common.sized = true;
        for letter in letters {
            match letter {
                b'R' => common.encoding = data.u8()?,
                b'S' => common.signal = true,
                b'L' => drop(data.u8()?),
                b'P' => {
                    let encoding = data.u8()?;
                    self.pointer(&mut data, encoding & !encoding::INDIRECT, None)?;
                }
                _ => break,
            }
        }
        Some(())
    }

    /// An address in one of the encodings; `header` is where `.eh_frame_hdr` is loaded.
    pub(super) fn pointer(
        &self,
        cursor: &mut Cursor<'_>,
        encoding: u8,
        header: Option<u64>,
    ) -> Option<u64> {
        let own = self.address.wrapping_add(cursor.at() as u64);
        pointer(cursor, encoding, own, header)
    }
}

/// An address in one of the encodings: `own` is the address of the place itself.
pub(super) fn pointer(
    cursor: &mut Cursor<'_>,
    encoding: u8,
    own: u64,
    header: Option<u64>,
) -> Option<u64> {
    let value = match encoding & encoding::FORMAT {
        0x00 | 0x04 | 0x0c => cursor.u64()?,
        0x01 => cursor.uleb()?,
        0x02 => cursor.u16()?.into(),
        0x03 => cursor.u32()?.into(),
        0x09 => cursor.sleb()? as u64,
        0x0a => cursor.u16()? as i16 as u64,
        0x0b => cursor.u32()? as i32 as u64,
        _ => return None,
    };
    let base = match encoding & encoding::BASE {
        encoding::ABSOLUTE => 0,
        encoding::TO_ITSELF => own,
        encoding::TO_HEADER => header?,
        _ => return None,
    };
    (encoding & encoding::INDIRECT == 0).then_some(value.wrapping_add(base))
}

/// The beginning of an entry.
struct Header<'a> {
    /// Offset of what it shares with others; `None` where it is that itself.
    common: Option<usize>,
    /// What follows.
    body: Cursor<'a>,
}

impl Header<'_> {
    fn end(mut self) -> usize {
        self.body.rest();
        self.body.at()
    }
}
