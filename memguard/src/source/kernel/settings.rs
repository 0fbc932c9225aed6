//! What the programs are told while they run, in shared memory: whole words, and never where a
//! program may be reading. A list of targets is written into the slot that is not in use; the one
//! word that names the slot and the scope then makes it the one that applies.

use std::{
    iter,
    mem::offset_of,
    sync::atomic::{
        AtomicU32,
        Ordering::{Relaxed, Release},
    },
    thread,
    time::Duration,
};

use memguard_common::settings::{Scope, Selector, Settings, TARGET_SLOTS, TargetList};
use rustix::thread::{MembarrierCommand, membarrier};

use super::{mapping::Mapping, sizes::Sizes};

const WORD: usize = size_of::<u64>();
const TARGETS: usize = offset_of!(Settings, targets) / WORD;
const LIST: usize = size_of::<TargetList>() / WORD;

const SELECTOR: usize = offset_of!(Settings, selector) / size_of::<u32>();
const AGENT: usize = offset_of!(Settings, agent) / size_of::<u32>();
const RING_WATERMARK: usize = offset_of!(Settings, ring_watermark) / size_of::<u32>();
const WIDE_SITES: usize = offset_of!(Settings, wide_sites) / size_of::<u32>();
const WINDOW_WATERMARK: usize = offset_of!(Settings, window_watermark) / size_of::<u32>();

/// The only one that writes them.
#[derive(Debug)]
pub(super) struct SettingsWriter {
    memory: Mapping,
    /// The slot that applies.
    slot: u32,
    /// Programs may still be reading the other slot.
    other_was_used: bool,
}

impl SettingsWriter {
    /// Nothing is watched yet. To be called before anything is attached.
    pub(super) fn new(memory: Mapping, sizes: Sizes) -> Self {
        let writer = Self {
            memory,
            slot: 0,
            other_was_used: false,
        };
        writer.half(AGENT).store(std::process::id(), Relaxed);
        writer
            .half(RING_WATERMARK)
            .store(sizes.watermark(), Relaxed);
        writer
            .half(WINDOW_WATERMARK)
            .store(sizes.ring_bytes / 2, Relaxed);
        writer
    }

    /// From now on this applies.
    pub(super) fn target(&mut self, scope: Scope, list: &TargetList) {
        if self.other_was_used {
            wait_for_programs();
        }
        let free = (self.slot + 1) % TARGET_SLOTS as u32;
        let places = self.memory.words().iter();
        let places = places.skip(TARGETS + free as usize * LIST);
        for (place, word) in places.zip(words(list)) {
            place.store(word, Relaxed);
        }
        // Whoever reads the new slot reads what is in it.
        self.select(Selector::new(scope, free));
        self.slot = free;
        self.other_was_used = true;
    }

    /// Makes every program return at once.
    pub(super) fn stop(&self) {
        self.select(Selector::new(Scope::Stopped, self.slot));
    }

    /// At how many sites wide windows are copied.
    pub(super) fn wide_sites(&self, count: u32) {
        self.half(WIDE_SITES).store(count, Relaxed);
    }

    fn select(&self, selector: Selector) {
        self.half(SELECTOR).store(selector.0, Release);
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the offsets are those of the type that the mapping is as long as"
    )]
    fn half(&self, index: usize) -> &AtomicU32 {
        &self.memory.halves()[index]
    }
}

/// Returns when every program has ended that is running now: programs run without being preempted,
/// and the kernel waits for all that do.
fn wait_for_programs() {
    /// Where the kernel does not wait (`nohz_full`): a program takes microseconds.
    const LONG: Duration = Duration::from_millis(20);
    if membarrier(MembarrierCommand::Global).is_err() {
        thread::sleep(LONG);
    }
}

/// A list as it lies in memory.
fn words(list: &TargetList) -> impl Iterator<Item = u64> {
    let counts = pair(list.cgroup_count, list.comm_count);
    let cgroups = list.cgroups.iter();
    let cgroups = cgroups.flat_map(|cgroup| [cgroup.id, pair(cgroup.level, cgroup.pad)]);
    let comms = list.comms.iter().flat_map(|comm| halves(*comm));
    iter::once(counts).chain(cgroups).chain(comms)
}

