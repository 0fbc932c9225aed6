//! The nursery protocol: who may touch which record of the young generation, and how it changes
//! hands.
//!
//! The nursery is an array of sets of [`WAYS`] slots. A slot is a *state word* and a record
//! ([`Acquired`]). Acquirers and releasers (BPF programs, on any CPU) and the sweeper (the agent,
//! through shared memory) own a slot by compare-and-swap of its whole state word, and every claim
//! takes the next generation. A record is written only between a claim and its publication. So
//! whoever reads a record first, and then swaps the state word he saw before reading, knows that
//! what he read was whole.
//!
//! ```text
//!            claim (generation + 1)            publish
//!   Empty ──────────────────────────▶ Busy ──────────────▶ Live
//!     ▲                                ▲                     │
//!     │                                └── claim: replace ───┤
//!     │                                           or evict   │
//!     └── release · take back · sweep (same generation) ─────┘
//! ```
//!
//! Written once over the trait [`Memory`], whose every method is one step that other parties may
//! come between: the programs implement it over maps, the agent over its mapping of them, and
//! `tests/explore.rs` over a model in which all interleavings are tried.

mod choice;
mod key;
mod state;

use self::choice::Choice;
pub use self::{
    key::Key,
    state::{Phase, State},
};
use crate::event::Acquired;

/// Slots of a set; the eight state words fill one cache line.
pub const WAYS: u32 = 8;
/// Sets by default: 4 096 slots, 288 KiB of records and words.
pub const SETS: u32 = 512;
/// How often an acquirer looks for a slot before it sends its record past the nursery.
pub const ATTEMPTS: u32 = 2;

/// Key and owner of the record in a slot, read while others may be writing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The descriptor.
    pub key: Key,
    /// Process that acquired it, see [`owner`].
    pub owner: u64,
}

/// A program image of a process in one number.
///
/// That is: its thread group and the start of its leader, for the number of a process that has just
/// ended may be the next one's; and its exec id, for an exec may give a process the memory of a
/// table back that it left to others.
#[inline(always)]
pub const fn owner(tgid: u32, start: u64, exec_id: u32) -> u64 {
    start.rotate_left(32) ^ tgid as u64 ^ (exec_id as u64) << 23
}

impl Identity {
    /// Of a record in hand.
    #[inline(always)]
    pub const fn of(record: &Acquired) -> Self {
        Self {
            key: Key {
                table: record.table,
                handle: record.handle,
            },
            owner: owner(record.tgid, record.start, record.exec_id),
        }
    }
}

/// One set of the nursery.
///
/// Each method is one step; parties interleave between steps, and a record
/// may be torn while its slot is not ours. `Err` is not a failure of the memory but of the caller
/// to go on (the exploration stops a party that way); where nothing can stop, it is
/// [`core::convert::Infallible`].
pub trait Memory {
    /// Why a party may not go on.
    type Stop;

    /// Reads the state word of a way.
    fn state(&self, way: u32) -> Result<State, Self::Stop>;
    /// Compare-and-swap of the state word, a full barrier; true where it took place.
    fn swap(&self, way: u32, from: State, to: State) -> Result<bool, Self::Stop>;
    /// Reads key and owner of the record, which may be torn.
    fn identity(&self, way: u32) -> Result<Identity, Self::Stop>;
    /// Reads the stamp of the record. Only while the slot is ours.
    fn stamp(&self, way: u32) -> Result<u64, Self::Stop>;
    /// Writes the record. Only while the slot is ours.
    fn write(&self, way: u32, record: &Acquired) -> Result<(), Self::Stop>;
    /// Sends the record to the agent. Only while the slot is ours.
    fn evict(&self, way: u32) -> Result<(), Self::Stop>;
    /// The same number, of which a verifier knows nothing any more: what it knew differs between
    /// the paths that led here, and would make it follow each of them through all that comes.
    #[inline(always)]
    fn opaque(&self, number: u32) -> u32 {
        number
    }
}

/// Where an acquisition ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placed {
    /// In an empty slot.
    Fresh(Ticket),
    /// In the slot of an older acquisition of the same number by the same owner, which is gone:
    /// closed by `dup2`, or by a release that was missed, for the kernel hands out a number
    /// only once it is free.
    Replaced(Ticket),
    /// In the slot of a record that went to the agent.
    Evicted(Ticket),
    /// Nowhere: every attempt met others at work. The caller sends the record itself.
    Nowhere,
}

