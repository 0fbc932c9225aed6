//! Where functions begin and end, by the frame description entries of `.eh_frame`: for symbols
//! that do not say how long they are.
//!
//! The format is in the Linux Standard Base, Core Specification 5.0, chapter 10.6; encodings that
//! compilers do not use for code addresses are treated as no entry.

use hashbrown::HashMap;

use super::elf::EhFrame;

/// Low half of a pointer encoding: how many bytes, signed or not. High half: relative to what.
const ABSOLUTE: u8 = 0x00;
const RELATIVE: u8 = 0x10;

/// Where functions begin, in order, and how long they are.
pub(super) struct Functions(Vec<(u64, u64)>);

impl Functions {
    pub(super) fn of(section: &EhFrame) -> Self {
        let entries = Entries {
            section,
            at: 0,
            encodings: HashMap::new(),
        };
        let mut functions: Vec<_> = entries.collect();
        functions.sort_unstable();
        Self(functions)
    }

    /// Whether `address` lies in a function that begins exactly at `start`.
    pub(super) fn covers(&self, start: u64, address: u64) -> bool {
        let found = self.0.binary_search_by_key(&start, |(begin, _)| *begin);
        let found = found.ok().and_then(|at| self.0.get(at));
        found.is_some_and(|(_, length)| address.wrapping_sub(start) < *length)
    }
}

/// Begin and length of all functions.
struct Entries<'a> {
    section: &'a EhFrame,
    at: usize,
    /// Pointer encoding by offset of the common information entry.
    encodings: HashMap<usize, u8>,
}

impl Iterator for Entries<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        loop {
            if let Entry::Function(begin, length) = self.step()? {
                return Some((begin, length));
            }
        }
    }
}

enum Entry {
    Function(u64, u64),
    /// Common information, or what is not understood.
    Other,
}

impl Entries<'_> {
    /// `None` at the end.
    fn step(&mut self) -> Option<Entry> {
        let mut reader = Reader {
            section: self.section,
            at: self.at,
        };
        let start = self.at;
        let mut length = reader.unsigned(4)?;
        if length == u64::from(u32::MAX) {
            length = reader.unsigned(8)?;
        }
        if length == 0 {
            return None;
        }
        let body = reader.at;
        self.at = body.checked_add(usize::try_from(length).ok()?)?;
        let id = reader.unsigned(4)?;
        if id == 0 {
            if let Some(encoding) = reader.encoding() {
                self.encodings.insert(start, encoding);
            }
            return Some(Entry::Other);
        }
        let common = body.checked_sub(usize::try_from(id).ok()?)?;
        let encoding = self.encodings.get(&common).copied();
        let function = encoding.and_then(|encoding| reader.function(encoding));
        Some(function.map_or(Entry::Other, |(begin, length)| {
            Entry::Function(begin, length)
        }))
    }
}

struct Reader<'a> {
    section: &'a EhFrame,
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.section.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn unsigned(&mut self, bytes: usize) -> Option<u64> {
        let end = self.at.checked_add(bytes)?;
        let taken = self.section.bytes.get(self.at..end)?;
        self.at = end;
        let value = taken.iter().rev();
        Some(value.fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A number of seven bits a byte; its value is of no interest.
    fn skip_leb(&mut self) -> Option<()> {
        while self.byte()? & 0x80 != 0 {}
        Some(())
    }

    /// The encoding that a common information entry prescribes; `None` where it is one that is not
    /// understood.
    fn encoding(&mut self) -> Option<u8> {
        let version = self.byte()?;
        let mut augmentation = Vec::new();
        loop {
            match self.byte()? {
                0 => break,
                char => augmentation.push(char),
            }
        }
        let Some((b'z', rest)) = augmentation.split_first() else {
            return augmentation.is_empty().then_some(ABSOLUTE);
        };
        self.skip_leb()?;
        self.skip_leb()?;
        match version {
            1 => self.byte().map(drop)?,
            _ => self.skip_leb()?,
        }
        self.skip_leb()?;
        for char in rest {
            match char {
                b'R' => return self.byte(),
                b'L' => self.byte().map(drop)?,
                b'P' => {
                    let encoding = self.byte()?;
                    self.pointer(encoding & 0x0f)?;
                }
                b'S' | b'B' => {}
                _ => return None,
            }
        }
        Some(ABSOLUTE)
    }

    fn function(&mut self, encoding: u8) -> Option<(u64, u64)> {
        let place = self.section.address.checked_add(self.at as u64)?;
        let base = match encoding & 0xf0 {
            ABSOLUTE => 0,
            RELATIVE => place,
            _ => return None,
        };
        let begin = base.wrapping_add(self.pointer(encoding & 0x0f)?);
        // A length has no sign.
        let length = self.pointer(encoding & 0x07)?;
        Some((begin, length))
    }

    fn pointer(&mut self, format: u8) -> Option<u64> {
        match format {
            0x00 | 0x04 | 0x0c => self.unsigned(8),
            0x02 => self.unsigned(2),
            0x03 => self.unsigned(4),
            0x0a => self.unsigned(2).map(|value| value as i16 as u64),
            0x0b => self.unsigned(4).map(|value| value as i32 as u64),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A common information entry as gcc writes it (`zR`, pc-relative, four bytes), a function of
    /// 0x20 bytes at 0x1000, and the end.
    fn section() -> EhFrame {
        let (address, common) = (0x4000, 0x14);
        let mut bytes = vec![0x10, 0, 0, 0];
        bytes.extend([0, 0, 0, 0, 1, b'z', b'R', 0, 1, 0x78, 16, 1, 0x1b, 0, 0, 0]);
        bytes.extend([0x0d, 0, 0, 0]);
        bytes.extend([common + 4, 0, 0, 0]);
        let place = address as i32 + bytes.len() as i32;
        bytes.extend((0x1000 - place).to_le_bytes());
        bytes.extend(0x20_u32.to_le_bytes());
        bytes.extend([0, 0, 0, 0, 0]);
        EhFrame { address, bytes }
    }

    #[test]
    fn a_function_covers_what_lies_in_it() {
        let functions = Functions::of(&section());
        for (start, address, expected) in [
            (0x1000, 0x1000, true),
            (0x1000, 0x101f, true),
            (0x1000, 0x1020, false),
            (0x1000, 0x0fff, false),
            // A label in the middle is no function.
            (0x1008, 0x1008, false),
        ] {
            assert_eq!(functions.covers(start, address), expected, "{address:#x}");
        }
    }

    proptest! {
        /// Whatever the bytes are, there is an end.
        #[test]
        fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            Functions::of(&EhFrame { address: 0, bytes });
        }

        #[test]
        fn damaged_sections_come_to_an_end(at in 0_usize..45, byte in any::<u8>()) {
            let mut section = section();
            if let Some(place) = section.bytes.get_mut(at) {
                *place = byte;
            }
            Functions::of(&section);
        }
    }
}
