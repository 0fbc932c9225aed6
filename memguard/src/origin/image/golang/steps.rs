//! Tables of values by place in a function: in steps, each with how much the value grows and for
//! how many bytes of code it holds.

use super::super::{elf::Elf, region::Region};

/// Most bytes of a table that are read; the longest that was seen, of a function that initialises
/// a package, has 200 000.
const BYTES: u64 = 1 << 20;

/// Bytes that are read at once.
const CHUNK: usize = 512;

/// The value that a table gives for a place, `distance` bytes behind the beginning of the
/// function; `None` where it gives none.
pub(super) fn value(elf: &Elf, steps: Region, table: u32, distance: u64) -> Option<i32> {
    // The first byte is of no table.
    if table == 0 {
        return None;
    }
    let mut bytes = Bytes::new(elf, steps, table.into());
    let (mut value, mut end) = (-1_i32, 0_u64);
    loop {
        let grows = bytes.number()?;
        if grows == 0 && end > 0 {
            return None;
        }
        value = value.wrapping_add(signed(grows));
        end = end.checked_add(bytes.number()?.into())?;
        if distance < end {
            return Some(value);
        }
    }
}

/// Positive and negative numbers in turn: 0, -1, 1, -2.
fn signed(number: u32) -> i32 {
    (number >> 1) as i32 ^ -((number & 1) as i32)
}

/// Bytes of a table, one after the other.
struct Bytes<'a> {
    elf: &'a Elf,
    region: Region,
    next: u64,
    last: u64,
    chunk: [u8; CHUNK],
    taken: usize,
    filled: usize,
}

impl<'a> Bytes<'a> {
    fn new(elf: &'a Elf, region: Region, start: u64) -> Self {
        Self {
            elf,
            region,
            next: start,
            last: start.saturating_add(BYTES),
            chunk: [0; CHUNK],
            taken: 0,
            filled: 0,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        if self.taken == self.filled {
            if self.last <= self.next {
                return None;
            }
            (self.chunk, self.filled) = self.region.some(self.elf, self.next)?;
            (self.next, self.taken) = (self.next + self.filled as u64, 0);
        }
        let byte = *self.chunk.get(..self.filled)?.get(self.taken)?;
        self.taken += 1;
        Some(byte)
    }

    /// Seven bits a byte, the lowest first.
    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}