/// A published record, for [`take_back`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Way of the set.
    pub way: u32,
    /// The state it was published with.
    pub state: State,
}

/// Puts a new record into its set and publishes it.
///
/// The way that holds the same key and owner is taken first, and its record replaced if it is the
/// older; a way with the same key and another
/// owner (the table's memory was reused, or the table is shared by processes) is evicted, never
/// replaced: its handle may still be open. Then an empty way, then the oldest.
///
/// The caller must look at the descriptor's slot *after* this returns: where it is empty, a close
/// came between the kernel's installing the descriptor and our publishing it, found nothing to
/// erase, and the record has to be [taken back](take_back).
#[inline(always)]
pub fn acquire<M: Memory>(memory: &M, record: &Acquired) -> Result<Placed, M::Stop> {
    let identity = Identity::of(record);
    let tag = identity.key.tag();
    for _ in 0..ATTEMPTS {
        let (seen, choice) = choose(memory, &identity, tag, record.head.stamp)?;
        let class = choice.class();
        if class == Choice::NONE {
            continue;
        }
        let way = choice.way();
        let claim = seen.claimed(tag, record.head.stamp);
        if !memory.swap(way, seen, claim)? {
            continue;
        }
        // A younger record of our own is not ours to replace: between our handle and it lies a
        // close, whose release the agent has been sent, and which would end us both.
        let replace = class == Choice::OWN && memory.stamp(way)? <= record.head.stamp;
        if class != Choice::EMPTY && !replace {
            memory.evict(way)?;
        }
        memory.write(way, record)?;
        let state = claim.live();
        // Nobody else touches a busy slot, so this cannot fail; it is a swap for its barrier: the
        // caller's look at the descriptor's slot must come after the publication.
        memory.swap(way, claim, state)?;
        let ticket = Ticket { way, state };
        return Ok(match class {
            Choice::EMPTY => Placed::Fresh(ticket),
            Choice::OLDEST | Choice::SAME_KEY => Placed::Evicted(ticket),
            _ if replace => Placed::Replaced(ticket),
            _ => Placed::Evicted(ticket),
        });
    }
    Ok(Placed::Nowhere)
}

#[inline(always)]
fn choose<M: Memory>(
    memory: &M,
    identity: &Identity,
    tag: u64,
    now: u64,
) -> Result<(State, Choice), M::Stop> {
    let mut best = Choice(0);
    let mut seen = State::from_word(0);
    for way in 0..WAYS {
        let state = memory.state(way)?;
        let mut choice = Choice::of(state, way, now);
        if state.is_live_with(tag) {
            let holder = memory.identity(way)?;
            if holder.key == identity.key {
                let own = holder.owner == identity.owner;
                choice = choice.promoted(if own { Choice::OWN } else { Choice::SAME_KEY });
            }
        }
        if choice > best {
            best = choice;
            seen = state;
        }
    }
    Ok((seen, Choice(memory.opaque(best.0))))
}

/// Takes a record back that its own acquirer published in vain.
///
/// False where it is gone already: it
/// was released, evicted or swept, and the caller must send a release with the acquisition's own
/// stamp, for the agent may hold it.
#[inline(always)]
pub fn take_back<M: Memory>(memory: &M, ticket: Ticket) -> Result<bool, M::Stop> {
    memory.swap(ticket.way, ticket.state, ticket.state.emptied())
}

/// Erases every record of this key and owner; returns how many there were. Zero is a miss: the
/// caller looks at the descriptor's slot and tells the agent unless it is empty.
#[inline(always)]
pub fn release<M: Memory>(memory: &M, identity: &Identity) -> Result<u32, M::Stop> {
    let tag = identity.key.tag();
    let mut erased = 0;
    for way in 0..WAYS {
        let state = memory.state(way)?;
        if !state.is_live_with(tag) {
            continue;
        }
        if memory.identity(way)? == *identity && memory.swap(way, state, state.emptied())? {
            erased += 1;
        }
    }
    Ok(erased)
}
