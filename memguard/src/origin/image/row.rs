//! How one place of a function is unwound: what its call frame instructions come to there. DWARF 5
//! section 6.4.2.

use std::sync::Arc;

use super::{cursor::Cursor, entry::Entry};

/// Where the caller's stack pointer was when it had pushed nothing for the call yet: the canonical
/// frame address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::origin) enum Cfa {
    /// A register plus an offset.
    Register(u64, i64),
    /// What an expression comes to.
    Expression(Arc<[u8]>),
}

/// Where a register of the caller is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::origin) enum Saved {
    /// Nobody says.
    #[default]
    Unspecified,
    /// Nowhere; of the return address: there is no caller.
    Undefined,
    /// Where it is.
    Same,
    /// In memory, at the frame address plus this.
    At(i64),
    /// It is the frame address plus this.
    Is(i64),
    /// In another register.
    Register(u64),
    /// In memory, where an expression says.
    AtExpression(Arc<[u8]>),
    /// It is what an expression comes to.
    IsExpression(Arc<[u8]>),
}

/// The registers that are followed: those that a function gives back as it found them, and those
/// that say where it was called.
pub(in crate::origin) mod register {
    pub(in crate::origin) const BX: usize = 0;
    pub(in crate::origin) const BP: usize = 1;
    /// The first of four, up to `r15`.
    pub(in crate::origin) const R12: usize = 2;
    pub(in crate::origin) const SP: usize = 6;
    /// The return address, which is the caller's instruction pointer.
    pub(in crate::origin) const RETURN: usize = 7;
    /// How many there are.
    pub(in crate::origin) const COUNT: usize = 8;
    /// Those that are given back.
    pub(in crate::origin) const PRESERVED: std::ops::Range<usize> = BX..SP;

    /// By DWARF's numbers; System V ABI for AMD64, figure 3.36.
    pub(in crate::origin) fn numbered(number: u64) -> Option<usize> {
        Some(match number {
            3 => BX,
            6 => BP,
            7 => SP,
            12 => R12,
            13 => R12 + 1,
            14 => R12 + 2,
            15 => R12 + 3,
            16 => RETURN,
            _ => return None,
        })
    }
}

/// Rules of all registers at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::origin) struct Row {
    pub(in crate::origin) frame: Cfa,
    pub(in crate::origin) saved: [Saved; register::COUNT],
    /// What is returned to was interrupted, it did not call.
    pub(in crate::origin) signal: bool,
}

/// States that instructions may remember at once.
const REMEMBERED: usize = 16;

/// Most instructions of one entry that are followed; node has one with 2232.
const INSTRUCTIONS: usize = 16 * 1024;

impl Row {
    /// The row of `entry` for an address inside it; `None` where its instructions make no sense.
    pub(super) fn of(entry: &Entry<'_>, address: u64) -> Option<Self> {
        if register::numbered(entry.common.return_register) != Some(register::RETURN) {
            return None;
        }
        let mut program = Program::new(entry);
        program.run(entry.common.instructions, u64::MAX)?;
        program.initial = program.state.clone();
        program.location = entry.range.start;
        program.run(entry.instructions, address)?;
        Some(Self {
            frame: program.state.frame?,
            saved: program.state.saved,
            signal: entry.common.signal,
        })
    }
}

#[derive(Clone, Default)]
struct State {
    frame: Option<Cfa>,
    saved: [Saved; register::COUNT],
}

struct Program {
    code_alignment: u64,
    data_alignment: i64,
    location: u64,
    state: State,
    initial: State,
    remembered: Vec<State>,
}

impl Program {
    fn new(entry: &Entry<'_>) -> Self {
        Self {
            code_alignment: entry.common.code_alignment,
            data_alignment: entry.common.data_alignment,
            location: 0,
            state: State::default(),
            initial: State::default(),
            remembered: Vec::new(),
        }
    }

    /// Follows instructions up to the first that is about code behind `address`.
    fn run(&mut self, mut code: Cursor<'_>, address: u64) -> Option<()> {
        for _ in 0..INSTRUCTIONS {
            if code.is_empty() {
                return Some(());
            }
            match code.u8()? {
                operation @ (0x40..0x80 | 0x01..=0x04) => {
                    let location = self.advance(operation, &mut code)?;
                    if address < location {
                        return Some(());
                    }
                    self.location = location;
                }
                operation => self.apply(operation, &mut code)?,
            }
        }
        None
    }

