//! Where Go's table of functions is, and what its header says: `runtime.pcHeader`, from Go 1.16
//! on.

use super::super::{elf::Elf, region::Region};

/// Most bytes of a file that are searched for a header.
const SEARCHED: u64 = 256 << 20;

/// Bytes that are searched at once.
const CHUNK: usize = 8192;

/// Names of the section, as linkers give them.
const SECTIONS: [&[u8]; 2] = [b".gopclntab\0", b".data.rel.ro.gopclntab\0"];

/// Sections that only Go programs have. A linker may have made the table a part of another
/// section.
const OF_GO: [&[u8]; 2] = [b".go.buildinfo\0", b".note.go.buildid\0"];

/// The format of the table. Each is named by the version of Go that it began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Go116,
    Go118,
    Go120,
}

impl Version {
    /// By the first eight bytes: the magic number, two zeros, and what amd64 has: instructions of
    /// one byte, pointers of eight.
    fn of(bytes: [u8; 8]) -> Option<Self> {
        Some(match bytes {
            [0xfa, 0xff, 0xff, 0xff, 0, 0, 1, 8] => Self::Go116,
            [0xf0, 0xff, 0xff, 0xff, 0, 0, 1, 8] => Self::Go118,
            [0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8] => Self::Go120,
            _ => return None,
        })
    }

    /// Bytes of an entry of the list of functions.
    pub(super) fn entry(self) -> u64 {
        if self == Self::Go116 { 16 } else { 8 }
    }
}

/// The header, and the parts of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: Version,
    /// Where the table is loaded.
    pub(super) address: u64,
    /// How many functions there are.
    pub(super) count: u64,
    /// Where the code begins, as far as the header says; zero where it does not.
    pub(super) text: u64,
    pub(super) names: Region,
    pub(super) units: Region,
    pub(super) files: Region,
    pub(super) steps: Region,
    pub(super) functions: Region,
}

impl Header {
    /// That of a file, by the name of the section, else by what it begins with.
    pub(super) fn find(elf: &Elf) -> Option<Self> {
        let mut named = SECTIONS.iter().filter_map(|name| elf.part(name));
        named
            .find_map(|(address, region)| Self::read(elf, address, region))
            .or_else(|| Self::search(elf))
    }

    fn search(elf: &Elf) -> Option<Self> {
        let of_go = || OF_GO.iter().any(|name| elf.part(name).is_some());
        if elf.has_sections() && !of_go() {
            return None;
        }
        let mut left = SEARCHED;
        elf.segments().find_map(|(address, region)| {
            let region = region.part(0, region.length().min(left))?;
            left -= region.length();
            Self::search_in(elf, address, region)
        })
    }

    fn search_in(elf: &Elf, address: u64, region: Region) -> Option<Self> {
        (0..region.length()).step_by(CHUNK).find_map(|start| {
            let (bytes, length) = region.some::<CHUNK>(elf, start)?;
            let words = bytes.get(..length)?.chunks_exact(8);
            let mut hits = words.zip((start..).step_by(8)).filter(|(word, _)| {
                let word = <[u8; 8]>::try_from(*word);
                word.is_ok_and(|word| Version::of(word).is_some())
            });
            hits.find_map(|(_, at)| {
                let rest = region.part(at, region.length())?;
                Self::read(elf, address.checked_add(at)?, rest)
            })
        })
    }

    fn read(elf: &Elf, address: u64, table: Region) -> Option<Self> {
        let version = Version::of(table.bytes(elf, 0)?)?;
        let base = if version == Version::Go116 { 24 } else { 32 };
        let offset = |place: u64| table.long(elf, base + place * 8);
        let count = table.long(elf, 8)?;
        let text = if base == 24 { 0 } else { table.long(elf, 24)? };
        let [names, units, files, steps, functions] =
            [offset(0)?, offset(1)?, offset(2)?, offset(3)?, offset(4)?];
        let header = Self {
            version,
            address,
            count,
            text,
            names: table.part(names, units)?,
            units: table.part(units, files)?,
            files: table.part(files, steps)?,
            steps: table.part(steps, functions)?,
            functions: table.part(functions, table.length())?,
        };
        header.has_room().then_some(header)
    }

    /// Whether as many functions may be listed. Behind the last one stands where it ends.
    fn has_room(&self) -> bool {
        let length = self.count.checked_mul(self.version.entry());
        let length = length.and_then(|length| length.checked_add(self.version.entry() / 2));
        0 < self.count && length.is_some_and(|length| length <= self.functions.length())
    }
}
