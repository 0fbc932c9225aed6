//! `shmat` and `shmdt`: rare, so they go straight to the agent, which knows how large a segment is.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use memguard_common::{call::Call, event::kind, stats::Stat};

use super::{Caller, Range, map::ERRORS, send_unmapped};
use crate::{
    emit::count,
    memory::now,
    probes::{RESULT_OR_FIRST, field},
};

/// At exit: the address. The detail is the segment's id, the length is left open.
#[tracepoint]
fn attach(context: TracePointContext) {
    let Some(caller) = Caller::returning() else {
        return;
    };
    let address: u64 = field(&context, RESULT_OR_FIRST);
    if address >= ERRORS {
        return count(Stat::Failed);
    }
    let segment = caller.arguments().first() & 0xffff_ffff;
    let record = caller.record(Range::of(address, 0), Call::Shmat, segment, now());
    caller.direct(&record);
}

/// At entry.
#[tracepoint]
fn detach(context: TracePointContext) {
    let Some(caller) = Caller::watched() else {
        return;
    };
    let range = Range::of(field(&context, RESULT_OR_FIRST), 0);
    count(Stat::Releases);
    if !range.is_aligned() {
        return count(Stat::NotOpen);
    }
    let record = caller.unmapped(kind::DETACHED, range, now());
    send_unmapped(&record, Stat::ReleasesSent, Stat::ReleasesLost);
}

/// At exit of `shmget`: the id, and at most the segment's size.
#[tracepoint]
fn segment(context: TracePointContext) {
    let Some(caller) = Caller::watched() else {
        return;
    };
    let id: i64 = field(&context, RESULT_OR_FIRST);
    if id < 0 {
        return;
    }
    let size = Range::of(id as u64, caller.arguments().second());
    let record = caller.unmapped(kind::SEGMENT, size, now());
    send_unmapped(&record, Stat::SegmentsSent, Stat::SegmentsLost);
}
