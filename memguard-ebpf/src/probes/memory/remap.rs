//! `mremap`: what it gives back is known at its exit, and free for others before.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use memguard_common::{
    call::Call,
    event::{kind, map_detail},
    stats::Stat,
};

use super::{Caller, New, Range, send_unmapped};
use crate::{
    emit::count,
    maps::{UNDER_WAY, UnderWay, may_be_missing},
    memory::now,
    regs::Arguments,
};

/// As a rule; the call does not tell.
const READ_WRITE: u64 = 3;
const MREMAP_FIXED: u64 = 2;
const MREMAP_DONTUNMAP: u64 = 4;

/// At entry: when.
#[tracepoint]
fn remap_begins(_context: TracePointContext) {
    let Some(caller) = Caller::watched() else {
        return;
    };
    let call = UnderWay {
        stamp: now(),
        brk: 0,
    };
    // Without it the call gives back at its exit.
    UNDER_WAY
        .insert(caller.task.tid, call, 0)
        .unwrap_or_else(may_be_missing);
}

/// At exit.
#[inline(always)]
pub(super) fn moved(caller: Caller, address: u64) -> Option<New> {
    let begun = begun(&caller);
    let arguments = caller.arguments();
    let (old, new) = ranges(arguments, address);
    if old.address == new.address && new.pages <= old.pages {
        shrunk(&caller, old, new, begun);
        return None;
    }
    leaves(&caller, old, begun);
    Some(New {
        range: new,
        call: Call::Mremap,
        detail: map_detail(READ_WRITE, 0, new.pages),
        over: arguments.fourth() & MREMAP_FIXED != 0,
    })
}

/// The old range stays where it is asked to, and where a length of zero asks for a second mapping
/// of the same pages, mremap(2).
#[inline(always)]
fn leaves(caller: &Caller, old: Range, begun: u64) {
    if caller.arguments().fourth() & MREMAP_DONTUNMAP == 0 && old.pages > 0 {
        caller.gives_back(old, begun);
    }
}

#[inline(always)]
fn begun(caller: &Caller) -> u64 {
    let tid = caller.task.tid;
    // SAFETY: copied at once; the thread itself is the only one that writes it.
    let begun = unsafe { UNDER_WAY.get(tid) }.map(|call| call.stamp);
    UNDER_WAY.remove(tid).unwrap_or_else(may_be_missing);
    begun.unwrap_or_else(now)
}

/// `mremap(old, old length, new length, …)`.
#[inline(always)]
fn ranges(arguments: Arguments, result: u64) -> (Range, Range) {
    (
        Range::of(arguments.first(), arguments.second()),
        Range::of(result, arguments.third()),
    )
}

/// The tail was cut off; what is left is what it was. Nothing of it may be paired: its record, if
/// it is young, is of the whole.
#[inline(always)]
fn shrunk(caller: &Caller, old: Range, new: Range, begun: u64) {
    let tail = Range::between(new.address + new.bytes(), old.address + old.bytes());
    if tail.pages > 0 {
        let record = caller.unmapped(kind::UNMAPPED, tail, begun);
        count(Stat::Releases);
        send_unmapped(&record, Stat::ReleasesSent, Stat::ReleasesLost);
    }
}
