//! Where the programs copy wide windows: at sites whose usual window keeps ending before the stack
//! does. Bounded: a number of sites, and of copies a second at each.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use memguard_common::{
    event::ACQUIRED_BYTES,
    wide::{WIDE_BYTES, WIDE_SITES, site_index, site_word},
};

use super::{mapping::Mapping, settings::SettingsWriter, sizes::Sizes};
use crate::model::ids::{ProcessId, Stamp};

/// Copies at a site until the next refill, which comes with each sweep.
const COPIES: u8 = 4;
/// How many handles with a window that ended too early make a site one of these.
const ENOUGH: u32 = 3;
/// A site at which there were none for so long gives way to another.
const IDLE: Duration = Duration::from_mins(1);

/// A site with a word of its own.
#[derive(Clone, Copy, Debug)]
struct Site {
    process: ProcessId,
    key: u64,
    /// Handles whose window ended too early.
    seen: u32,
    last: Stamp,
}

impl Site {
    fn is_copied(&self) -> bool {
        self.seen >= ENOUGH
    }
}

/// See the module.
#[derive(Debug)]
pub struct WideSites {
    words: Mapping,
    sites: Box<[Option<Site>]>,
    /// The usual windows are as wide.
    useless: bool,
    /// Handles whose site found its word in use by another.
    refused: u64,
}

impl WideSites {
    /// None yet. `words` is the array that the programs look at.
    pub(super) fn new(words: Mapping, sizes: Sizes) -> Self {
        Self {
            words,
            sites: vec![None; WIDE_SITES as usize].into(),
            useless: sizes.window_bytes as usize >= ACQUIRED_BYTES + WIDE_BYTES / 2,
            refused: 0,
        }
    }

    /// Handles at a site whose windows may have been copied wide, if another had not been in its
    /// place.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// A handle's window ended too early.
    pub fn ended_early(&mut self, process: ProcessId, key: u64, now: Stamp) {
        let Some(place) = self.sites.get_mut(site_index(key) as usize) else {
            return;
        };
        match place {
            _ if self.useless => {}
            Some(site) if (site.process, site.key) == (process, key) => {
                site.seen = site.seen.saturating_add(1);
                site.last = now;
            }
            Some(site) if site.is_copied() && now.since(site.last) < IDLE => {
                self.refused = self.refused.saturating_add(1);
            }
            _ => {
                *place = Some(Site {
                    process,
                    key,
                    seen: 1,
                    last: now,
                });
            }
        }
    }

    /// Allows each site its copies anew.
    pub(super) fn refill(&self, settings: &SettingsWriter) {
        let copied = |site: &&Site| site.is_copied();
        let mut count = 0;
        for (word, site) in self.words.words().iter().zip(self.sites.iter()) {
            let site = site.as_ref().filter(copied);
            count += u32::from(site.is_some());
            word.store(site.map_or(0, |site| site_word(site.key, COPIES)), Relaxed);
        }
        settings.wide_sites(count);
    }

    /// The process has ended.
    pub fn forget(&mut self, process: ProcessId) {
        for place in &mut self.sites {
            place.take_if(|site| site.process == process);
        }
    }
}

#[cfg(test)]
mod tests {
    use memguard_common::wide::{is_of_site, site_key};
    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

    use super::*;

    const PROCESS: ProcessId = ProcessId {
        tgid: 7,
        start_ticks: 1,
    };

    fn mapping(bytes: usize) -> Mapping {
        let memory = memfd_create("words", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&memory, bytes as u64).unwrap();
        Mapping::new(memory, bytes).unwrap()
    }

    fn sites(window_bytes: u32) -> (WideSites, SettingsWriter) {
        let sizes = Sizes::of_windows(window_bytes);
        let settings = mapping(size_of::<memguard_common::settings::Settings>());
        let words = mapping(WIDE_SITES as usize * size_of::<u64>());
        (
            WideSites::new(words, sizes),
            SettingsWriter::new(settings, sizes),
        )
    }

    fn second(at: u64) -> Stamp {
        Stamp(at * 1_000_000_000)
    }

    fn word(sites: &WideSites, key: u64) -> u64 {
        sites.words.words()[site_index(key) as usize].load(Relaxed)
    }

    #[test]
    fn a_site_is_copied_wide_from_its_third_window_that_ended_early() {
        let (mut sites, settings) = sites(2048);
        let key = site_key(7, 0x1000, 0x7000);
        for at in 0..2 {
            sites.ended_early(PROCESS, key, second(at));
        }
        sites.refill(&settings);
        assert_eq!(word(&sites, key), 0);
        sites.ended_early(PROCESS, key, second(2));
        sites.refill(&settings);
        assert!(is_of_site(word(&sites, key), key));
        sites.forget(PROCESS);
        sites.refill(&settings);
        assert_eq!(word(&sites, key), 0);
    }

    #[test]
    fn a_site_keeps_its_word_as_long_as_it_is_in_use() {
        let (mut sites, _settings) = sites(2048);
        let key = site_key(7, 0x1000, 0x7000);
        let mut others = (0x1001..).map(|ip| site_key(7, ip, 0x7000));
        let other = others
            .find(|other| site_index(*other) == site_index(key))
            .unwrap();
        for at in 0..3 {
            sites.ended_early(PROCESS, key, second(at));
        }
        sites.ended_early(PROCESS, other, second(50));
        assert_eq!(sites.refused(), 1);
        sites.ended_early(PROCESS, other, second(63));
        assert_eq!(sites.refused(), 1);
        let site = sites.sites[site_index(key) as usize].unwrap();
        assert_eq!((site.key, site.seen), (other, 1));
    }

    #[test]
    fn nothing_is_copied_twice_where_windows_are_wide_already() {
        let (mut sites, settings) = sites(16 << 10);
        let key = site_key(7, 0x1000, 0x7000);
        for at in 0..3 {
            sites.ended_early(PROCESS, key, second(at));
        }
        sites.refill(&settings);
        assert_eq!(word(&sites, key), 0);
    }
}
