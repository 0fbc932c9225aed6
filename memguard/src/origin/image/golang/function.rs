//! What the table says of one function: `runtime._func`.

use super::{
    super::{elf::Elf, region::Region},
    header::{Header, Version},
    steps,
};

/// Most bytes of a name: what is longer is cut by whoever shows it.
pub(super) const NAME: usize = 1025;

/// Number of the table that says which inlined function a place is of.
const PCDATA_INLINED: u32 = 2;

/// Number of the datum that points to what was inlined.
const FUNCDATA_INLINED: u64 = 3;

/// Flags of a function, from Go 1.17 on.
const TOP_FRAME: u8 = 1;
const WRITES_SP: u8 = 2;
const ASSEMBLY: u8 = 4;

/// Functions of Go 1.16, which has no flags: what begins a stack, and what switches to another.
const TOP_FRAMES: &[&str] = &["runtime.goexit", "runtime.mstart", "runtime.rt0_go"];
const SWITCHES: &[&str] = &[
    "runtime.asmcgocall",
    "runtime.cgocallback",
    "runtime.gogo",
    "runtime.mcall",
    "runtime.morestack",
    "runtime.systemstack",
];

/// A function, and where the table tells of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function<'a> {
    elf: &'a Elf,
    header: &'a Header,
    /// Its code, by address.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where it is told of, among the functions.
    at: u64,
    /// Four where an address stands at the beginning, else zero: the rest lies that much further.
    wide: u64,
}

/// How the function leads to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// It has none.
    Nowhere,
    /// The stack may be another one than the caller's.
    Elsewhere,
    /// By the stack; in assembly the frame pointer is not where the compiler puts it.
    ByStack { assembly: bool },
}

impl<'a> Function<'a> {
    /// Number `index`, where the code begins at `text`.
    pub(super) fn numbered(
        elf: &'a Elf,
        header: &'a Header,
        text: u64,
        index: u64,
    ) -> Option<Self> {
        let start = address(elf, header, text, index)?;
        let end = address(elf, header, text, index.checked_add(1)?)?;
        let entry = header.version.entry();
        let place = index.checked_mul(entry)?.checked_add(entry / 2)?;
        let at = if header.version == Version::Go116 {
            header.functions.long(elf, place)?
        } else {
            header.functions.word(elf, place)?.into()
        };
        (start < end && index < header.count).then_some(Self {
            elf,
            header,
            start,
            end,
            at,
            wide: entry / 2 - 4,
        })
    }

