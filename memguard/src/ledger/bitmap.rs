//! Snapshots of descriptor tables: the kernel's own bitmaps, put together from their pieces.

use std::collections::VecDeque;

use crate::model::{
    event::SnapshotPart,
    ids::{Stamp, TableId},
};

/// Most snapshots under assembly, or complete and waiting for the record of their death, which
/// follows at once: more than a few means that pieces were lost.
const WAITING: usize = 1024;

/// Which descriptors of a table were open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bitmap {
    bytes: Vec<u8>,
    /// Descriptors from here on are not covered; nothing is known of them.
    covered: u32,
    /// The table ends here; from here on nothing is open.
    table_bits: u32,
}

impl Bitmap {
    /// Whether a descriptor was open; `None` where the snapshot was too short to say.
    pub(super) fn is_open(&self, fd: u32) -> Option<bool> {
        if fd >= self.table_bits {
            return Some(false);
        }
        if fd >= self.covered {
            return None;
        }
        let byte = self.bytes.get(fd as usize / 8)?;
        Some(byte & 1u8.checked_shl(fd % 8)? != 0)
    }

    /// The open descriptors, as far as they are covered.
    pub(super) fn open(&self) -> impl Iterator<Item = u32> {
        (0..self.covered.min(self.table_bits)).filter(|fd| self.is_open(*fd) == Some(true))
    }

    /// The open descriptors, for tests and models.
    #[cfg(test)]
    pub(super) fn of(open: &[u32]) -> Self {
        let table_bits = 256;
        let mut bytes = vec![0u8; 32];
        for fd in open {
            bytes[*fd as usize / 8] |= 1 << (fd % 8);
        }
        Self {
            bytes,
            covered: table_bits,
            table_bits,
        }
    }

    /// Its bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[derive(Debug)]
struct Assembly {
    table: TableId,
    stamp: Stamp,
    bitmap: Bitmap,
}

/// Puts pieces together; a piece that does not follow the one before it breaks its snapshot.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    open: VecDeque<Assembly>,
    complete: VecDeque<Assembly>,
}

impl Assembler {
    /// Takes a piece. Returns the bitmap where it was the last one, and how many snapshots were
    /// given up.
    pub(super) fn add(&mut self, piece: SnapshotPart) -> (Option<Bitmap>, u64) {
        let SnapshotPart {
            stamp,
            table,
            first,
            table_bits,
            truncated,
            bits,
            ..
        } = piece;
        let same = |open: &Assembly| open.table == table && open.stamp == stamp;
        let started = self
            .open
            .iter()
            .position(same)
            .and_then(|index| self.open.remove(index));
        let mut bitmap = match started {
            Some(assembly) => assembly.bitmap,
            None => Bitmap {
                table_bits,
                ..Bitmap::default()
            },
        };
        if first != bitmap.covered || bitmap.table_bits != table_bits {
            return (None, 1);
        }
        bitmap.covered = first.saturating_add(bits.len().saturating_mul(8) as u32);
        bitmap.bytes.extend(bits);
        let longest = memguard_common::event::SNAPSHOT_MAX_BYTES;
        if bitmap.covered >= table_bits || (truncated && bitmap.bytes.len() >= longest) {
            return (Some(bitmap), 0);
        }
        self.open.push_back(Assembly {
            table,
            stamp,
            bitmap,
        });
        (None, bound(&mut self.open))
    }

    /// Keeps the bitmap of a death until the record of the death comes.
    pub(super) fn keep(&mut self, table: TableId, stamp: Stamp, bitmap: Bitmap) {
        self.complete.push_back(Assembly {
            table,
            stamp,
            bitmap,
        });
        bound(&mut self.complete);
    }

    /// The bitmap that was taken at this stamp, where all its pieces came.
    pub(super) fn take(&mut self, table: TableId, stamp: Stamp) -> Option<Bitmap> {
        let same = |kept: &Assembly| kept.table == table && kept.stamp == stamp;
        let index = self.complete.iter().position(same)?;
        self.complete.remove(index).map(|kept| kept.bitmap)
    }
}

fn bound(queue: &mut VecDeque<Assembly>) -> u64 {
    if queue.len() <= WAITING {
        return 0;
    }
    queue.pop_front();
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{event::Occasion, ids::ProcessId};

    fn piece(first: u32, table_bits: u32, bits: &[u8]) -> SnapshotPart {
        SnapshotPart {
            stamp: Stamp(9),
            table: TableId(1),
            process: ProcessId {
                tgid: 1,
                start_ticks: 0,
            },
            occasion: Occasion::Death,
            first,
            table_bits,
            truncated: false,
            bits: bits.to_vec(),
        }
    }

    #[test]
    fn pieces_in_order_make_a_bitmap() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.add(piece(0, 24, &[0b101, 0])), (None, 0));
        let (bitmap, broken) = assembler.add(piece(16, 24, &[0b1]));
        let bitmap = bitmap.unwrap();
        assert_eq!(broken, 0);
        let open: Vec<_> = (0..32)
            .filter(|fd| bitmap.is_open(*fd) == Some(true))
            .collect();
        assert_eq!(open, [0, 2, 16]);
        assert_eq!(
            bitmap.is_open(1000),
            Some(false),
            "beyond the table nothing is open"
        );
    }

    #[test]
    fn a_missing_piece_breaks_the_snapshot() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.add(piece(0, 24, &[0])), (None, 0));
        assert_eq!(assembler.add(piece(16, 24, &[0])), (None, 1));
    }

    #[test]
    fn half_a_snapshot_does_not_wait_for_ever() {
        let mut assembler = Assembler::default();
        let mut broken = 0;
        for stamp in 0..2 * WAITING as u64 {
            broken += assembler
                .add(SnapshotPart {
                    stamp: Stamp(stamp),
                    ..piece(0, 24, &[0])
                })
                .1;
        }
        assert_eq!((assembler.open.len(), broken), (WAITING, WAITING as u64));
    }
}
