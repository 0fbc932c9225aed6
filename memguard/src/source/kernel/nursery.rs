//! The agent's side of the nursery: the sweep, and the look before a verdict.
//!
//! Records are taken as the protocol in `memguard_common::nursery` has it: read, then swap the
//! state word that was seen before reading; where the swap succeeds, what was read was whole.

use std::sync::{
    Arc,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, SeqCst},
        fence,
    },
};

use hashbrown::{HashMap, HashSet};
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
const TGID: usize = 3;
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

/// Most emptied slots that are read in one sweep.
const READ: u32 = 4096;
/// Most of one process that are taken from those, and of all.
const OF_PROCESS: u32 = 8;
const OF_ALL: u32 = 256;

/// What became of a record that a sweep has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It left the nursery.
    Held,
    /// It was released in the nursery, and nobody has taken its slot since.
    Released {
        /// The sweep before had seen it alive.
        lingered: bool,
    },
}

/// What may be taken of emptied slots in one sweep.
#[derive(Debug, Default)]
struct Budget {
    read: u32,
    taken: u32,
    of_process: HashMap<u32, u32>,
}

impl Budget {
    fn may_read(&mut self) -> bool {
        self.read += 1;
        self.read <= READ && self.taken < OF_ALL
    }

    fn may_take(&mut self, tgid: u32) -> bool {
        let taken = self.of_process.entry(tgid).or_default();
        let may = *taken < OF_PROCESS;
        if may {
            *taken += 1;
            self.taken += 1;
        }
        may
    }
}

/// The mapped nursery, to look into: any thread may.
#[derive(Clone, Debug)]
pub struct NurseryReader {
    words: Arc<Mapping>,
    records: Arc<Mapping>,
    sets: u32,
}

/// The mapped nursery.
#[derive(Debug)]
pub struct Nursery {
    reader: NurseryReader,
    windows: Windows,
    /// What is taken from a slot, put together.
    taken: Vec<u8>,
    /// The word of each slot as it was seen last, or was left.
    seen: Vec<u64>,
}

impl Nursery {
    /// `sets` is the number of sets of both maps.
    pub fn new(words: Mapping, records: Mapping, windows: Windows, sets: u32) -> Self {
        let seen = vec![0; words.words().len()];
        Self {
            seen,
            reader: NurseryReader {
                words: Arc::new(words),
                records: Arc::new(records),
                sets,
            },
            windows,
            taken: Vec::new(),
        }
    }

    /// To look into it from another thread.
    pub fn reader(&self) -> NurseryReader {
        self.reader.clone()
    }

    /// Takes every record up to the stamp `cutoff`, and of dead tables every one up to their death,
    /// and gives its bytes, as they would have come through the ring, to `take`. Returns how many.
    ///
    /// Gives it some of those too that were released since the last sweep, of the thread groups in
    /// `wanted`.
    pub fn sweep(
        &mut self,
        cutoff: Stamp,
        dead: &HashMap<TableId, Stamp>,
        wanted: &HashSet<u32>,
        mut take: impl FnMut(&[u8], Taken),
    ) -> u64 {
        let due = |record: &[u64; RECORD_WORDS]| {
            let stamp = Stamp(record[STAMP]);
            let died = dead.get(&TableId(record[TABLE]));
            stamp <= cutoff || died.is_some_and(|died| stamp <= *died)
        };
        let Self {
            reader,
            windows,
            taken: buffer,
            seen,
        } = self;
        let mut budget = Budget::default();
        let mut taken = 0;
        for ((slot, word), before) in reader.words.words().iter().enumerate().zip(seen) {
            let now = State::from_word(word.load(Acquire));
            let last = State::from_word(std::mem::replace(before, now.word()));
            let is_new = now != last;
            if now.phase() == Phase::Empty && is_new && budget.may_read() {
                let record = reader.record(slot);
                let tgid = record[TGID] as u32;
                if !wanted.contains(&tgid) || !budget.may_take(tgid) {
                    continue;
                }
                copy(buffer, &record, windows, slot);
                // Whole where nobody has claimed the slot meanwhile: a claim changes the word.
                fence(SeqCst);
                if word.load(Acquire) == now.word() {
                    let lingered = last.phase() == Phase::Live && last.emptied() == now;
                    take(buffer, Taken::Released { lingered });
                }
            }
            if now.phase() != Phase::Live {
                continue;
            }
            let record = reader.record(slot);
            if !due(&record) {
                continue;
            }
            copy(buffer, &record, windows, slot);
            if exchange(word, now, now.emptied()) {
                *before = now.emptied().word();
                take(buffer, Taken::Held);
                taken += 1;
            }
        }
        taken
    }

    /// Records in the nursery now.
    pub fn live(&self) -> u64 {
        let live = |word: &&AtomicU64| State::from_word(word.load(Relaxed)).phase() == Phase::Live;
        self.reader.words.words().iter().filter(live).count() as u64
    }
}

impl NurseryReader {
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

    fn record(&self, slot: usize) -> [u64; RECORD_WORDS] {
        let first = slot * RECORD_WORDS;
        std::array::from_fn(|index| self.records.words()[first + index].load(Relaxed))
    }
}

/// Puts a record together as it travels.
fn copy(buffer: &mut Vec<u8>, record: &[u64; RECORD_WORDS], windows: &Windows, slot: usize) {
    buffer.clear();
    buffer.extend(bytes(record));
    windows.append(slot, buffer);
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
