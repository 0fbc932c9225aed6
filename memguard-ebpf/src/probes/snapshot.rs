//! Snapshots of descriptor tables: the kernel's own bitmap, whole.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use memguard_common::{
    event::{
        Head, SNAPSHOT_MAX_BYTES, SNAPSHOT_PIECE_BYTES, SNAPSHOT_PIECES, Snapshot, flag, kind,
    },
    stats::Stat,
};

use crate::{
    emit::{count, lose, output},
    kernel::{Table, Task},
    maps::{self, Scratch},
    memory::{field_of, write_volatile},
};

/// Sends the table's bitmap in pieces; false where one of them is missing, after which none
/// follows: the agent could not use it.
#[inline(always)]
pub(super) fn snapshot(task: Task, table: Table, stamp: u64, occasion: u32) -> bool {
    let Some(scratch) = maps::SCRATCH.get_ptr_mut(0) else {
        return lost(task);
    };
    let (bitmap, table_bits) = table.bitmap();
    let truncated = table_bits as usize > SNAPSHOT_MAX_BYTES * 8;
    let flags = if truncated {
        occasion | flag::TRUNCATED
    } else {
        occasion
    };
    let head = Head {
        kind: kind::SNAPSHOT,
        flags,
        stamp,
    };
    write_header(scratch, head, task, table, table_bits);
    for piece in 0..SNAPSHOT_PIECES as u32 {
        let first = piece * SNAPSHOT_PIECE_BYTES as u32 * 8;
        if first >= table_bits {
            break;
        }
        if !send_piece(scratch, first, table_bits, bitmap + u64::from(first / 8)) {
            return lost(task);
        }
        count(Stat::SnapshotsSent);
    }
    true
}

/// Counted; always false.
#[inline(always)]
fn lost(task: Task) -> bool {
    lose(task.process(), Stat::SnapshotsLost);
    false
}

/// What all pieces have in common.
#[inline(always)]
fn write_header(scratch: *mut Scratch, head: Head, task: Task, table: Table, table_bits: u32) {
    let record = Snapshot {
        head,
        table: table.address,
        tgid: task.tgid,
        tid: task.tid,
        start: task.start,
        first: 0,
        bits: 0,
        table_bits,
        pad: 0,
    };
    write_volatile(scratch.cast(), record);
}

/// One piece, whose header but for its place is in the scratch already.
#[inline(always)]
fn send_piece(scratch: *mut Scratch, first: u32, table_bits: u32, source: u64) -> bool {
    const HEADER: usize = size_of::<Snapshot>();
    let left = (table_bits - first) / 8;
    let longest = SNAPSHOT_PIECE_BYTES as u32;
    let bytes = if left > longest { longest } else { left };
    write_volatile(field_of!(scratch, Snapshot, first), first);
    write_volatile(field_of!(scratch, Snapshot, bits), bytes * 8);
    let place = scratch.wrapping_byte_add(HEADER);
    // SAFETY: `place` has room for the longest piece; the helper fails cleanly on any source.
    let read = unsafe { bpf_probe_read_kernel(place.cast(), bytes, source as *const _) };
    read == 0 && output(scratch.cast(), u64::from(HEADER as u32 + bytes))
}
