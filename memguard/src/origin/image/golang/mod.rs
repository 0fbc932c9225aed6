//! What a Go program tells of its own functions, also where all symbols were removed: the table by
//! which the run time prints stacks, `.gopclntab`, from Go 1.16 on.
//!
//! `header` finds it, `function` looks a function up, `steps` reads what is said of its places,
//! `inlined` what was inlined, and `module` what is not in the table itself. Nothing is kept but
//! where the parts are: pieces are read from the file as they are needed, each within its part.

mod function;
mod header;
mod inlined;
mod module;
mod steps;

#[cfg(test)]
mod tests;

use std::{fs::File, ops::Range};

use self::{
    function::{Function, Leads},
    header::Header,
    inlined::Inlined,
    module::Module,
};
use super::{
    elf::{self, Elf},
    row::{Cfa, Row, Saved, register},
};

/// Most functions that are inlined into each other at one place.
const DEPTH: usize = 64;

/// Most bytes of a frame.
const FRAME: i32 = 1 << 30;

/// DWARF's number of the stack pointer.
const SP: u16 = 7;

/// The table of a program.
#[derive(Debug)]
pub(super) struct GoTable {
    header: Header,
    /// Where the code begins.
    text: u64,
}

/// How a function of Go leads to its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::origin) enum GoRule {
    /// It begins the stack of a goroutine or of a thread.
    Outermost,
    /// It runs on one stack and was called on another.
    Switches,
    /// By the stack.
    Row(Box<Row>),
}

impl GoTable {
    pub(super) fn of(elf: &Elf) -> Option<Self> {
        let header = Header::find(elf)?;
        let text = Some(header.text).filter(|text| *text > 0);
        let text = text.or_else(|| Module::find(elf, &header).map(|module| module.text()));
        Some(Self {
            text: text?,
            header,
        })
    }

    /// How the function at an address leads to its caller, where that is said.
    pub(super) fn rule(&self, elf: &Elf, address: u64) -> Option<GoRule> {
        let function = self.function(elf, address)?;
        Some(match function.leads()? {
            Leads::Nowhere => GoRule::Outermost,
            Leads::Elsewhere => GoRule::Switches,
            Leads::ByStack { assembly } => {
                GoRule::Row(Box::new(row(function.depth(address)?, assembly)?))
            }
        })
    }

    /// The function around an address.
    pub(super) fn bounds(&self, elf: &Elf, address: u64) -> Option<Range<u64>> {
        let function = self.function(elf, address)?;
        Some(function.start..function.end)
    }

    fn function<'a>(&'a self, elf: &'a Elf, address: u64) -> Option<Function<'a>> {
        Function::around(elf, &self.header, self.text, address)
    }
}

/// The return address lies above what the function has pushed, and the caller's frame pointer
/// below that where the compiler has pushed it. All other registers are the callee's.
fn row(depth: i32, assembly: bool) -> Option<Row> {
    if !(0..FRAME).contains(&depth) || depth % 8 != 0 {
        return None;
    }
    let mut saved = <[Saved; register::COUNT]>::default();
    for register in register::PRESERVED {
        *saved.get_mut(register)? = Saved::Undefined;
    }
    *saved.get_mut(register::BP)? = match (depth, assembly) {
        (0, _) => Saved::Same,
        (_, false) => Saved::At(-16),
        (_, true) => Saved::Undefined,
    };
    *saved.get_mut(register::RETURN)? = Saved::At(-8);
    Some(Row {
        frame: Cfa::Register(SP, i64::from(depth) + 8),
        saved,
        signal: false,
    })
}

/// A Go program, for its names.
#[derive(Debug)]
pub(in crate::origin) struct GoProgram {
    elf: Elf,
    table: GoTable,
    inlined: Option<Inlined>,
}

/// A function that an address is in, and where in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::origin) struct GoName {
    pub(in crate::origin) function: String,
    /// File and line.
    pub(in crate::origin) place: Option<(String, u32)>,
}

impl GoProgram {
    /// `None` for what is none, or is older than Go 1.16.
    pub(in crate::origin) fn read(file: File) -> Option<Self> {
        Self::of(Elf::parse(elf::Bytes::File(file)).ok()?)
    }

    fn of(elf: Elf) -> Option<Self> {
        let table = GoTable::of(&elf)?;
        let module = Module::find(&elf, &table.header);
        let inlined = Inlined::find(&elf, &table.header, module.as_ref());
        Some(Self {
            elf,
            table,
            inlined,
        })
    }

    /// The functions of an address, the innermost first; empty where there is none. Where it is
    /// not known what was inlined, the innermost place is not that of the function, and not told.
    pub(in crate::origin) fn names(&self, address: u64) -> Vec<GoName> {
        let Some(function) = self.table.function(&self.elf, address) else {
            return Vec::new();
        };
        let Some(name) = function.name() else {
            return Vec::new();
        };
        let (mut names, place) = self.inlined(&function, address).unwrap_or_default();
        names.push(GoName {
            function: name,
            place,
        });
        names
    }

    /// What was inlined at an address, and where in the function itself that is.
    fn inlined(&self, function: &Function<'_>, address: u64) -> Option<Told> {
        let mut names = Vec::new();
        let mut pc = address;
        while names.len() < DEPTH {
            let place = function.place(pc);
            let Some(index) = function.inlined(pc) else {
                return Some((names, place));
            };
            let header = &self.table.header;
            let call = self.inlined?.call(&self.elf, header, function, index)?;
            names.push(GoName {
                function: call.name,
                place,
            });
            pc = function.start.checked_add(call.caller)?;
        }
        None
    }
}

/// Functions, and where in the one around them.
type Told = (Vec<GoName>, Option<(String, u32)>);
