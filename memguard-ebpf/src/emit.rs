//! The one way out: every record leaves through here, and every outcome is counted once.

use aya_ebpf::{
    bindings::BPF_RB_AVAIL_DATA,
    helpers::{bpf_ringbuf_output, bpf_ringbuf_query},
};
use memguard_common::stats::Stat;

use crate::{
    maps,
    memory::{peek, poke},
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
    poke(counter, peek(counter).wrapping_add(amount));
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
pub(crate) fn send(record: *const u8, bytes: u64, tgid: u32, sent: Stat, lost: Stat) -> bool {
    if output(record, bytes) {
        count(sent);
        return true;
    }
    count(lost);
    charge(tgid);
    false
}

/// Sends an acquisition, unless the ring is so full that releases and deaths need the rest: a lost
/// acquisition is a leak missed, a lost release a leak made up. Counts `sent` or
/// [`Stat::LostAcquired`].
#[inline(always)]
pub(crate) fn send_acquired(record: *const u8, bytes: u64, tgid: u32, sent: Stat) {
    let Some(settings) = maps::settings() else {
        return;
    };
    if waiting() > u64::from(settings.ring_watermark) {
        count(Stat::LostAcquired);
        charge(tgid);
        return;
    }
    send(record, bytes, tgid, sent, Stat::LostAcquired);
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

/// Remembers whose events were lost. Rare, so a hash map is cheap enough.
#[inline(always)]
pub(crate) fn charge(tgid: u32) {
    if let Some(lost) = maps::LOSSES.get_ptr_mut(tgid) {
        // Two CPUs may lose an increment to each other, which leaves the process marked all the
        // same.
        poke(lost, peek(lost) + 1);
    } else if maps::LOSSES.insert(tgid, 1, 0).is_err() {
        count(Stat::LossUnattributed);
    }
}
