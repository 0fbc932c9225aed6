//! Records as the kernel sends them, and what becomes of those about memory.

use memguard::model::{
    ids::{ProcessId, Stamp},
    memory::{Mapped, Range, SpaceId, Unmapped},
    resource::Call,
};
use memguard_common::{call::Call as Number, event::kind};

const TABLE: u64 = 0xffff_8881_0000_4000;
const TGID: u32 = 4242;
const START: u64 = 5_000_000_000;
const PAGE: u64 = 4096;
const SPACE: SpaceId = SpaceId(0xffff_8881_0000_8000);
const PROCESS: ProcessId = ProcessId {
    tgid: TGID,
    start_ticks: 500,
};

fn head(kind: u32, stamp: u64) -> Vec<u8> {
    let mut record = Vec::new();
    record.extend(kind.to_ne_bytes());
    record.extend(0_u32.to_ne_bytes());
    for field in [stamp, TABLE, u64::from(TGID) << 32 | u64::from(TGID)] {
        record.extend(field.to_ne_bytes());
    }
    record
}

/// `socket` returned this descriptor, with so much of the stack.
pub(crate) fn acquired(fd: u64, stamp: u64, stack: u32) -> Vec<u8> {
    let mut record = head(kind::ACQUIRED, stamp);
    let call = u64::from(Number::Socket as u32) | 1 << 32;
    let (ip, sp, bp) = (0x5555_0000_1000_u64, 0x7ffe_0000_1000, 0);
    for field in [fd, START, call, 0, ip, sp, bp, u64::from(stack)] {
        record.extend(field.to_ne_bytes());
    }
    record.resize(record.len() + stack as usize, 0x55);
    record
}

/// `close` of this descriptor.
pub(crate) fn released(fd: u64, stamp: u64) -> Vec<u8> {
    let mut record = head(kind::RELEASED, stamp);
    for field in [fd, START] {
        record.extend(field.to_ne_bytes());
    }
    record
}

fn page(number: u64) -> Range {
    Range {
        start: (number + 1) * PAGE,
        end: (number + 2) * PAGE,
    }
}

/// A page by `mmap`.
pub(crate) fn mapped(place: u64, stamp: u64) -> Mapped {
    Mapped {
        stamp: Stamp(stamp),
        space: SPACE,
        range: page(place),
        process: PROCESS,
        tid: TGID,
        call: Call::Mmap,
        protection: 3,
        flags: 0x22,
    }
}

/// The same page by `munmap`.
pub(crate) fn unmapped(place: u64, stamp: u64) -> Unmapped {
    Unmapped {
        stamp: Stamp(stamp),
        space: SPACE,
        range: page(place),
        process: PROCESS,
    }
}
