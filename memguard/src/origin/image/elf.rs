//! The parts of an ELF file that unwinding needs, read one by one: a file is never mapped (its
//! owner may cut it off, which kills who has it mapped) and never read whole.

use std::{fs::File, io, mem::size_of, ops::Range, os::unix::fs::FileExt as _, sync::Arc};

use object::{
    LittleEndian as LE,
    elf::{
        ELF_NOTE_GNU, ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_X86_64, FileHeader64, NT_GNU_BUILD_ID,
        PT_DYNAMIC, PT_GNU_EH_FRAME, PT_LOAD, PT_NOTE, ProgramHeader64, SHF_COMPRESSED, SHT_NOBITS,
        SectionHeader64,
    },
    pod::{self, Pod},
    read::elf::NoteIterator,
};

use super::{
    cfi::{Format, FrameSection},
    index::{FrameIndex, Header},
    region::Region,
    segment::LoadSegment,
};
use crate::model::origin::BuildId;

/// Most bytes of one section.
const SECTION: u64 = 64 * 1024 * 1024;

/// Most bytes of notes, and of names of sections.
const NOTES: u64 = 64 * 1024;
const NAMES: u64 = 1024 * 1024;

/// Most segments and sections; the kernel loads no file with more segments.
const SEGMENTS: u16 = 1170;
const SECTIONS: u16 = 16 * 1024;

/// Why a file is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::origin) enum ImageError {
    #[error("not an ELF file")]
    NotElf,
    #[error("not a program for 64-bit x86")]
    Foreign,
    #[error("cut off or damaged")]
    Damaged,
    #[error("not the file that was mapped: it was replaced or removed")]
    Replaced,
    #[error("not read in time")]
    Late,
    #[error("gone")]
    Gone,
    #[error("not a regular file")]
    NotRegular,
    #[error("cannot be read: {0}")]
    Unreadable(io::ErrorKind),
}

impl From<io::Error> for ImageError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged,
            io::ErrorKind::NotFound => Self::Gone,
            kind => Self::Unreadable(kind),
        }
    }
}

/// Where the bytes of a file are.
#[derive(Debug)]
pub(super) enum Bytes {
    Memory(Arc<[u8]>),
    File(File),
}

impl Bytes {
    fn fill(&self, offset: u64, place: &mut [u8]) -> Result<(), ImageError> {
        match self {
            Self::Memory(bytes) => {
                let part = part(bytes, offset, place.len()).ok_or(ImageError::Damaged)?;
                place.copy_from_slice(part);
            }
            Self::File(file) => file.read_exact_at(place, offset)?,
        }
        Ok(())
    }

    /// `length` bytes. Memory is asked for only where the file has that many.
    fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, ImageError> {
        let end = offset.checked_add(length).ok_or(ImageError::Damaged)?;
        if self.length()? < end {
            return Err(ImageError::Damaged);
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.fill(offset, &mut bytes)?;
        Ok(bytes)
    }

    fn length(&self) -> Result<u64, ImageError> {
        Ok(match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file) => file.metadata()?.len(),
        })
    }

    /// A table of `count` structures, in memory that is aligned for them.
    fn table<T: Pod + Copy>(&self, offset: u64, count: u16) -> Result<Vec<T>, ImageError> {
        let length = usize::from(count) * size_of::<T>();
        let mut words = vec![0_u64; length.div_ceil(8)];
        let bytes = pod::bytes_of_slice_mut(&mut words);
        let bytes = bytes.get_mut(..length).ok_or(ImageError::Damaged)?;
        self.fill(offset, bytes)?;
        let table = pod::slice_from_bytes(bytes, count.into()).ok();
        let (table, _) = table.ok_or(ImageError::Damaged)?;
        Ok(table.to_vec())
    }
}

fn part(bytes: &[u8], offset: u64, length: usize) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    bytes.get(start..start.checked_add(length)?)
}

/// An ELF file, its headers read.
#[derive(Debug)]
pub(super) struct Elf {
    bytes: Bytes,
    segments: Box<[LoadSegment]>,
    /// Where `.eh_frame_hdr` is: address, place in the file.
    header: Option<(u64, Range<u64>)>,
    /// Where the table for the dynamic loader is in the file.
    dynamic: Option<Range<u64>>,
    sections: Box<[SectionHeader64<LE>]>,
    names: Box<[u8]>,
    /// Where the kernel, or the dynamic loader, begins to execute it.
    pub(super) entry: u64,
    pub(super) build_id: Option<BuildId>,
    /// It may take any time to read: its code is left alone.
    pub(super) distant: bool,
}

