//! What an event and a held handle cost on the heap stays below stored bounds
//! (`tests/bounds.toml`).
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

#[path = "../../tests/src/bounds.rs"]
pub mod bounds;
#[path = "../benches/pure/records.rs"]
pub mod records;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use bounds::Bounds;
use memguard::{
    decode::decode,
    ledger::{Ledger, space::Spaces},
};

/// Handles, or pieces, that are there all the time.
const HELD: u64 = 50_000;
/// Pairs beside them.
const PAIRS: u64 = 100_000;

/// Counts what the thread of one test asks for, and no other.
struct Counted;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn asked(bytes: u64) {
    CALLS.set(CALLS.get() + 1);
    BYTES.set(BYTES.get().wrapping_add(bytes));
}

// SAFETY: every call goes to the system's allocator as it came, and its answer goes back as it is.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        asked(layout.size() as u64);
        // SAFETY: the caller keeps the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get().wrapping_sub(layout.size() as u64));
        // SAFETY: the caller keeps the same contract, and the block came from there.
        unsafe {
            System.dealloc(block, layout);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Wraps where it shrinks, and the sum is right all the same.
        asked((size as u64).wrapping_sub(layout.size() as u64));
        // SAFETY: the caller keeps the same contract, and the block came from there.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static COUNTED: Counted = Counted;

/// Allocations of `events` events, for a thousand of them.
fn allocations(events: u64, mut work: impl FnMut()) -> f64 {
    let before = CALLS.get();
    work();
    1000.0 * (CALLS.get() - before) as f64 / events as f64
}

/// Bytes that stay for each of [`HELD`].
fn kept(mut work: impl FnMut()) -> f64 {
    let before = BYTES.get();
    work();
    BYTES.get().wrapping_sub(before) as f64 / HELD as f64
}

#[test]
fn the_drain_loop_asks_for_little_memory() {
    let mut ledger = Ledger::new();
    let handle = kept(|| {
        for fd in 0..HELD {
            ledger.apply(decode(&records::acquired(fd, fd, 0)).unwrap());
        }
    });
    // Made beforehand: the records of the kernel lie in the ring.
    let pair = [
        records::acquired(HELD, HELD, 1952),
        records::released(HELD, HELD + 1),
    ];
    let events = allocations(2 * PAIRS, || {
        for _ in 0..PAIRS {
            for record in &pair {
                ledger.apply(decode(record).unwrap());
            }
        }
    });
    assert_eq!(ledger.held_count() as u64, HELD);
    let mut spaces = Spaces::default();
    let piece = kept(|| {
        (0..HELD).for_each(|place| spaces.mapped(records::mapped(2 * place, place), &mut |_| {}));
    });
    let ranges = allocations(2 * PAIRS, || {
        for stamp in (HELD..).take(PAIRS as usize) {
            let place = 2 * (stamp % HELD) + 1;
            spaces.mapped(records::mapped(place, 2 * stamp), &mut |_| {});
            spaces.unmapped(records::unmapped(place, 2 * stamp + 1), &mut |_| {});
        }
    });
    assert_eq!(spaces.count() as u64, HELD);
    let figures = [
        ("allocations_per_1000_events", events),
        ("allocations_per_1000_ranges", ranges),
        ("bytes_per_held_handle", handle),
        ("bytes_per_held_range", piece),
    ];
    let figures = figures.map(|(name, figure)| (name.to_owned(), figure));
    Bounds::of("heap").check(&figures.into());
}
