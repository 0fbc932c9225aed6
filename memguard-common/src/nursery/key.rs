//! Keys: which descriptor, and where it may lie.

use super::state::TAG_MASK;

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

#[cfg(test)]
mod tests {
    use super::{super::SETS, *};

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