impl Elf {
    pub(super) fn parse(bytes: Bytes) -> Result<Self, ImageError> {
        let header = bytes.table::<FileHeader64<LE>>(0, 1);
        let header = match &header {
            Ok(header) => header.first(),
            Err(ImageError::Damaged) => None,
            Err(fault) => return Err(*fault),
        };
        let header = header.ok_or(ImageError::NotElf)?;
        check(header)?;
        let count = header.e_phnum.get(LE).min(SEGMENTS);
        let programs: Vec<ProgramHeader64<LE>> = bytes.table(header.e_phoff.get(LE), count)?;
        let of_type = |kind| {
            let headers = programs.iter();
            headers.filter(move |header| header.p_type.get(LE) == kind)
        };
        let build_id = of_type(PT_NOTE).find_map(|header| {
            let length = header.p_filesz.get(LE).min(NOTES);
            let notes = bytes.read(header.p_offset.get(LE), length).ok()?;
            build_id(&notes, header.p_align.get(LE))
        });
        let (sections, names) = sections(&bytes, header).unwrap_or_default();
        Ok(Self {
            segments: of_type(PT_LOAD).filter_map(LoadSegment::loaded).collect(),
            header: of_type(PT_GNU_EH_FRAME).find_map(place),
            dynamic: of_type(PT_DYNAMIC).find_map(place).map(|(_, place)| place),
            sections,
            names,
            entry: header.e_entry.get(LE),
            build_id,
            distant: false,
            bytes,
        })
    }

    /// The address of code at an offset of the file. Segments may share a page, which is then
    /// mapped twice, but no byte of it is code of two.
    pub(super) fn address(&self, offset: u64) -> Option<u64> {
        let mut code = self.segments.iter().filter(|segment| segment.executable);
        code.find_map(|segment| segment.address(offset))
    }

    /// Up to `LENGTH` bytes of code from `address` on, and how many there are.
    pub(super) fn code<const LENGTH: usize>(&self, address: u64) -> Option<([u8; LENGTH], usize)> {
        if self.distant {
            return None;
        }
        let (offset, left) = self.offset(address, true)?;
        let length = LENGTH.min(usize::try_from(left).unwrap_or(LENGTH));
        let mut code = [0; LENGTH];
        self.bytes.fill(offset, code.get_mut(..length)?).ok()?;
        Some((code, length))
    }

    /// Bytes at an offset of the file; of a distant file none.
    pub(super) fn read_at(&self, offset: u64, place: &mut [u8]) -> Option<()> {
        let near = !self.distant;
        near.then(|| self.bytes.fill(offset, place).ok()).flatten()
    }

    /// Where in the file an address is loaded from, and how much of the segment follows it there.
    pub(super) fn loaded(&self, address: u64) -> Option<(u64, u64)> {
        self.offset(address, false)
    }

    /// What is loaded, with its addresses.
    pub(super) fn segments(&self) -> impl Iterator<Item = (u64, Region)> {
        self.segments.iter().map(LoadSegment::region)
    }

    /// The same, what may be written first; without code.
    pub(super) fn segments_of_data(&self) -> impl Iterator<Item = (u64, Region)> {
        let of = |writable| {
            let segments = self.segments.iter();
            segments.filter(move |segment| segment.writable == writable && !segment.executable)
        };
        of(true).chain(of(false)).map(LoadSegment::region)
    }

    /// What the dynamic loader reads first.
    pub(super) fn dynamic(&self) -> Option<Region> {
        let Range { start, end } = self.dynamic.clone()?;
        Some(Region::new(start, end.checked_sub(start)?))
    }

    /// Whether the file has kept its section headers.
    pub(super) fn has_sections(&self) -> bool {
        !self.sections.is_empty() && !self.names.is_empty()
    }

    /// Address and place of a section by its name, which ends with a zero.
    pub(super) fn part(&self, name: &[u8]) -> Option<(u64, Region)> {
        let section = self.find(name)?;
        let (offset, length) = (section.sh_offset.get(LE), section.sh_size.get(LE));
        Some((section.sh_addr.get(LE), Region::new(offset, length)))
    }

    fn offset(&self, address: u64, executable: bool) -> Option<(u64, u64)> {
        let segments = self.segments.iter();
        let mut wanted = segments.filter(|segment| segment.executable || !executable);
        wanted.find_map(|segment| segment.offset(address))
    }

    /// `.eh_frame`, found through the header that the dynamic loader uses, else by its name.
    pub(super) fn eh_frame(&self) -> Option<FrameIndex> {
        let header = self.frame_header();
        match header.as_ref().and_then(Header::section) {
            Some(address) => {
                let (offset, length) = self.extent(address)?;
                let section = self.section(Format::EhFrame, address, offset, length)?;
                Some(FrameIndex::new(section, header))
            }
            None => self.named(Format::EhFrame, b".eh_frame\0"),
        }
    }

