//! The nursery's memory as the programs see it: one set of the mapped arrays.

use core::{convert::Infallible, mem::offset_of};

use memguard_common::{
    event::{Acquired, Head},
    nursery::{Identity, Key, Memory, State, WAYS, owner},
    stats::Stat,
};

use crate::{
    maps,
    memory::{field_of, peek, poke},
    regs::Arguments,
    window::Room,
};

/// A set.
pub(crate) struct Set {
    words: *mut u64,
    first: u32,
    /// Of the acquirer.
    registers: Arguments,
    /// Every record's owner is taken for 0.
    ownerless: bool,
}

impl Set {
    /// The one that may hold `key`; `None` never happens. Who writes a record says with which
    /// registers its maker came.
    #[inline(always)]
    pub(crate) fn of(key: Key, registers: Arguments) -> Option<Self> {
        let set = key.set(maps::nursery_sets());
        let words = maps::WORDS.get_ptr_mut(set)?.cast();
        Some(Self {
            words,
            first: set * WAYS,
            registers,
            ownerless: false,
        })
    }

    /// The same set for who erases a key, whoever owns it, as owner 0.
    #[inline(always)]
    pub(crate) fn ownerless(key: Key) -> Option<Self> {
        let set = Self::of(key, Arguments::none())?;
        Some(Self {
            ownerless: true,
            ..set
        })
    }

    #[inline(always)]
    fn record(&self, way: u32) -> Option<*mut Acquired> {
        maps::RECORDS.get_ptr_mut(self.first + way)
    }

    #[inline(always)]
    fn word(&self, way: u32) -> *mut u64 {
        self.words.wrapping_add((way & (WAYS - 1)) as usize)
    }
}

impl Memory for Set {
    type Stop = Infallible;

    #[inline(always)]
    fn state(&self, way: u32) -> Result<State, Infallible> {
        // LLVM selects no plain atomic load for this target. On x86-64 a volatile one orders as an
        // acquire load; other architectures need an atomic `or 0` here.
        Ok(State::from_word(peek(self.word(way))))
    }

    #[inline(always)]
    fn swap(&self, way: u32, from: State, to: State) -> Result<bool, Infallible> {
        Ok(compare_exchange(self.word(way), from.word(), to.word()))
    }

    #[inline(always)]
    fn identity(&self, way: u32) -> Result<Identity, Infallible> {
        let Some(record) = self.record(way) else {
            return Ok(Identity {
                key: Key {
                    table: 0,
                    handle: 0,
                },
                owner: 0,
            });
        };
        // May be torn, which the caller's compare-and-swap finds out.
        let table = peek(field_of!(record, Acquired, table));
        let handle = peek(field_of!(record, Acquired, handle));
        let tgid = peek(field_of!(record, Acquired, tgid));
        let start = peek(field_of!(record, Acquired, start));
        let exec_id = peek(field_of!(record, Acquired, exec_id));
        let owner = if self.ownerless {
            0
        } else {
            owner(tgid, start, exec_id)
        };
        Ok(Identity {
            key: Key { table, handle },
            owner,
        })
    }

    #[inline(always)]
    fn stamp(&self, way: u32) -> Result<u64, Infallible> {
        const STAMP: usize = offset_of!(Acquired, head) + offset_of!(Head, stamp);
        let record = self.record(way);
        Ok(record.map_or(0, |record| peek(record.wrapping_byte_add(STAMP).cast())))
    }

    #[inline(always)]
    fn write(&self, way: u32, record: &Acquired) -> Result<(), Infallible> {
        if let Some(place) = self.record(way) {
            poke(place, *record);
        }
        if let Some(room) = Room::of_slot(self.first + way) {
            room.copy(self.registers);
        }
        Ok(())
    }

    #[inline(always)]
    fn evict(&self, way: u32) -> Result<(), Infallible> {
        if let (Some(place), Some(room)) = (self.record(way), Room::of_slot(self.first + way)) {
            room.send(place, Stat::Evicted);
        }
        Ok(())
    }

    /// A stack slot that was written in parts is "misc" to the verifier: what is read from it is
    /// any number. Three instructions, for a sixtieth of the verification.
    #[inline(always)]
    fn opaque(&self, number: u32) -> u32 {
        let mut slot = u64::from(number);
        let last_byte = (&raw mut slot).cast::<u8>().wrapping_add(7);
        // Zero already, the number having 32 bits.
        poke(last_byte, 0);
        peek(&raw const slot) as u32
    }
}

#[cfg(target_arch = "bpf")]
#[inline(always)]
fn compare_exchange(word: *mut u64, from: u64, to: u64) -> bool {
    use core::intrinsics::{AtomicOrdering::SeqCst, atomic_cxchg};
    // SAFETY: an aligned word inside a map value.
    unsafe { atomic_cxchg::<u64, { SeqCst }, { SeqCst }>(word, from, to) }.1
}

#[cfg(not(target_arch = "bpf"))]
fn compare_exchange(word: *mut u64, from: u64, to: u64) -> bool {
    use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
    // SAFETY: an aligned word inside a map value.
    unsafe { AtomicU64::from_ptr(word) }
        .compare_exchange(from, to, SeqCst, SeqCst)
        .is_ok()
}
