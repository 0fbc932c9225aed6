//! Wide windows: at sites that the agent has named, more of the stack, in a record of its own.
//!
//! The acquisition itself goes its usual way, with its usual window: that is what it is counted by.

use memguard_common::{
    event::{Acquired, Head, Window, kind},
    stats::Stat,
    wide::{self, WIDE_BYTES},
};

use crate::{
    emit::{self, count},
    maps,
    memory::{compare_exchange, field_of, read_volatile, write_volatile},
    nursery::Entry,
    window,
};

/// As it travels.
#[repr(C)]
struct WideRecord {
    acquired: Acquired,
    window: Window,
    stack: [u8; WIDE_BYTES],
}

/// Copies more of the stack that something was just acquired from, if the agent wants it.
#[inline(always)]
pub(crate) fn copy_if_wanted(entry: &Entry) {
    if maps::settings().is_some_and(|settings| read_volatile(&raw const settings.wide_sites) != 0) {
        wide_window(entry);
    }
}

/// Rare, so it is a function of its own, which the verifier looks at once in a program.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn wide_window(entry: *const Entry) -> u32 {
    // SAFETY: the verifier checks every caller's pointer; it wants the question asked.
    let Some(entry) = (unsafe { entry.as_ref() }) else {
        return 0;
    };
    if is_wanted(entry) {
        count(if sent(entry) {
            Stat::WideSent
        } else {
            Stat::WideLost
        });
    }
    0
}

/// Takes one of the copies that the site has left.
#[inline(always)]
fn is_wanted(entry: &Entry) -> bool {
    let key = wide::site_key(entry.record.tgid, entry.origin.ip, entry.origin.sp);
    let word = maps::WIDE.get_ptr_mut(wide::site_index(key));
    word.is_some_and(|word| {
        let before = read_volatile(word);
        let after = wide::take_copy(before, key);
        after.is_some_and(|after| compare_exchange(word, before, after))
    })
}

/// Put together inside the ring: no other place has room for it.
#[inline(always)]
fn sent(entry: &Entry) -> bool {
    if !emit::has_room_for_windows() {
        return false;
    }
    let Some(mut room) = maps::RING.reserve::<WideRecord>(0) else {
        return false;
    };
    let record = room.as_mut_ptr();
    write_volatile(field_of!(record, WideRecord, acquired), entry.record);
    let kind: *mut u32 = record
        .wrapping_byte_add(core::mem::offset_of!(Head, kind))
        .cast();
    write_volatile(kind, kind::WIDE_WINDOW);
    let stack: *mut u8 = field_of!(record, WideRecord, stack);
    let sp = entry.origin.sp;
    let size = WIDE_BYTES as u64;
    let (length, cut) = if window::read(stack, size, sp) {
        (size, 1)
    } else {
        (window::piecewise(stack, size, sp), 0)
    };
    let window = Window {
        ip: entry.origin.ip,
        sp,
        bp: entry.origin.bp,
        length: length as u32,
        cut,
    };
    write_volatile(field_of!(record, WideRecord, window), window);
    room.submit(0);
    true
}
