//! What is read of an ELF file without mapping it: who it is, and where its debug information is.
//!
//! [`object`]'s cache keeps what was read until it is dropped, which is at the end of each
//! question.

use std::fs::File;

use object::{
    LittleEndian, ReadCache,
    elf::{ELF_NOTE_GNU, FileHeader64, NT_GNU_BUILD_ID},
    read::elf::{
        FileHeader as _, NoteIterator, ProgramHeader as _, SectionHeader as _, SectionTable,
    },
};

use crate::model::origin::BuildId;

type Header = FileHeader64<LittleEndian>;

/// Longest list of notes that is read.
const NOTE_BYTES: u64 = 1 << 20;

/// Longest link: a file name.
const LINK_BYTES: u64 = 512;

/// What a file says of itself.
#[derive(Debug)]
pub(super) struct ElfSummary {
    pub(super) build_id: Option<BuildId>,
    /// Name and checksum of a separate file with its debug information.
    pub(super) link: Option<(String, u32)>,
    /// It has debug information itself.
    pub(super) debug: bool,
}

/// Reads the headers and a few small sections.
pub(super) fn summary(file: &File) -> object::read::Result<ElfSummary> {
    let data = &ReadCache::new(file);
    let header = Header::parse(data)?;
    // A file may do without, or have lost them.
    let sections = header.sections(LittleEndian, data).unwrap_or_default();
    let link = sections
        .section_by_name(LittleEndian, b".gnu_debuglink")
        .filter(|(_, section)| section.sh_size.get(LittleEndian) <= LINK_BYTES)
        .and_then(|(_, section)| section.data(LittleEndian, data).ok())
        .and_then(link);
    let debug = |name: &[u8]| sections.section_by_name(LittleEndian, name).is_some();
    Ok(ElfSummary {
        build_id: build_id(header, &sections, data)?,
        link,
        debug: debug(b".debug_info"),
    })
}

/// As the kernel reads it, from the segments; files with nothing but debug information have theirs
/// in a section alone.
fn build_id<'a>(
    header: &Header,
    sections: &SectionTable<'a, Header, &'a ReadCache<&File>>,
    data: &'a ReadCache<&File>,
) -> object::read::Result<Option<BuildId>> {
    let segments = header.program_headers(LittleEndian, data)?.iter();
    let mut of_segments = segments
        .filter(|segment| segment.p_filesz.get(LittleEndian) <= NOTE_BYTES)
        .filter_map(|segment| segment.notes(LittleEndian, data).ok()?);
    let mut of_sections = sections
        .iter()
        .filter(|section| section.sh_size.get(LittleEndian) <= NOTE_BYTES)
        .filter_map(|section| section.notes(LittleEndian, data).ok()?);
    let found = of_segments.find_map(of_notes);
    Ok(found.or_else(|| of_sections.find_map(of_notes)))
}

fn of_notes(mut notes: NoteIterator<'_, Header>) -> Option<BuildId> {
    while let Ok(Some(note)) = notes.next() {
        if note.name() == ELF_NOTE_GNU && note.n_type(LittleEndian) == NT_GNU_BUILD_ID {
            return BuildId::new(note.desc());
        }
    }
    None
}

/// A file name, zero bytes up to a multiple of four, and a checksum.
fn link(section: &[u8]) -> Option<(String, u32)> {
    let end = section.iter().position(|byte| *byte == 0)?;
    let name = std::str::from_utf8(section.get(..end)?).ok()?;
    let checksum = section.get((end + 1).next_multiple_of(4)..)?;
    let checksum = u32::from_le_bytes(*checksum.first_chunk()?);
    Some((name.to_owned(), checksum))
}
