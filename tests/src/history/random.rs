//! Numbers that look random and are always the same for the same seed: `SplitMix64` of Steele, Lea
//! and Flood, "Fast splittable pseudorandom number generators", 2014.

/// Numbers that a history uses for what it copies onto and closes blindly.
const NUMBERS: std::ops::Range<i32> = 3..40;

/// A source of numbers.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The source that begins with `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; that some are a little more likely does not matter here.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.any() % limit
    }

    /// A descriptor's number, open or not.
    pub fn number(&mut self) -> i32 {
        let span = i64::from(NUMBERS.end - NUMBERS.start) as u64;
        NUMBERS.start + self.below(span) as i32
    }

    /// One of `choices`.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        self.one_of_or_none(choices)
            .unwrap_or_else(|| panic!("nothing to choose from"))
    }

    /// One of `choices`, if there is any.
    pub fn one_of_or_none<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let last = choices.len().checked_sub(1)?;
        choices.get(self.below(last as u64 + 1) as usize)
    }
}