/// Two numbers that lie one after the other.
fn pair(first: u32, second: u32) -> u64 {
    let [low, high] = [first, second].map(u64::from);
    if cfg!(target_endian = "little") {
        low | high << u32::BITS
    } else {
        high | low << u32::BITS
    }
}

/// As they lie in memory, whatever the order of bytes in a number.
fn halves(bytes: [u8; 16]) -> [u64; 2] {
    let (words, _rest) = bytes.as_chunks();
    [0, 1].map(|at| words.get(at).map_or(0, |word| u64::from_ne_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use memguard_common::settings::CgroupFilter;
    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

    use super::*;

    fn writer() -> SettingsWriter {
        let bytes = size_of::<Settings>();
        let memory = memfd_create("settings", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&memory, bytes as u64).unwrap();
        let sizes = Sizes {
            ring_bytes: 4096,
            ..Sizes::of_windows(2 << 10)
        };
        SettingsWriter::new(Mapping::new(memory, bytes).unwrap(), sizes)
    }

    fn list(cgroup: u64, comms: &[&[u8; 16]]) -> TargetList {
        let mut list = TargetList {
            cgroup_count: 1,
            comm_count: comms.len() as u32,
            ..TargetList::default()
        };
        list.cgroups[0] = CgroupFilter {
            id: cgroup,
            level: 3,
            pad: 0,
        };
        for (place, comm) in list.comms.iter_mut().zip(comms) {
            *place = **comm;
        }
        list
    }

    /// What a program reads.
    fn settings(writer: &SettingsWriter) -> Settings {
        let words: Vec<u64> = writer
            .memory
            .words()
            .iter()
            .map(|word| word.load(Relaxed))
            .collect();
        assert_eq!(words.len() * WORD, size_of::<Settings>());
        // SAFETY: as many bytes as the type has, in which every pattern is a value.
        unsafe { words.as_ptr().cast::<Settings>().read() }
    }

    fn in_force(settings: &Settings) -> (u32, TargetList) {
        let selector = settings.selector;
        (selector.scope(), settings.targets[selector.slot() as usize])
    }

    #[test]
    fn nothing_is_watched_at_first() {
        let settings = settings(&writer());
        assert_eq!(
            in_force(&settings),
            (Scope::Pids as u32, TargetList::default())
        );
        assert_eq!(settings.agent, std::process::id());
        assert_eq!(
            (settings.ring_watermark, settings.window_watermark),
            (3072, 2048)
        );
    }

    /// The defect: of a longer name that was there before, the rest stayed behind the new one.
    #[test]
    fn a_new_target_leaves_nothing_of_the_old_ones() {
        let mut writer = writer();
        let long = list(1, &[b"a-long-name-here", b"another-name-her"]);
        let short = list(2, &[b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0"]);
        for (scope, list) in [
            (Scope::Pids, long),
            (Scope::Cgroups, long),
            (Scope::All, short),
            (Scope::Pids, short),
            (Scope::Pids, TargetList::default()),
        ] {
            writer.target(scope, &list);
            assert_eq!(in_force(&settings(&writer)), (scope as u32, list));
        }
    }

    /// A program that has read the selector may go on with what it named.
    #[test]
    fn what_was_in_force_is_whole_until_the_change_after_the_next() {
        let mut writer = writer();
        let lists = [1, 2, 3, 4].map(|cgroup| list(cgroup, &[]));
        writer.target(Scope::Cgroups, &lists[0]);
        for change in lists.windows(2) {
            let before = settings(&writer).selector.slot() as usize;
            writer.target(Scope::Cgroups, &change[1]);
            let now = settings(&writer);
            assert_ne!(now.selector.slot() as usize, before);
            assert_eq!(now.targets[before], change[0]);
        }
    }

    #[test]
    fn who_is_stopped_keeps_still() {
        let mut writer = writer();
        writer.target(Scope::All, &TargetList::default());
        writer.stop();
        assert!(settings(&writer).selector.is(Scope::Stopped));
    }
}
