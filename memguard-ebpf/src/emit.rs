//! The one way out: every record leaves through here, and every outcome is counted once.

use aya_ebpf::{
    bindings::BPF_RB_AVAIL_DATA,
    helpers::{bpf_ringbuf_output, bpf_ringbuf_query},
};
use memguard_common::stats::{ProcessLosses, Stat};

use crate::{
    kernel::Process,
    maps,
    memory::{field_of, read_volatile, write_volatile},
};

/// Adds to a counter of this CPU.
#[inline(always)]
pub(crate) fn add(stat: Stat, amount: u64) {
    let Some(counters) = maps::STATS.get_ptr_mut(0) else {
        return;
    };
    let counter = counters.cast::<u64>().wrapping_add(stat as usize);
    // No other CPU has this copy, and a program that interrupts between load and store can at most
    // lose its own increment.
    write_volatile(counter, read_volatile(counter).wrapping_add(amount));
}

/// Adds one to a counter of this CPU.
#[inline(always)]
pub(crate) fn count(stat: Stat) {
    add(stat, 1);
}

fn ring() -> *mut core::ffi::c_void {
    (&raw const maps::RING).cast_mut().cast()
}

/// Copies a record into the ring; the caller counts what became of it.
#[inline(always)]
pub(crate) fn output(record: *const u8, bytes: u64) -> bool {
    // SAFETY: the verifier checks that `bytes` are readable at `record`.
    unsafe { bpf_ringbuf_output(ring(), record.cast_mut().cast(), bytes, 0) == 0 }
}

/// Sends what must not be lost; it may use all of the ring. Counts one of `sent` and `lost`.
#[inline(always)]
pub(crate) fn send(record: *const u8, bytes: u64, process: Process, sent: Stat, lost: Stat) {
    if output(record, bytes) {
        count(sent);
    } else {
        lose(process, lost);
    }
}

/// Sends an acquisition, unless the ring is so full that releases and deaths need the rest: a lost
/// acquisition is a leak missed, a lost release a leak made up. Counts `sent` or
/// [`Stat::LostAcquired`].
#[inline(always)]
pub(crate) fn send_acquired(record: *const u8, bytes: u64, process: Process, sent: Stat) {
    let watermark = maps::settings().map_or(0, |settings| settings.ring_watermark);
    if waiting() <= u64::from(watermark) && output(record, bytes) {
        count(sent);
    } else {
        lose(process, Stat::LostAcquired);
    }
}

/// Whether acquisitions may still travel with their stack.
#[inline(always)]
pub(crate) fn has_room_for_windows() -> bool {
    maps::settings().is_some_and(|settings| waiting() <= u64::from(settings.window_watermark))
}

/// Bytes in the ring that the agent has not taken yet.
#[inline(always)]
fn waiting() -> u64 {
    // SAFETY: no preconditions.
    unsafe { bpf_ringbuf_query(ring(), u64::from(BPF_RB_AVAIL_DATA)) }
}

/// Counts an event that does not reach the agent, and remembers whose it was.
#[inline(always)]
pub(crate) fn lose(process: Process, lost: Stat) {
    count(lost);
    charge(process);
}

/// Remembers whose events were lost.
#[inline(always)]
pub(crate) fn charge(process: Process) {
    loss_charged(process.tgid, process.start);
}

/// Rare, so a hash map is cheap enough, and a function of its own, which the verifier looks at once
/// in a program.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn loss_charged(tgid: u32, start: u64) -> u32 {
    let Some(lost) = maps::LOSSES.get_ptr_mut(tgid) else {
        let first = ProcessLosses { start, count: 1 };
        if maps::LOSSES.insert(tgid, first, 0).is_err() {
            count(Stat::LossUnattributed);
        }
        return 0;
    };
    let owner = field_of!(lost, ProcessLosses, start);
    let place = field_of!(lost, ProcessLosses, count);
    // What an earlier process of this number has lost is not this one's.
    let so_far = if read_volatile(owner) == start {
        read_volatile(place)
    } else {
        0
    };
    write_volatile(owner, start);
    // Two CPUs may lose an increment to each other, which leaves the process marked all the same.
    write_volatile(place, so_far + 1);
    0
}
