//! Windows: the top of the acquirer's stack, copied for the agent to unwind.
//!
//! Distributions build without frame pointers, so that a walk in the kernel loses the very frame
//! that leaked; a copy of two kilobytes costs less than such a walk, and unwinds exactly
//! (`docs/journal/`).

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use memguard_common::{
    event::{ACQUIRED_BYTES, Acquired, POOL_ELEMENT, Window},
    stats::Stat,
    wide::WIDE_BYTES,
};

use crate::{
    emit::{self, count},
    kernel::Process,
    maps,
    memory::{field_of, read_volatile, write_volatile},
    regs::Origin,
};

/// Bytes of a page, the smallest there is.
const PAGE: u64 = 4096;

/// Room for an [`Acquired`], a [`Window`] and its bytes, in the order in which they travel.
#[derive(Clone, Copy)]
pub(crate) struct StackBuf(*mut u8);

impl StackBuf {
    /// The one that belongs to a slot of the nursery; `None` never happens.
    #[inline(always)]
    pub(crate) fn of_slot(slot: u32) -> Option<Self> {
        let at = u64::from(slot) << maps::window_shift();
        let element = (at >> POOL_ELEMENT.trailing_zeros()) as u32;
        // Bounds that the verifier can see.
        let offset = at & (POOL_ELEMENT as u64 - 1) & !(maps::window_bytes() - 1);
        let start = maps::WINDOWS.get_ptr_mut(element)?.cast::<u8>();
        Some(Self(start.wrapping_add(offset as usize)))
    }

    /// This CPU's own, for what goes straight to the agent.
    #[inline(always)]
    pub(crate) fn aside() -> Option<Self> {
        Some(Self(maps::SCRATCH.get_ptr_mut(0)?.cast()))
    }

    /// Copies registers and stack.
    #[inline(always)]
    pub(crate) fn copy(self, origin: Origin) {
        if !maps::wants_windows() {
            return self.holds(0, 0);
        }
        let Origin { ip, bp, sp } = origin;
        let place = self.0.wrapping_add(ACQUIRED_BYTES);
        let size = maps::window_bytes() - ACQUIRED_BYTES as u64;
        let window = self.window();
        // Stored one by one: what lies on the stack in between keeps the verifier's paths apart.
        write_volatile(field_of!(window, Window, ip), ip);
        write_volatile(field_of!(window, Window, bp), bp);
        write_volatile(field_of!(window, Window, sp), sp);
        if read(place, size, sp) {
            self.holds(size, 1);
        } else {
            self.holds(piecewise(place, size, sp), 0);
        }
    }

    #[inline(always)]
    fn holds(self, length: u64, cut: u32) {
        write_volatile(field_of!(self.window(), Window, length), length as u32);
        write_volatile(field_of!(self.window(), Window, cut), cut);
    }

    #[inline(always)]
    fn window(self) -> *mut Window {
        self.0.wrapping_add(size_of::<Acquired>()).cast()
    }

    /// Sends a record with the stack copied before, unless the ring is so full that it must go
    /// without.
    #[inline(always)]
    pub(crate) fn send(self, record: *const Acquired, sent: Stat) {
        copy(record.cast(), self.0.cast());
        let process = Process {
            tgid: read_volatile(field_of!(self.0, Acquired, tgid)),
            start: read_volatile(field_of!(self.0, Acquired, start)),
        };
        let size = maps::window_bytes() - ACQUIRED_BYTES as u64;
        if maps::wants_windows() && !emit::has_room_for_windows() {
            count(Stat::WindowsLost);
            self.holds(0, 0);
        }
        let length = u64::from(read_volatile::<u32>(field_of!(
            self.window(),
            Window,
            length
        )));
        // Never more, but the verifier wants to see it.
        let bytes = ACQUIRED_BYTES as u64 + length.min(size);
        emit::send_acquired(self.0, bytes, process, sent);
    }
}

/// Copies a record word by word: by value it would take its size of a stack that has 512 bytes.
#[inline(always)]
fn copy(from: *const u64, to: *mut u64) {
    for word in 0..size_of::<Acquired>() / size_of::<u64>() {
        write_volatile(
            to.wrapping_add(word),
            read_volatile(from.wrapping_add(word)),
        );
    }
}

/// True where all could be read; else what is at `place` has been zeroed.
#[inline(always)]
pub(crate) fn read(place: *mut u8, size: u64, source: u64) -> bool {
    // SAFETY: the verifier checks that `place` has room; the helper fails cleanly on any source.
    unsafe { bpf_probe_read_user(place.cast(), size as u32, source as *const _) == 0 }
}

/// The stack ends within the window: reads up to where it does, a page at a time. Returns how much.
#[inline(always)]
pub(crate) fn piecewise(place: *mut u8, size: u64, sp: u64) -> u64 {
    /// Whole pages that the largest window can have behind the first.
    const PAGES: u64 = (WIDE_BYTES as u64 - 1) / PAGE;
    let mut done = PAGE - (sp & (PAGE - 1));
    if done >= size || !read(place, done, sp) {
        return 0;
    }
    for _ in 0..PAGES {
        // Loaded anew, so that the very number is compared that is added to the place: the
        // compiler would compare another one that is as good, but not to the verifier.
        let at = read_volatile(&raw const done);
        if at > size.saturating_sub(PAGE) {
            return at;
        }
        if !read(place.wrapping_add(at as usize), PAGE, sp.wrapping_add(at)) {
            return at;
        }
        write_volatile(&raw mut done, at + PAGE);
    }
    read_volatile(&raw const done)
}
