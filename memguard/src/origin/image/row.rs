//! How one place of a function is unwound: what its call-frame instructions come to there. DWARF 5
//! section 6.4.
//!
//! gimli follows the instructions. What is kept is small, and says nothing of registers that
//! unwinding does not need.

use std::sync::Arc;

use gimli::{
    BaseAddresses, CfaRule, Register, RegisterRule, UnwindContext, UnwindContextStorage,
    UnwindExpression, UnwindSection, UnwindTableRow,
};

use super::cfi::{Bytes, Entry};

/// Where the caller's stack pointer was when it had pushed nothing for the call yet: the canonical
/// frame address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::origin) enum Cfa {
    /// A register, by its DWARF number, plus an offset.
    Register(u16, i64),
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
    /// In another register, by its DWARF number.
    Register(u16),
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
    pub(in crate::origin) fn numbered(number: u16) -> Option<usize> {
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

/// What an entry may use while it is followed; more is an error.
struct Storage;

/// Most registers with a rule: all general ones, the return address and the vector registers.
const RULES: usize = 40;

/// Most rows at once: the current one, the initial one, and 16 that are remembered.
const ROWS: usize = 18;

/// Most bytes of an expression; those of signal handlers and of linkage tables have about ten.
const EXPRESSION: usize = 256;

impl UnwindContextStorage<usize> for Storage {
    type Rules = [(Register, RegisterRule<usize>); RULES];
    type Stack = Box<[UnwindTableRow<usize, Self>; ROWS]>;
}

impl Row {
    /// The row of an entry of `section` for an address inside it; `None` where its instructions
    /// make no sense.
    pub(super) fn of<'a, S>(
        section: Bytes<'a>,
        bases: &BaseAddresses,
        entry: &Entry<'a>,
        address: u64,
    ) -> Option<Self>
    where
        S: UnwindSection<Bytes<'a>> + From<Bytes<'a>>,
    {
        let Register(number) = entry.cie().return_address_register();
        if register::numbered(number) != Some(register::RETURN) {
            return None;
        }
        let mut context = UnwindContext::<usize, Storage>::new_in();
        let parsed = S::from(section);
        let row = entry.unwind_info_for_address(&parsed, bases, &mut context, address);
        let row = row.ok()?;
        Some(Self {
            frame: Cfa::of(row.cfa(), section)?,
            saved: saved(row, section)?,
            signal: entry.is_signal_trampoline(),
        })
    }
}

/// Rules of the registers that are followed.
fn saved(
    row: &UnwindTableRow<usize, Storage>,
    section: Bytes<'_>,
) -> Option<[Saved; register::COUNT]> {
    let mut saved = <[Saved; register::COUNT]>::default();
    for (Register(number), rule) in row.registers() {
        let place = register::numbered(*number).and_then(|number| saved.get_mut(number));
        if let Some(place) = place {
            *place = Saved::of(rule, section)?;
        }
    }
    Some(saved)
}

impl Cfa {
    fn of(rule: &CfaRule<usize>, section: Bytes<'_>) -> Option<Self> {
        Some(match rule {
            // What gimli begins with: the entry does not define it.
            rule if *rule == CfaRule::default() => return None,
            CfaRule::RegisterAndOffset { register, offset } => Self::Register(register.0, *offset),
            CfaRule::Expression(code) => Self::Expression(bytes(*code, section)?),
        })
    }
}

impl Saved {
    fn of(rule: &RegisterRule<usize>, section: Bytes<'_>) -> Option<Self> {
        Some(match rule {
            RegisterRule::Undefined => Self::Undefined,
            RegisterRule::SameValue => Self::Same,
            RegisterRule::Offset(offset) => Self::At(*offset),
            RegisterRule::ValOffset(offset) => Self::Is(*offset),
            RegisterRule::Register(register) => Self::Register(register.0),
            RegisterRule::Expression(code) => Self::AtExpression(bytes(*code, section)?),
            RegisterRule::ValExpression(code) => Self::IsExpression(bytes(*code, section)?),
            // Only other architectures have more.
            _ => return None,
        })
    }
}

/// An expression by itself, so that it outlives the section.
fn bytes(code: UnwindExpression<usize>, section: Bytes<'_>) -> Option<Arc<[u8]>> {
    let end = code.offset.checked_add(code.length)?;
    let bytes = section.slice().get(code.offset..end)?;
    (bytes.len() <= EXPRESSION).then(|| bytes.into())
}