    /// The one that an address is in; a search by halves, whatever the order.
    pub(super) fn around(elf: &'a Elf, header: &'a Header, text: u64, pc: u64) -> Option<Self> {
        let (mut low, mut high) = (0, header.count);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if address(elf, header, text, middle)? <= pc {
                low = middle;
            } else {
                high = middle;
            }
        }
        let found = Self::numbered(elf, header, text, low)?;
        (found.start..found.end).contains(&pc).then_some(found)
    }

    /// Its name; none of another function's.
    pub(super) fn name(&self) -> Option<String> {
        name(self.elf, self.header.names, self.word(4)?)
    }

    pub(super) fn leads(&self) -> Option<Leads> {
        let flags = match self.header.version {
            Version::Go116 => self.flags_by_name()?,
            version => self.byte(if version == Version::Go118 { 37 } else { 41 })?,
        };
        Some(if flags & TOP_FRAME != 0 {
            Leads::Nowhere
        } else if flags & WRITES_SP != 0 {
            Leads::Elsewhere
        } else {
            Leads::ByStack {
                assembly: flags & ASSEMBLY != 0,
            }
        })
    }

    /// For Go 1.17 they stand there, for Go 1.16 there is a zero.
    fn flags_by_name(&self) -> Option<u8> {
        let flags = self.byte(37)?;
        let name = self.name().unwrap_or_default();
        let flag = |names: &[&str], flag: u8| {
            let is_one = names.contains(&name.as_str());
            if is_one { flag } else { 0 }
        };
        Some(flags | flag(TOP_FRAMES, TOP_FRAME) | flag(SWITCHES, WRITES_SP))
    }

    /// How far the stack pointer is below the return address.
    pub(super) fn depth(&self, pc: u64) -> Option<i32> {
        self.value(self.word(16)?, pc)
    }

    /// File and line of an address, which are those of what was inlined there.
    pub(super) fn place(&self, pc: u64) -> Option<(String, u32)> {
        let file = self.value(self.word(20)?, pc)?;
        let line = self.value(self.word(24)?, pc)?;
        let line = u32::try_from(line).ok().filter(|line| *line > 0)?;
        let unit = u64::from(self.word(32)?).checked_add(u64::try_from(file).ok()?)?;
        let file = self.header.units.word(self.elf, unit.checked_mul(4)?)?;
        let file = self.header.files.text::<NAME>(self.elf, file.into())?;
        Some((file, line))
    }

    /// Which of the inlined functions an address is in; `None` for the function itself.
    pub(super) fn inlined(&self, pc: u64) -> Option<u32> {
        let tables = self.word(28)?;
        if tables <= PCDATA_INLINED {
            return None;
        }
        let table = self.word(self.size() + u64::from(PCDATA_INLINED) * 4)?;
        u32::try_from(self.value(table, pc)?).ok()
    }

    /// Where it is told what was inlined: an address, or how far that is behind where all of
    /// these are.
    pub(super) fn inlined_data(&self) -> Option<u64> {
        if u64::from(self.byte(self.size() - 1)?) <= FUNCDATA_INLINED {
            return None;
        }
        let data = self.size().checked_add(u64::from(self.word(28)?) * 4)?;
        if self.wide > 0 {
            let data = self.at.checked_add(data)?.checked_next_multiple_of(8)?;
            let place = data.checked_add(FUNCDATA_INLINED * 8)?;
            return self
                .header
                .functions
                .long(self.elf, place)
                .filter(|data| *data > 0);
        }
        let data = self.word(data + FUNCDATA_INLINED * 4)?;
        (data != u32::MAX).then_some(data.into())
    }

    /// Bytes before its tables, as if an address had four bytes.
    fn size(&self) -> u64 {
        if self.header.version == Version::Go120 {
            44
        } else {
            40
        }
    }

    fn value(&self, table: u32, pc: u64) -> Option<i32> {
        let distance = pc.checked_sub(self.start)?;
        steps::value(self.elf, self.header.steps, table, distance)
    }

    fn word(&self, offset: u64) -> Option<u32> {
        self.header.functions.word(self.elf, self.field(offset)?)
    }

    fn byte(&self, offset: u64) -> Option<u8> {
        self.header.functions.byte(self.elf, self.field(offset)?)
    }

    fn field(&self, offset: u64) -> Option<u64> {
        self.at.checked_add(offset)?.checked_add(self.wide)
    }
}

/// Where the function of a number begins; behind the last one, where that ends.
pub(super) fn address(elf: &Elf, header: &Header, text: u64, index: u64) -> Option<u64> {
    let place = index.checked_mul(header.version.entry())?;
    if header.version == Version::Go116 {
        return header.functions.long(elf, place);
    }
    text.checked_add(header.functions.word(elf, place)?.into())
}

/// The name at an offset, which has to be the beginning of one. Types of generic functions are
/// left out, as Go's own stacks have it: `main.keep[...]`.
pub(super) fn name(elf: &Elf, names: Region, offset: u32) -> Option<String> {
    let offset = u64::from(offset);
    let before = offset.checked_sub(1);
    if before.is_some_and(|before| names.byte(elf, before) != Some(0)) {
        return None;
    }
    let name = names.text::<NAME>(elf, offset)?;
    Some(match (name.find('['), name.rfind(']')) {
        (Some(open), Some(close)) if open < close => {
            let (before, after) = (name.get(..=open)?, name.get(close..)?);
            format!("{before}...{after}")
        }
        _ => name,
    })
}
