//! The agent's side of the nursery: the sweep, and the look before a verdict.
//!
//! Records are taken as the protocol in `memguard_common::nursery` has it: read, then swap the
//! state word that was seen before reading; where the swap succeeds, what was read was whole.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, SeqCst},
};

use hashbrown::HashMap;
use memguard_common::{
    event::{ACQUIRED_BYTES, Acquired, Window},
    nursery::{Key, Phase, State, WAYS},
};

use super::mapping::Mapping;
use crate::model::ids::{Stamp, TableId};

/// Bytes of a record.
pub const RECORD: usize = size_of::<Acquired>();
const RECORD_WORDS: usize = RECORD / size_of::<u64>();

/// Word of a record that holds its stamp, and so on; asserted in `memguard_common::event`.
const STAMP: usize = 1;
const TABLE: usize = 2;
const HANDLE: usize = 4;

/// The mapped pool of windows: for each slot, behind the place where a record is put together to be
/// sent, registers and stack of the acquirer.
#[derive(Debug)]
pub struct Windows {
    pool: Mapping,
    /// Words of a slot.
    words: usize,
}

impl Windows {
    /// `bytes` is the size of a slot.
    pub fn new(pool: Mapping, bytes: u32) -> Self {
        let words = bytes as usize / size_of::<u64>();
        Self { pool, words }
    }

    /// Appends what a slot holds. May be torn, which the caller's compare-and-swap finds out.
    fn append(&self, slot: usize, record: &mut Vec<u8>) {
        const FIRST: usize = size_of::<Acquired>() / size_of::<u64>();
        const HEAD: usize = size_of::<Window>() / size_of::<u64>();
        const LENGTH: usize = FIRST + HEAD - 1;
        let start = slot * self.words;
        let words = &self.pool.words()[start..start + self.words];
        let length = words[LENGTH].load(Relaxed) as u32 as usize;
        let length = length.min(self.words * size_of::<u64>() - ACQUIRED_BYTES);
        let last = FIRST + HEAD + length.div_ceil(size_of::<u64>());
        let taken = words[FIRST..last].iter();
        record.extend(taken.flat_map(|word| word.load(Relaxed).to_ne_bytes()));
    }
}

/// The mapped nursery.
#[derive(Debug)]
pub struct Nursery {
    words: Mapping,
    records: Mapping,
    windows: Windows,
    sets: u32,
    /// What is taken from a slot, put together.
    taken: Vec<u8>,
}

impl Nursery {
    /// `sets` is the number of sets of both maps.
    pub fn new(words: Mapping, records: Mapping, windows: Windows, sets: u32) -> Self {
        Self {
            words,
            records,
            windows,
            sets,
            taken: Vec::new(),
        }
    }

    /// Takes every record up to the stamp `cutoff`, and of dead tables every one up to their death,
    /// and gives its bytes, as they would have come through the ring, to `take`. Returns how many.
    pub fn sweep(
        &mut self,
        cutoff: Stamp,
        dead: &HashMap<TableId, Stamp>,
        mut take: impl FnMut(&[u8]),
    ) -> u64 {
        let due = |record: &[u64; RECORD_WORDS]| {
            let stamp = Stamp(record[STAMP]);
            let died = dead.get(&TableId(record[TABLE]));
            stamp <= cutoff || died.is_some_and(|died| stamp <= *died)
        };
        let mut taken = 0;
        for (slot, word) in self.words.words().iter().enumerate() {
            let seen = State::from_word(word.load(Acquire));
            if seen.phase() != Phase::Live {
                continue;
            }
            let record = self.record(slot);
            if !due(&record) {
                continue;
            }
            self.taken.clear();
            self.taken.extend(bytes(&record));
            self.windows.append(slot, &mut self.taken);
            if exchange(word, seen, seen.emptied()) {
                take(&self.taken);
                taken += 1;
            }
        }
        taken
    }

    /// Stamp of the youngest record of a descriptor, whoever its owner: one that is younger than a
    /// candidate says that the candidate was closed.
    pub fn youngest(&self, table: TableId, fd: u32) -> Option<Stamp> {
        let key = Key {
            table: table.0,
            handle: u64::from(fd),
        };
        let first = (key.set(self.sets) * WAYS) as usize;
        let live = |slot: &usize| {
            let state = State::from_word(self.words.words()[*slot].load(Acquire));
            state.phase() == Phase::Live && state.tag() == key.tag()
        };
        let records = (first..first + WAYS as usize)
            .filter(live)
            .map(|slot| self.record(slot));
        let same = |record: &[u64; RECORD_WORDS]| {
            record[TABLE] == key.table && record[HANDLE] == key.handle
        };
        records
            .filter(same)
            .map(|record| Stamp(record[STAMP]))
            .max()
    }

    /// Records in the nursery now.
    pub fn live(&self) -> u64 {
        let live = |word: &&AtomicU64| State::from_word(word.load(Relaxed)).phase() == Phase::Live;
        self.words.words().iter().filter(live).count() as u64
    }

    fn record(&self, slot: usize) -> [u64; RECORD_WORDS] {
        let first = slot * RECORD_WORDS;
        std::array::from_fn(|index| self.records.words()[first + index].load(Relaxed))
    }
}

fn exchange(word: &AtomicU64, from: State, to: State) -> bool {
    word.compare_exchange(from.word(), to.word(), SeqCst, Relaxed)
        .is_ok()
}

fn bytes(record: &[u64; RECORD_WORDS]) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    for (place, word) in bytes.chunks_exact_mut(size_of::<u64>()).zip(record) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}
