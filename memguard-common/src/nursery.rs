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

use crate::event::Acquired;

/// Slots of a set; the eight state words fill one cache line.
pub const WAYS: u32 = 8;
/// Sets by default: 4 096 slots, 288 KiB of records and words.
pub const SETS: u32 = 512;
/// How often an acquirer looks for a slot before it sends its record past the nursery.
pub const ATTEMPTS: u32 = 2;

/// What a slot is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Nobody's; the record is meaningless.
    Empty,
    /// An acquirer's, who is writing the record.
    Busy,
    /// Published.
    Live,
}

/// A state word: generation (32 bits), time (16), tag (14), phase (2), from the top.
///
/// The time is the record's stamp in units of 2²⁰ ns (about a millisecond) and wraps after 68 s; it
/// chooses whom to evict without a look at eight records, and nothing else hangs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State(u64);

const PHASE_MASK: u64 = 0b11;
const TAG_SHIFT: u32 = 2;
const TAG_MASK: u64 = 0x3fff;
const TIME_SHIFT: u32 = 16;
const TIME_UNIT_SHIFT: u32 = 20;
const GENERATION_SHIFT: u32 = 32;

impl State {
    /// The word as it lies in memory. Zero is an empty slot that nobody ever claimed.
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// See [`State::from_word`].
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// What the slot is in; an unknown pattern, which nobody writes, counts as busy.
    #[inline(always)]
    pub const fn phase(self) -> Phase {
        match self.0 & PHASE_MASK {
            0 => Phase::Empty,
            2 => Phase::Live,
            _ => Phase::Busy,
        }
    }

    /// Part of the key's hash, so that most strangers are told apart without reading the record.
    #[inline(always)]
    pub const fn tag(self) -> u64 {
        (self.0 >> TAG_SHIFT) & TAG_MASK
    }

    /// Published, and perhaps of a key with this tag.
    #[inline(always)]
    const fn is_live_with(self, tag: u64) -> bool {
        self.0 & (TAG_MASK << TAG_SHIFT | PHASE_MASK) == tag << TAG_SHIFT | 2
    }

    /// How often the slot was claimed.
    #[inline(always)]
    pub const fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32
    }

    /// Age at `now` in units of 2²⁰ ns, modulo 2¹⁶.
    #[inline(always)]
    const fn age(self, now: u64) -> u16 {
        ((now >> TIME_UNIT_SHIFT) as u16).wrapping_sub((self.0 >> TIME_SHIFT) as u16)
    }

    /// The claim that follows this state: next generation, busy.
    #[inline(always)]
    const fn claimed(self, tag: u64, stamp: u64) -> Self {
        let generation = self.generation().wrapping_add(1) as u64;
        let time = (stamp >> TIME_UNIT_SHIFT) & 0xffff;
        Self(generation << GENERATION_SHIFT | time << TIME_SHIFT | tag << TAG_SHIFT | 1)
    }

    #[inline(always)]
    const fn live(self) -> Self {
        Self(self.0 & !PHASE_MASK | 2)
    }

    /// The same generation, with nobody in it.
    #[inline(always)]
    pub const fn emptied(self) -> Self {
        Self(self.0 & !PHASE_MASK)
    }
}

/// What makes two records the same descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Address of the table.
    pub table: u64,
    /// Number in the table.
    pub handle: u64,
}

impl Key {
    /// 64 bits of hash. Multiplicative: table addresses differ in their middle bits, handles in
    /// their low ones, and the top bits of the product depend on all of them.
    #[inline(always)]
    pub const fn hash(self) -> u64 {
        let mixed = self.table ^ self.handle.wrapping_mul(0xff51_afd7_ed55_8ccd);
        let product = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ (product >> 32)
    }

    /// The set that may hold the key, of `sets`, a power of two.
    #[inline(always)]
    pub const fn set(self, sets: u32) -> u32 {
        (self.hash() as u32) & (sets - 1)
    }

    /// The tag of the key, from bits that [`Key::set`] does not use.
    #[inline(always)]
    pub const fn tag(self) -> u64 {
        (self.hash() >> 40) & TAG_MASK
    }
}

/// Key and owner of the record in a slot, read while others may be writing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The descriptor.
    pub key: Key,
    /// Thread group that acquired it.
    pub owner: u32,
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
            owner: record.tgid,
        }
    }
}

/// One set of the nursery. Each method is one step; parties interleave between steps, and a record
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
    /// In the slot of an older acquisition of the same number by the same owner, which is gone: the
    /// kernel hands out a number only once it is free, so its release was missed.
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
/// The way that holds the same key and owner is taken first; a way with the same key and another
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
        let evict = class == Choice::OLDEST || class == Choice::SAME_KEY;
        if evict {
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
            Choice::OWN => Placed::Replaced(ticket),
            _ => Placed::Evicted(ticket),
        });
    }
    Ok(Placed::Nowhere)
}

