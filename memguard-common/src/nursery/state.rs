//! State words: what a slot is in, in 64 bits that change hands as a whole.

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
pub(super) const TAG_MASK: u64 = 0x3fff;
const TIME_SHIFT: u32 = 16;
pub(super) const TIME_UNIT_SHIFT: u32 = 20;
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

    /// The phase as a number: 0 empty, 2 live, else busy.
    #[inline(always)]
    pub(super) const fn phase_bits(self) -> u32 {
        (self.0 & PHASE_MASK) as u32
    }

    /// Published, and perhaps of a key with this tag.
    #[inline(always)]
    pub(super) const fn is_live_with(self, tag: u64) -> bool {
        self.0 & (TAG_MASK << TAG_SHIFT | PHASE_MASK) == tag << TAG_SHIFT | 2
    }

    /// How often the slot was claimed.
    #[inline(always)]
    pub const fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32
    }

    /// Age at `now` in units of 2²⁰ ns, modulo 2¹⁶.
    #[inline(always)]
    pub(super) const fn age(self, now: u64) -> u16 {
        ((now >> TIME_UNIT_SHIFT) as u16).wrapping_sub((self.0 >> TIME_SHIFT) as u16)
    }

    /// The claim that follows this state: next generation, busy.
    #[inline(always)]
    pub(super) const fn claimed(self, tag: u64, stamp: u64) -> Self {
        let generation = self.generation().wrapping_add(1) as u64;
        let time = (stamp >> TIME_UNIT_SHIFT) & 0xffff;
        Self(generation << GENERATION_SHIFT | time << TIME_SHIFT | tag << TAG_SHIFT | 1)
    }

    #[inline(always)]
    pub(super) const fn live(self) -> Self {
        Self(self.0 & !PHASE_MASK | 2)
    }

    /// The same generation, with nobody in it.
    #[inline(always)]
    #[must_use]
    pub const fn emptied(self) -> Self {
        Self(self.0 & !PHASE_MASK)
    }
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
    fn generations_wrap_without_touching_the_rest() {
        let last = State::from_word(u64::from(u32::MAX) << GENERATION_SHIFT);
        let next = last.claimed(5, 0);
        assert_eq!(
            (next.generation(), next.tag(), next.phase()),
            (0, 5, Phase::Busy)
        );
    }
}
