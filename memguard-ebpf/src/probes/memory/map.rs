//! `mmap` and `munmap`.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use memguard_common::{call::Call, event::map_detail, stats::Stat};

use super::{Caller, New, Range, heap, remap};
use crate::{
    emit::count,
    maps,
    memory::now,
    probes::{RESULT_OR_FIRST, SYSCALL_NUMBER, field},
};

const MAP_FIXED: u64 = 0x10;
/// Ignored by the kernel for twenty years, and given by glibc's loader with every segment of a
/// library, and by nobody else: what the loader maps is never a leak by itself.
const MAP_DENYWRITE: u64 = 0x800;
const MAP_HUGETLB: u64 = 0x4_0000;

/// A result is an error from here on, mmap(2).
pub(super) const ERRORS: u64 = 0_u64.wrapping_sub(4095);

/// At exit of `mmap`, `mremap` and `brk`: what they did, only the kernel can say. One program,
/// because it is the nursery's protocol that is long to verify.
#[tracepoint]
fn map(context: TracePointContext) {
    const MREMAP: u32 = Call::Mremap as u32;
    const BRK: u32 = Call::Brk as u32;
    let Some(caller) = Caller::returning() else {
        return;
    };
    let result: u64 = field(&context, RESULT_OR_FIRST);
    let new = match maps::call(field(&context, SYSCALL_NUMBER)) {
        _ if result >= ERRORS => None,
        BRK => heap::grew(caller, result),
        MREMAP => remap::moved(caller, result),
        _ => mapped(caller, result),
    };
    match new {
        Some(new) => caller.acquired(new),
        None => count(Stat::Failed),
    }
}

#[inline(always)]
fn mapped(caller: Caller, address: u64) -> Option<New> {
    let arguments = caller.arguments();
    let flags = arguments.fourth();
    if flags & MAP_DENYWRITE != 0 {
        return None;
    }
    let range = Range::of(address, length(arguments.second(), flags));
    Some(New {
        range,
        call: Call::Mmap,
        detail: map_detail(arguments.third(), flags, range.pages),
        over: flags & MAP_FIXED != 0,
    })
}

/// Huge pages come whole: their logarithm is in the flags, 2 MiB where it is not.
#[inline(always)]
fn length(asked: u64, flags: u64) -> u64 {
    const SHIFT: u64 = 26;
    const USUAL: u64 = 21;
    if flags & MAP_HUGETLB == 0 {
        return asked;
    }
    let named = flags >> SHIFT & 0x3f;
    let shift = if named == 0 { USUAL } else { named };
    let mask = (1 << (shift & 0x3f)) - 1;
    asked.wrapping_add(mask) & !mask
}

/// At entry: the range is free for other threads before the exit fires.
#[tracepoint]
fn unmap(context: TracePointContext) {
    const LENGTH: usize = RESULT_OR_FIRST + 8;
    let Some(caller) = Caller::watched() else {
        return;
    };
    let address: u64 = field(&context, RESULT_OR_FIRST);
    let range = Range::of(address, field(&context, LENGTH));
    if range.is_aligned() {
        caller.gives_back(range, now());
    }
}
