//! What Go's run time knows of a program: `runtime.moduledata`, of which the linker writes where
//! code begins and ends.
//!
//! It begins with the address of the table of functions. In programs that may lie anywhere the
//! dynamic loader writes the addresses, as the relocations say.

use object::elf::{DT_RELA, DT_RELASZ, R_X86_64_RELATIVE};

use super::{
    super::{elf::Elf, region::Region},
    function::address,
    header::{Header, Version},
};

/// Words of it that are read.
const WORDS: usize = 48;

/// Which word is what, in all versions.
const FIRST: usize = 20;
const LAST: usize = 21;
const TEXT: usize = 22;

/// Most bytes that are searched for it.
const SEARCHED: u64 = 256 << 20;

/// Most entries of the dynamic section, and most relocations.
const DYNAMIC: u64 = 512;
const RELOCATIONS: u64 = 1 << 23;

/// Bytes and relocations that are looked at at once.
const CHUNK: usize = 8192;
const ENTRY: u64 = 24;
const ENTRIES: usize = 64;

/// The words, as they are when the program runs, if it lies where its headers say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Module {
    words: [u64; WORDS],
}

impl Module {
    /// The one that the table of functions belongs to, and agrees with.
    pub(super) fn find(elf: &Elf, header: &Header) -> Option<Self> {
        let relocations = relocations(elf);
        let relocated = relocations.and_then(|all| relocated(elf, all, header.address));
        let module = match (relocated, relocations) {
            (Some(place), Some(all)) => Self::read(elf, place)?.with(elf, all, place),
            _ => Self::read(elf, search(elf, header.address)?)?,
        };
        module.agrees(elf, header).then_some(module)
    }

    /// Where the code begins.
    pub(super) fn text(&self) -> u64 {
        self.word(TEXT)
    }

    pub(super) fn word(&self, number: usize) -> u64 {
        self.words.get(number).copied().unwrap_or_default()
    }

    fn read(elf: &Elf, place: u64) -> Option<Self> {
        let region = Region::loaded(elf, place)?;
        let mut words = [0; WORDS];
        for (word, offset) in words.iter_mut().zip((0..).step_by(8)) {
            *word = region.long(elf, offset)?;
        }
        Some(Self { words })
    }

    fn with(mut self, elf: &Elf, relocations: Region, place: u64) -> Self {
        each(elf, relocations, |address, value| {
            let word = address.wrapping_sub(place) / 8;
            let word = usize::try_from(word).ok();
            if let Some(word) = word.and_then(|word| self.words.get_mut(word)) {
                *word = value;
            }
            None::<()>
        });
        self
    }

    /// Whether the first and the last function are where it says.
    fn agrees(&self, elf: &Elf, header: &Header) -> bool {
        let is_at = |index, word| address(elf, header, self.text(), index) == Some(self.word(word));
        let anywhere = header.version == Version::Go116 || self.text() > 0;
        anywhere && is_at(0, FIRST) && is_at(header.count, LAST)
    }
}

/// Where a word stands that is the address of the table; first where a program keeps what it may
/// change.
fn search(elf: &Elf, wanted: u64) -> Option<u64> {
    let mut left = SEARCHED;
    elf.segments_of_data().find_map(|(address, region)| {
        let region = region.part(0, region.length().min(left))?;
        left -= region.length();
        (0..region.length()).step_by(CHUNK).find_map(|start| {
            let (bytes, length) = region.some::<CHUNK>(elf, start)?;
            let mut words = bytes.get(..length)?.chunks_exact(8);
            let word = words.position(|word| word == wanted.to_le_bytes())?;
            address.checked_add(start + word as u64 * 8)
        })
    })
}

/// The relocations that the dynamic loader makes.
fn relocations(elf: &Elf) -> Option<Region> {
    let dynamic = elf.dynamic()?;
    let entries = (0..dynamic.length() / 16).take(DYNAMIC as usize);
    let (mut place, mut length) = (None, None);
    for entry in entries {
        let value = dynamic.long(elf, entry * 16 + 8);
        match dynamic.long(elf, entry * 16)? {
            0 => break,
            tag if tag == DT_RELA as u64 => place = value,
            tag if tag == DT_RELASZ as u64 => length = value,
            _ => {}
        }
    }
    let region = Region::loaded(elf, place?)?;
    region.part(0, length?.min(region.length()).min(RELOCATIONS * ENTRY))
}

/// Where an address is written.
fn relocated(elf: &Elf, relocations: Region, wanted: u64) -> Option<u64> {
    each(elf, relocations, |place, value| {
        (value == wanted).then_some(place)
    })
}

/// Place and value of each relocation that is by nothing but where the program lies, up to the
/// first that something is found in.
fn each<T>(
    elf: &Elf,
    relocations: Region,
    mut find: impl FnMut(u64, u64) -> Option<T>,
) -> Option<T> {
    const BYTES: usize = ENTRIES * ENTRY as usize;
    (0..relocations.length()).step_by(BYTES).find_map(|start| {
        let (bytes, length) = relocations.some::<BYTES>(elf, start)?;
        let mut entries = bytes.get(..length)?.chunks_exact(ENTRY as usize);
        entries.find_map(|entry| {
            let word = |at: usize| {
                let bytes = entry.get(at..)?.first_chunk()?;
                Some(u64::from_le_bytes(*bytes))
            };
            let relative = word(8)? == u64::from(R_X86_64_RELATIVE);
            relative.then(|| find(word(0)?, word(16)?)).flatten()
        })
    })
}