/// How good a way is: class, age and way in one number, the best is the largest.
///
/// Computed without branches from the state word, so that the verifier sees one unknown number and
/// not a choice among paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Choice(u32);

impl Choice {
    const CLASS_SHIFT: u32 = 20;
    const AGE_SHIFT: u32 = 3;

    const NONE: u32 = 0;
    const OLDEST: u32 = 1;
    const EMPTY: u32 = 2;
    const SAME_KEY: u32 = 3;
    const OWN: u32 = 7;

    /// Class by phase, two bits each: empty 2, busy 0, live 1, unknown 0.
    const CLASSES: u32 = 0b00_01_00_10;

    #[inline(always)]
    const fn of(state: State, way: u32, now: u64) -> Self {
        let phase = (state.0 & PHASE_MASK) as u32;
        let class = Self::CLASSES >> (phase * 2) & 0b11;
        Self(class << Self::CLASS_SHIFT | (state.age(now) as u32) << Self::AGE_SHIFT | way)
    }

    #[inline(always)]
    const fn promoted(self, class: u32) -> Self {
        Self(self.0 | class << Self::CLASS_SHIFT)
    }

    #[inline(always)]
    const fn class(self) -> u32 {
        self.0 >> Self::CLASS_SHIFT
    }

    #[inline(always)]
    const fn way(self) -> u32 {
        self.0 & (WAYS - 1)
    }
}

#[inline(always)]
fn choose<M: Memory>(
    memory: &M,
    identity: &Identity,
    tag: u64,
    now: u64,
) -> Result<(State, Choice), M::Stop> {
    let mut best = Choice(0);
    let mut seen = State(0);
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

/// Takes a record back that its own acquirer published in vain. False where it is gone already: it
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_word_keeps_its_parts_apart() {
        let stamp = 0x0012_3456_7890_abcd;
        let claim = State::from_word(0).claimed(TAG_MASK, stamp);
        assert_eq!(claim.phase(), Phase::Busy);
        assert_eq!(claim.tag(), TAG_MASK);
        assert_eq!(claim.generation(), 1);
        assert_eq!(claim.age(stamp + (3 << TIME_UNIT_SHIFT)), 3);
        assert_eq!(claim.live().phase(), Phase::Live);
        assert_eq!(claim.live().emptied().generation(), 1);
        assert_eq!(claim.live().emptied().claimed(0, 0).generation(), 2);
    }

    #[test]
    fn the_best_way_is_own_then_same_key_then_empty_then_oldest() {
        let now = 100 << TIME_UNIT_SHIFT;
        let live = |age: u64| State(0).claimed(1, now - (age << TIME_UNIT_SHIFT)).live();
        let order = [
            Choice::of(State(0).claimed(1, 0), 7, now),
            Choice::of(live(0), 6, now),
            Choice::of(live(50), 5, now),
            Choice::of(State(0), 0, now),
            Choice::of(live(1), 4, now).promoted(Choice::SAME_KEY),
            Choice::of(live(1), 3, now).promoted(Choice::OWN),
        ];
        assert!(order.is_sorted(), "{order:?}");
        let classes = order.map(Choice::class);
        let [none, oldest] = [Choice::NONE, Choice::OLDEST];
        assert_eq!(
            classes,
            [
                none,
                oldest,
                oldest,
                Choice::EMPTY,
                Choice::SAME_KEY,
                Choice::OWN
            ]
        );
        assert_eq!(order.map(Choice::way), [7, 6, 5, 0, 4, 3]);
    }

    #[test]
    fn generations_wrap_without_touching_the_rest() {
        let last = State::from_word(u64::from(u32::MAX) << GENERATION_SHIFT);
        let next = last.claimed(5, 0);
        assert_eq!(
            (next.generation(), next.tag(), next.phase()),
            (0, 5, Phase::Busy)
        );
    }

    #[test]
    fn the_keys_of_many_tables_spread_over_the_sets() {
        // files_struct comes from a slab of 704-byte objects; descriptors are small numbers.
        let mut load = vec![0u32; SETS as usize];
        for table in 0..256u64 {
            for handle in 3..19u64 {
                let key = Key {
                    table: 0xffff_8881_0027_0000 + table * 704,
                    handle,
                };
                load[key.set(SETS) as usize] += 1;
            }
        }
        let fullest = load.iter().max().copied().unwrap();
        println!("4096 keys in {SETS} sets: fullest holds {fullest}, mean 8");
        assert!(fullest <= 24, "fullest set holds {fullest}");
    }
}
