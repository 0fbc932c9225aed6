//! Reads numbers from bytes that somebody else wrote: every step may fail, none panics.

/// Longest text that is looked for; those that are of interest have few bytes.
const TEXT: usize = 64;

/// Bytes from a place onwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// How far from the beginning.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// The next bytes as a value of their own, which ends where they end but counts from the same
    /// beginning.
    pub(super) fn split(&mut self, length: usize) -> Option<Self> {
        let at = self.at;
        self.take(length)?;
        let bytes = self.bytes.get(..self.at)?;
        Some(Self { bytes, at })
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at = self.at.max(self.bytes.len());
        rest
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Unsigned LEB128; what does not fit is an error.
    pub(super) fn uleb(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Signed LEB128; bits that do not fit are dropped.
    pub(super) fn sleb(&mut self) -> Option<i64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let unused = 64_u32.saturating_sub(shift + 7);
                return Some(value << unused >> unused);
            }
        }
        None
    }

    /// Bytes up to a zero, which is skipped; [`TEXT`] at most.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let rest = rest.get(..TEXT).unwrap_or(rest);
        let length = rest.iter().position(|&byte| byte == 0)?;
        let text = self.take(length)?;
        self.take(1)?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length() {
        for (bytes, unsigned, signed) in [
            (&[0x02][..], Some(2), Some(2)),
            (&[0x7f], Some(127), Some(-1)),
            (&[0x80, 0x01], Some(128), Some(128)),
            (&[0x80, 0x7f], Some(16256), Some(-128)),
            (&[0x80], None, None),
            (&[], None, None),
            (&[0xff; 11], None, None),
        ] {
            assert_eq!(Cursor::new(bytes, 0).uleb(), unsigned, "{bytes:x?}");
            assert_eq!(Cursor::new(bytes, 0).sleb(), signed, "{bytes:x?}");
        }
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Cursor::new(&most, 0).uleb(), Some(u64::MAX));
        let least = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f];
        assert_eq!(Cursor::new(&least, 0).sleb(), Some(i64::MIN));
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let mut cursor = Cursor::new(b"ab\0c", 0);
        assert_eq!(cursor.text(), Some(&b"ab"[..]));
        assert_eq!(cursor.u16(), None);
        assert_eq!(cursor.text(), None);
        assert_eq!(cursor.u8(), Some(b'c'));
        assert!(cursor.is_empty() && cursor.u8().is_none());
        assert_eq!(Cursor::new(b"ab", 5).u8(), None);
        assert_eq!(Cursor::new(b"ab", usize::MAX).take(2), None);
    }
}