    /// `.debug_frame`, where it is not compressed.
    pub(super) fn debug_frame(&self) -> Option<FrameIndex> {
        self.named(Format::DebugFrame, b".debug_frame\0")
    }

    fn frame_header(&self) -> Option<Header> {
        let (address, place) = self.header.as_ref()?;
        let length = (place.end - place.start).min(SECTION);
        let bytes = self.bytes.read(place.start, length).ok()?;
        Some(Header::new(*address, bytes.into()))
    }

    /// Place in the file of the section that is loaded at `address`; up to the end of its segment
    /// where the file has lost its section headers.
    fn extent(&self, address: u64) -> Option<(u64, u64)> {
        let (offset, left) = self.offset(address, false)?;
        let mut sections = self.sections.iter();
        let section = sections.find(|section| {
            section.sh_addr.get(LE) == address && section.sh_offset.get(LE) == offset
        });
        let length = section.map_or(left, |section| section.sh_size.get(LE).min(left));
        Some((offset, length))
    }

    /// A section by its name, which ends with a zero.
    fn named(&self, format: Format, name: &[u8]) -> Option<FrameIndex> {
        let section = self.find(name)?;
        let (offset, length) = (section.sh_offset.get(LE), section.sh_size.get(LE));
        let section = self.section(format, section.sh_addr.get(LE), offset, length)?;
        Some(FrameIndex::new(section, None))
    }

    /// A section that is in the file as it is read.
    fn find(&self, name: &[u8]) -> Option<&SectionHeader64<LE>> {
        let section = self.sections.iter().find(|section| {
            let names = self.names.get(section.sh_name.get(LE) as usize..);
            names.is_some_and(|names| names.starts_with(name))
        })?;
        let compressed = section.sh_flags.get(LE) & u64::from(SHF_COMPRESSED) != 0;
        let plain = !compressed && section.sh_type.get(LE) != SHT_NOBITS;
        plain.then_some(section)
    }

    fn section(
        &self,
        format: Format,
        address: u64,
        offset: u64,
        length: u64,
    ) -> Option<FrameSection> {
        let bytes = self.bytes.read(offset, length.min(SECTION)).ok()?;
        Some(FrameSection {
            format,
            address,
            bytes: bytes.into(),
        })
    }
}

fn check(header: &FileHeader64<LE>) -> Result<(), ImageError> {
    let ident = &header.e_ident;
    if ident.magic != ELFMAG {
        return Err(ImageError::NotElf);
    }
    let native = ident.class == ELFCLASS64
        && ident.data == ELFDATA2LSB
        && header.e_machine.get(LE) == EM_X86_64
        && usize::from(header.e_phentsize.get(LE)) == size_of::<ProgramHeader64<LE>>();
    native.then_some(()).ok_or(ImageError::Foreign)
}

fn place(header: &ProgramHeader64<LE>) -> Option<(u64, Range<u64>)> {
    let start = header.p_offset.get(LE);
    let end = start.checked_add(header.p_filesz.get(LE))?;
    Some((header.p_vaddr.get(LE), start..end))
}

type Sections = (Box<[SectionHeader64<LE>]>, Box<[u8]>);

/// Headers and names of the sections, which a file may have lost.
fn sections(bytes: &Bytes, header: &FileHeader64<LE>) -> Option<Sections> {
    if usize::from(header.e_shentsize.get(LE)) != size_of::<SectionHeader64<LE>>() {
        return None;
    }
    let count = header.e_shnum.get(LE).min(SECTIONS);
    let sections: Vec<SectionHeader64<LE>> = bytes.table(header.e_shoff.get(LE), count).ok()?;
    let names = sections.get(usize::from(header.e_shstrndx.get(LE)));
    let names = names.and_then(|section| {
        let length = section.sh_size.get(LE).min(NAMES);
        bytes.read(section.sh_offset.get(LE), length).ok()
    });
    Some((sections.into(), names.unwrap_or_default().into()))
}

/// The build id among notes.
fn build_id(notes: &[u8], align: u64) -> Option<BuildId> {
    let align = if align == 8 { 8 } else { 4 };
    let mut notes = NoteIterator::<FileHeader64<LE>>::new(LE, align, notes).ok()?;
    while let Some(note) = notes.next().ok()? {
        if note.n_type(LE) == NT_GNU_BUILD_ID && note.name() == ELF_NOTE_GNU {
            return BuildId::new(note.desc());
        }
    }
    None
}