    /// The location that an instruction moves to; `None` for one that names it outright, which no
    /// compiler for this architecture writes.
    fn advance(&self, operation: u8, code: &mut Cursor<'_>) -> Option<u64> {
        let delta = match operation {
            0x40..0x80 => u64::from(operation & 0x3f),
            0x02 => code.u8()?.into(),
            0x03 => code.u16()?.into(),
            0x04 => code.u32()?.into(),
            _ => return None,
        };
        let distance = delta.checked_mul(self.code_alignment)?;
        self.location.checked_add(distance)
    }

    fn apply(&mut self, operation: u8, code: &mut Cursor<'_>) -> Option<()> {
        match operation {
            0x00 => {}
            0x80..0xc0 => {
                let offset = self.factored(code.uleb()?)?;
                self.save(u64::from(operation & 0x3f), Saved::At(offset));
            }
            0xc0..=0xff => self.restore(u64::from(operation & 0x3f)),
            0x06 => self.restore(code.uleb()?),
            0x0a => self.remember()?,
            0x0b => self.state = self.remembered.pop()?,
            0x0c..=0x0f | 0x12 | 0x13 => self.state.frame = Some(self.frame(operation, code)?),
            0x2e => drop(code.uleb()?), // size of arguments
            _ => {
                let register = code.uleb()?;
                let saved = self.saved(operation, code)?;
                self.save(register, saved);
            }
        }
        Some(())
    }

    fn frame(&self, operation: u8, code: &mut Cursor<'_>) -> Option<Cfa> {
        let old = match self.state.frame {
            Some(Cfa::Register(register, offset)) => Some((register, offset)),
            _ => None,
        };
        Some(match operation {
            0x0c => Cfa::Register(code.uleb()?, code.uleb()?.try_into().ok()?),
            0x0d => Cfa::Register(code.uleb()?, old?.1),
            0x0e => Cfa::Register(old?.0, code.uleb()?.try_into().ok()?),
            0x0f => Cfa::Expression(block(code)?),
            0x12 => Cfa::Register(code.uleb()?, self.scaled(code.sleb()?)?),
            0x13 => Cfa::Register(old?.0, self.scaled(code.sleb()?)?),
            _ => return None,
        })
    }

    fn saved(&self, operation: u8, code: &mut Cursor<'_>) -> Option<Saved> {
        Some(match operation {
            0x05 => Saved::At(self.factored(code.uleb()?)?),
            0x07 => Saved::Undefined,
            0x08 => Saved::Same,
            0x09 => Saved::Register(code.uleb()?),
            0x10 => Saved::AtExpression(block(code)?),
            0x11 => Saved::At(self.scaled(code.sleb()?)?),
            0x14 => Saved::Is(self.factored(code.uleb()?)?),
            0x15 => Saved::Is(self.scaled(code.sleb()?)?),
            0x16 => Saved::IsExpression(block(code)?),
            0x2f => Saved::At(self.factored(code.uleb()?)?.checked_neg()?),
            _ => return None,
        })
    }

    fn factored(&self, offset: u64) -> Option<i64> {
        self.scaled(i64::try_from(offset).ok()?)
    }

    fn scaled(&self, offset: i64) -> Option<i64> {
        offset.checked_mul(self.data_alignment)
    }

    /// Registers that are not followed are forgotten.
    fn save(&mut self, register: u64, saved: Saved) {
        if let Some(place) = place(&mut self.state, register) {
            *place = saved;
        }
    }

    fn restore(&mut self, register: u64) {
        let initial = place(&mut self.initial, register).map(|saved| saved.clone());
        if let Some(initial) = initial {
            self.save(register, initial);
        }
    }

    fn remember(&mut self) -> Option<()> {
        if self.remembered.len() == REMEMBERED {
            return None;
        }
        self.remembered.push(self.state.clone());
        Some(())
    }
}

fn place(state: &mut State, register: u64) -> Option<&mut Saved> {
    state.saved.get_mut(register::numbered(register)?)
}

/// An expression, with its length before it.
fn block(code: &mut Cursor<'_>) -> Option<Arc<[u8]>> {
    let length = code.uleb()?;
    Some(code.take(usize::try_from(length).ok()?)?.into())
}
