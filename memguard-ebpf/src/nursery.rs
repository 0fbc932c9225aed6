//! The nursery's memory as the programs see it: one set of the mapped arrays; and the protocol as
//! functions of their own.
//!
//! To the verifier these are functions that it looks at once for each program and whose results are
//! any number, where it would follow what is inlined anew on every path that leads to it.

use core::{convert::Infallible, mem::offset_of};

use memguard_common::{
    event::{Acquired, Head},
    nursery::{self, Identity, Key, Memory, Placed, State, Ticket, WAYS, owner},
    stats::Stat,
};

use crate::{
    emit::count,
    maps,
    memory::{compare_exchange, field_of, read_volatile, write_volatile},
    regs::Origin,
    window::StackBuf,
};

/// A record on its way into the nursery, and what became of it.
#[repr(C)]
pub(crate) struct Entry {
    /// To be kept.
    pub(crate) record: Acquired,
    /// Of the call that acquired it.
    pub(crate) origin: Origin,
    way: u64,
    state: u64,
}

/// What [`Entry::keep`] did, with the ticket left in the entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In a slot of its own.
    Alone,
    /// In the slot of an older acquisition of the same handle.
    Replacing,
    /// Nowhere: every attempt met others at work.
    Nowhere,
}

impl Entry {
    /// Yet to be kept.
    #[inline(always)]
    pub(crate) fn new(record: Acquired, origin: Origin) -> Self {
        Self {
            record,
            origin,
            // Two zeroes in a row would become a call that writes sixteen bytes one by one.
            way: u64::from(WAYS),
            state: 0,
        }
    }

    /// Puts it into its set.
    #[inline(always)]
    pub(crate) fn keep(&mut self) -> Kept {
        match nursery_acquire(self) {
            ALONE => Kept::Alone,
            REPLACING => Kept::Replacing,
            _ => Kept::Nowhere,
        }
    }

    /// Takes it back; false where it is gone already.
    #[inline(always)]
    pub(crate) fn take_back(&self) -> bool {
        let ticket = Ticket {
            way: self.way as u32,
            state: State::from_word(self.state),
        };
        let set = Set::of(Identity::of(&self.record).key, Origin::NONE, false);
        set.is_some_and(|set| {
            let Ok(taken) = nursery::take_back(&set, ticket);
            taken
        })
    }
}

/// Erases the records of a key, of this owner or, where there is none given, of whatever owner;
/// says how many there were.
#[inline(always)]
pub(crate) fn release(key: Key, owner: Option<u64>) -> u32 {
    let ownerless = u32::from(owner.is_none());
    nursery_release(key.table, key.handle, owner.unwrap_or(0), ownerless)
}

const NOWHERE: u32 = 0;
const ALONE: u32 = 1;
const REPLACING: u32 = 2;

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn nursery_acquire(entry: *mut Entry) -> u32 {
    // SAFETY: the verifier checks every caller's pointer; it wants the question asked.
    let Some(entry) = (unsafe { entry.as_mut() }) else {
        return NOWHERE;
    };
    let key = Identity::of(&entry.record).key;
    let Some(set) = Set::of(key, entry.origin, false) else {
        return NOWHERE;
    };
    let Ok(placed) = nursery::acquire(&set, &entry.record);
    let (Placed::Fresh(ticket) | Placed::Evicted(ticket) | Placed::Replaced(ticket)) = placed
    else {
        return NOWHERE;
    };
    entry.way = u64::from(ticket.way);
    entry.state = ticket.state.word();
    match placed {
        Placed::Replaced(_) => REPLACING,
        _ => ALONE,
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn nursery_release(table: u64, handle: u64, owner: u64, ownerless: u32) -> u32 {
    let key = Key { table, handle };
    let Some(set) = Set::of(key, Origin::NONE, ownerless != 0) else {
        return 0;
    };
    let Ok(erased) = nursery::release(&set, &Identity { key, owner });
    erased
}

/// A set.
struct Set {
    words: *mut u64,
    first: u32,
    /// Of the acquirer.
    origin: Origin,
    /// Every record's owner is taken for 0.
    ownerless: bool,
}

impl Set {
    /// The one that may hold `key`; `None` never happens.
    #[inline(always)]
    fn of(key: Key, origin: Origin, ownerless: bool) -> Option<Self> {
        let set = key.set(maps::nursery_sets());
        let words = maps::WORDS.get_ptr_mut(set)?.cast();
        Some(Self {
            words,
            first: set * WAYS,
            origin,
            ownerless,
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
        Ok(State::from_word(read_volatile(self.word(way))))
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
        let table = read_volatile(field_of!(record, Acquired, table));
        let handle = read_volatile(field_of!(record, Acquired, handle));
        let tgid = read_volatile(field_of!(record, Acquired, tgid));
        let start = read_volatile(field_of!(record, Acquired, start));
        let exec_id = read_volatile(field_of!(record, Acquired, exec_id));
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
        Ok(record.map_or(0, |record| {
            read_volatile(record.wrapping_byte_add(STAMP).cast())
        }))
    }

    #[inline(always)]
    fn write(&self, way: u32, record: &Acquired) -> Result<(), Infallible> {
        if let Some(place) = self.record(way) {
            write_volatile(place, *record);
        }
        if let Some(buffer) = StackBuf::of_slot(self.first + way) {
            buffer.copy(self.origin);
        }
        Ok(())
    }

    #[inline(always)]
    fn evict(&self, way: u32) -> Result<(), Infallible> {
        match (self.record(way), StackBuf::of_slot(self.first + way)) {
            (Some(place), Some(buffer)) => buffer.send(place, Stat::Evicted),
            _ => count(Stat::LostAcquired),
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
        write_volatile(last_byte, 0);
        read_volatile(&raw const slot) as u32
    }
}
