//! Loads and stores that stay what they are: volatile, so that the compiler neither drops, repeats
//! nor widens them.
//!
//! Safe to call from anywhere in this crate, for one reason: no program is loaded before the
//! verifier has proved of every access that it lies inside a map value, the stack, the context or a
//! kernel structure, and that a load from the last cannot fault.

use aya_ebpf::helpers::bpf_ktime_get_ns;

/// Loads from anywhere.
#[inline(always)]
pub(crate) fn read_volatile<T: Copy>(place: *const T) -> T {
    // SAFETY: see the module: the verifier proves it.
    unsafe { core::ptr::read_volatile(place) }
}

/// Stores to a map value or the stack.
#[inline(always)]
pub(crate) fn write_volatile<T: Copy>(place: *mut T, value: T) {
    // SAFETY: see the module: the verifier proves it.
    unsafe {
        core::ptr::write_volatile(place, value);
    }
}

/// The stamp of this moment.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}

/// Sets bits of a word that several programs and the agent change.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub(crate) fn set_bits(word: *mut u64, bits: u64) {
    use core::intrinsics::{AtomicOrdering::SeqCst, atomic_or};
    // SAFETY: an aligned word inside a map value.
    unsafe {
        atomic_or::<u64, u64, { SeqCst }>(word, bits);
    }
}

/// Clears bits of such a word.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub(crate) fn clear_bits(word: *mut u64, bits: u64) {
    use core::intrinsics::{AtomicOrdering::SeqCst, atomic_and};
    // SAFETY: an aligned word inside a map value.
    unsafe {
        atomic_and::<u64, u64, { SeqCst }>(word, !bits);
    }
}

/// See above; where the crate is only checked.
#[cfg(not(target_arch = "bpf"))]
pub(crate) fn set_bits(word: *mut u64, bits: u64) {
    write_volatile(word, read_volatile(word) | bits);
}

/// See above; where the crate is only checked.
#[cfg(not(target_arch = "bpf"))]
pub(crate) fn clear_bits(word: *mut u64, bits: u64) {
    write_volatile(word, read_volatile(word) & !bits);
}

/// Changes a word of a map that several programs and the agent change, if it is still `from`.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub(crate) fn compare_exchange(word: *mut u64, from: u64, to: u64) -> bool {
    use core::intrinsics::{AtomicOrdering::SeqCst, atomic_cxchg};
    // SAFETY: an aligned word inside a map value.
    unsafe { atomic_cxchg::<u64, { SeqCst }, { SeqCst }>(word, from, to) }.1
}

/// See above; where the crate is only checked.
#[cfg(not(target_arch = "bpf"))]
pub(crate) fn compare_exchange(word: *mut u64, from: u64, to: u64) -> bool {
    use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
    // SAFETY: an aligned word inside a map value.
    unsafe { AtomicU64::from_ptr(word) }
        .compare_exchange(from, to, SeqCst, SeqCst)
        .is_ok()
}

/// A pointer to a field, without looking at it.
macro_rules! field_of {
    ($record:expr, $type:ty, $field:ident) => {
        $record
            .wrapping_byte_add(core::mem::offset_of!($type, $field))
            .cast()
    };
}
pub(crate) use field_of;
