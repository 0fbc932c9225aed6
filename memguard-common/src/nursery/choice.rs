//! Which way of a set an acquisition takes.

use super::{State, WAYS};

/// How good a way is: class, age and way in one number, the best is the largest.
///
/// Computed without branches from the state word, so that the verifier sees one unknown number and
/// not a choice among paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Choice(pub(super) u32);

impl Choice {
    const CLASS_SHIFT: u32 = 20;
    const AGE_SHIFT: u32 = 3;

    pub(super) const NONE: u32 = 0;
    pub(super) const OLDEST: u32 = 1;
    pub(super) const EMPTY: u32 = 2;
    pub(super) const SAME_KEY: u32 = 3;
    pub(super) const OWN: u32 = 7;

    /// Class by phase, two bits each: empty 2, busy 0, live 1, unknown 0.
    const CLASSES: u32 = 0b00_01_00_10;

    #[inline(always)]
    pub(super) const fn of(state: State, way: u32, now: u64) -> Self {
        let phase = state.phase_bits();
        let class = Self::CLASSES >> (phase * 2) & 0b11;
        Self(class << Self::CLASS_SHIFT | (state.age(now) as u32) << Self::AGE_SHIFT | way)
    }

    #[inline(always)]
    pub(super) const fn promoted(self, class: u32) -> Self {
        Self(self.0 | class << Self::CLASS_SHIFT)
    }

    #[inline(always)]
    pub(super) const fn class(self) -> u32 {
        self.0 >> Self::CLASS_SHIFT
    }

    #[inline(always)]
    pub(super) const fn way(self) -> u32 {
        self.0 & (WAYS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::state::TIME_UNIT_SHIFT, *};

    #[test]
    fn the_best_way_is_own_then_same_key_then_empty_then_oldest() {
        let now = 100 << TIME_UNIT_SHIFT;
        let live = |age: u64| {
            State::from_word(0)
                .claimed(1, now - (age << TIME_UNIT_SHIFT))
                .live()
        };
        let order = [
            Choice::of(State::from_word(0).claimed(1, 0), 7, now),
            Choice::of(live(0), 6, now),
            Choice::of(live(50), 5, now),
            Choice::of(State::from_word(0), 0, now),
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
}
