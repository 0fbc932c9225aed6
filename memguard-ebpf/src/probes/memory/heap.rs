//! `brk`: it returns the end of the heap whether it moved or not.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use memguard_common::{call::Call, event::map_detail};

use super::{Caller, New, Range};
use crate::{
    maps::{UNDER_WAY, UnderWay, may_be_missing},
    memory::now,
    probes::{RESULT_OR_FIRST, field},
};

/// At entry: a heap that shrinks gives back now; of one that grows, where it ended.
#[tracepoint]
fn heap_moves(context: TracePointContext) {
    let Some(caller) = Caller::watched() else {
        return;
    };
    let asked: u64 = field(&context, RESULT_OR_FIRST);
    let (start, brk) = caller.space.heap();
    if asked < start {
        // Asks where it ends, or is refused.
        return;
    }
    let stamp = now();
    if asked > brk {
        // Without it the growth is not seen; the size of the process is sampled all the same.
        return UNDER_WAY
            .insert(caller.task.tid, UnderWay { stamp, brk }, 0)
            .unwrap_or_else(may_be_missing);
    }
    let range = Range::between(asked, brk);
    if range.pages > 0 {
        caller.gives_back(range, stamp);
    }
}

/// At exit; where it did not grow as it was asked to, nothing is new.
#[inline(always)]
pub(super) fn grew(caller: Caller, end: u64) -> Option<New> {
    const READ_WRITE: u64 = 3;
    const PRIVATE_ANONYMOUS: u64 = 0x22;
    let brk = ended_before(caller)?;
    let range = Range::between(brk, end);
    if end != caller.arguments().first() || range.pages == 0 {
        return None;
    }
    Some(New {
        range,
        call: Call::Brk,
        detail: map_detail(READ_WRITE, PRIVATE_ANONYMOUS, range.pages),
        over: false,
    })
}

#[inline(always)]
fn ended_before(caller: Caller) -> Option<u64> {
    let tid = caller.task.tid;
    // SAFETY: copied at once; the thread itself is the only one that writes it.
    let brk = unsafe { UNDER_WAY.get(tid) }.map_or(0, |call| call.brk);
    UNDER_WAY.remove(tid).unwrap_or_else(may_be_missing);
    (brk != 0).then_some(brk)
}
