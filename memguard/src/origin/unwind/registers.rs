//! Registers of one frame, and the copied memory that they point into.

use super::super::image::{Cfa, Context, Saved, evaluate, register};
use crate::model::origin::Window;

/// What a frame had in its registers. The kernel copied three of them; the
/// others are known once a function was unwound that had saved them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Registers {
    known: [Option<u64>; register::COUNT],
}

impl Registers {
    pub(super) fn new(ip: u64, sp: u64, bp: u64) -> Self {
        let mut registers = Self {
            known: [None; register::COUNT],
        };
        registers.set(register::RETURN, Some(ip));
        registers.set(register::SP, Some(sp));
        registers.set(register::BP, Some(bp));
        registers
    }

    pub(super) fn get(&self, register: usize) -> Option<u64> {
        *self.known.get(register)?
    }

    pub(super) fn set(&mut self, register: usize, value: Option<u64>) {
        if let Some(place) = self.known.get_mut(register) {
            *place = value;
        }
    }

    /// Where it stands, or where it goes on when what it called returns.
    pub(super) fn ip(&self) -> u64 {
        self.get(register::RETURN).unwrap_or_default()
    }

    pub(super) fn sp(&self) -> u64 {
        self.get(register::SP).unwrap_or_default()
    }

    /// What is left for the caller where nobody says more: the registers that calls preserve.
    pub(super) fn preserved(&self) -> Self {
        let mut preserved = Self {
            known: [None; register::COUNT],
        };
        for register in register::PRESERVED {
            preserved.set(register, self.get(register));
        }
        preserved
    }
}

/// Why memory cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    /// It lies behind what was copied.
    Behind,
    /// It is not of this stack, or not in use, or nobody knows where it is.
    Elsewhere,
}

/// Eight bytes of the stack.
pub(super) fn read(window: &Window, address: u64) -> Result<u64, Outside> {
    let distance = address.checked_sub(window.sp).ok_or(Outside::Elsewhere)?;
    let start = usize::try_from(distance).unwrap_or(usize::MAX);
    let bytes = window.stack.get(start..).and_then(<[u8]>::first_chunk);
    bytes
        .copied()
        .map(u64::from_le_bytes)
        .ok_or(Outside::Behind)
}

/// Registers and the copied part of the stack: what unwind information is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameState<'a> {
    pub(super) registers: &'a Registers,
    pub(super) window: &'a Window,
}

impl FrameState<'_> {
    /// The canonical frame address.
    pub(super) fn frame(&self, rule: &Cfa) -> Option<u64> {
        match rule {
            Cfa::Register(number, offset) => self.register(*number)?.checked_add_signed(*offset),
            Cfa::Expression(code) => evaluate(code, None, self),
        }
    }

    /// What a register of the caller had.
    pub(super) fn saved(&self, rule: &Saved, register: usize, frame: u64) -> Result<u64, Outside> {
        let compute = |code| evaluate(code, Some(frame), self);
        let place = match rule {
            Saved::Undefined => None,
            Saved::Unspecified | Saved::Same => {
                return self.registers.get(register).ok_or(Outside::Elsewhere);
            }
            Saved::Register(number) => return self.register(*number).ok_or(Outside::Elsewhere),
            Saved::Is(offset) => {
                return frame.checked_add_signed(*offset).ok_or(Outside::Elsewhere);
            }
            Saved::IsExpression(code) => return compute(code).ok_or(Outside::Elsewhere),
            Saved::At(offset) => frame.checked_add_signed(*offset),
            Saved::AtExpression(code) => compute(code),
        };
        read(self.window, place.ok_or(Outside::Elsewhere)?)
    }
}

impl Context for FrameState<'_> {
    fn register(&self, number: u16) -> Option<u64> {
        self.registers.get(register::numbered(number)?)
    }

    fn memory(&self, address: u64) -> Option<u64> {
        read(self.window, address).ok()
    }
}
