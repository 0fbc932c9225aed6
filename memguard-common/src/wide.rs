//! Wide windows: more of the stack, copied at sites whose usual window ended before the stack did.
//!
//! The agent says at which sites, in an array of words that it shares with the programs, one word a
//! site: the site's key, and in the low byte how often it may still be copied there. The agent
//! fills that up as time passes, so that a busy site costs no more than a quiet one.

/// Bytes of stack in a wide window.
pub const WIDE_BYTES: usize = 16 << 10;
/// Words in the array.
pub const WIDE_SITES: u32 = 64;

/// The byte of a word that counts copies.
const COPIES: u64 = 0xff;

/// What a site is recognised by: process, instruction that enters the kernel, depth of the stack.
///
/// Of the stack pointer the part within a page counts: stacks of threads begin at pages, so that
/// all threads share a site. Two sites that share a key cost a copy too many, and nothing else.
#[inline(always)]
#[must_use]
pub const fn site_key(tgid: u32, ip: u64, sp: u64) -> u64 {
    const PAGE: u64 = 4096;
    const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = (ip ^ (sp & (PAGE - 1)) << 44 ^ (tgid as u64) << 20).wrapping_mul(PRIME);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(PRIME);
    // Never zero, which is an empty word.
    (mixed | (COPIES + 1)) & !COPIES
}

/// The word of a key.
#[inline(always)]
#[must_use]
pub const fn site_index(key: u64) -> u32 {
    (key >> 32) as u32 & (WIDE_SITES - 1)
}

/// The word that allows so many copies at a site.
#[inline(always)]
#[must_use]
pub const fn site_word(key: u64, copies: u8) -> u64 {
    key & !COPIES | copies as u64
}

/// Whether a word is a site's.
#[inline(always)]
#[must_use]
pub const fn is_of_site(word: u64, key: u64) -> bool {
    (word ^ key) & !COPIES == 0
}

/// The word with one copy less; `None` where it allows none at this site.
#[inline(always)]
#[must_use]
pub const fn take_copy(word: u64, key: u64) -> Option<u64> {
    if is_of_site(word, key) && word & COPIES != 0 {
        Some(word - 1)
    } else {
        None
    }
}

const _: () = assert!(WIDE_SITES.is_power_of_two(), "an index is a mask");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_allows_as_many_copies_as_it_says_and_only_at_its_site() {
        let key = site_key(7, 0x7f00_1234_5678, 0x7ffc_0000_1230);
        let other = site_key(7, 0x7f00_1234_5678, 0x7ffc_0000_1240);
        assert_ne!(key, other);
        let word = site_word(key, 2);
        assert_eq!(take_copy(word, other), None);
        let word = take_copy(word, key).unwrap();
        let word = take_copy(word, key).unwrap();
        assert_eq!(take_copy(word, key), None);
        assert!(is_of_site(word, key));
        assert_eq!(take_copy(0, key), None);
    }

    #[test]
    fn a_site_is_the_same_on_every_thread_whose_stack_begins_like_its() {
        let key = site_key(7, 0x40_1000, 0x7f01_0000_2e10);
        assert_eq!(key, site_key(7, 0x40_1000, 0x7f02_1111_0e10));
        assert_ne!(key, site_key(8, 0x40_1000, 0x7f01_0000_2e10));
        assert_ne!(key, site_key(7, 0x40_1002, 0x7f01_0000_2e10));
    }

    #[test]
    fn sites_spread_over_the_words() {
        let places: [bool; WIDE_SITES as usize] = core::array::from_fn(|_| false);
        let places = (0..1024_u64).fold(places, |mut places, at| {
            let key = site_key(4000, 0x7f00_0000_0000 + (at & 31) * 0x40, (at >> 5) * 0x30);
            if let Some(place) = places.get_mut(site_index(key) as usize) {
                *place = true;
            }
            places
        });
        assert!(places.iter().all(|met| *met));
    }
}
