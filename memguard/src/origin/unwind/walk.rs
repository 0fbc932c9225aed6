//! One stack on its way out.

use std::sync::Arc;

use super::{
    super::{
        image::{Row, Saved, register},
        layout::Layout,
    },
    CodeLocation, Unwinder, Unwound,
    registers::{FrameState, Registers, read},
    rule::{CodeInfo, Rule},
};
use crate::model::origin::{Frame, Incomplete, Window};

/// Most frames of a stack.
pub(super) const FRAMES: usize = 128;

/// Where the kernel saves registers for a signal handler: offsets from the stack pointer when the
/// handler has returned, which is `uc` in `struct rt_sigframe`; `uc_mcontext` begins at 40.
mod signal {
    use super::register;

    pub(super) const SAVED: [(usize, u64); 8] = [
        (register::R12, 40 + 4 * 8),
        (register::R12 + 1, 40 + 5 * 8),
        (register::R12 + 2, 40 + 6 * 8),
        (register::R12 + 3, 40 + 7 * 8),
        (register::BP, 40 + 10 * 8),
        (register::BX, 40 + 11 * 8),
        (register::SP, 40 + 15 * 8),
        (register::RETURN, 40 + 16 * 8),
    ];
}

/// How a stack ends: `None` at the program's beginning.
pub(super) type End = Option<Incomplete>;

/// See the module.
pub(super) struct Walk<'a> {
    pub(super) unwinder: &'a mut Unwinder,
    pub(super) window: &'a Window,
    layout: &'a Layout,
    processes: &'a [u32],
    pub(super) frames: Vec<Frame>,
}

/// Where the walk stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) registers: Registers,
    /// They are a caller's: what it called has not returned yet.
    pub(super) is_return: bool,
    /// They were found by a frame pointer.
    pub(super) guessed: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        unwinder: &'a mut Unwinder,
        window: &'a Window,
        layout: &'a Layout,
        processes: &'a [u32],
    ) -> Self {
        Self {
            unwinder,
            window,
            layout,
            processes,
            frames: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Unwound {
        let incomplete = self.walk();
        Unwound {
            frames: self.frames,
            incomplete,
        }
    }

    fn walk(&mut self) -> End {
        let Window { ip, sp, bp, .. } = *self.window;
        if self.window.stack.is_empty() || ip == 0 {
            return Some(Incomplete::NoWindow);
        }
        let mut step = Step {
            registers: Registers::new(ip, sp, bp),
            is_return: false,
            guessed: false,
        };
        while self.frames.len() < FRAMES {
            match self.frame(&step) {
                Ok(caller) => step = caller,
                Err(end) => return end,
            }
        }
        Some(Incomplete::TooDeep)
    }

    /// Takes the frame where the walk stands, and goes to its caller.
    fn frame(&mut self, step: &Step) -> Result<Step, End> {
        let found = self.place(step.registers.ip(), step.is_return);
        let Ok(Some(place)) = found else {
            self.push(step, None);
            return match found {
                Err(unreadable) => Err(Some(unreadable)),
                Ok(_) => self.guess(step, None),
            };
        };
        let known = self.unwinder.known(&place, step.is_return);
        if self.has_called() && !known.is_behind_syscall() {
            return Err(Some(Incomplete::UnknownMapping));
        }
        if step.is_return && !known.is_returned_to() {
            let beginning = self.is_beginning(&place);
            return Err(if beginning { None } else { Some(misled()) });
        }
        self.push(step, Some((&place, &known)));
        match &known.rule {
            Rule::Outermost => Err(None),
            Rule::Row(row) => self.follow(step, row),
            Rule::Signal => self.interrupted(step),
            Rule::Switches => Err(Some(Incomplete::NoUnwindInformation)),
            Rule::Unsaid => self.guess(step, Some(&place)),
        }
    }

    /// Where an address is. One that is returned to may be the first behind a function, whose last
    /// call never returns.
    pub(super) fn place(
        &mut self,
        ip: u64,
        is_return: bool,
    ) -> Result<Option<CodeLocation>, Incomplete> {
        let back = u64::from(is_return);
        let Some((mapped, offset)) = self.layout.find(ip.wrapping_sub(back)) else {
            return Ok(None);
        };
        let place = self.unwinder.place(mapped, offset, self.processes)?;
        Ok(place.map(|place| CodeLocation {
            address: place.address.wrapping_add(back),
            ..place
        }))
    }

    /// Whether a stack begins with this address, which nobody called from: the first of a function,
    /// as `makecontext` writes it, or the second, as Go does.
    fn is_beginning(&mut self, place: &CodeLocation) -> bool {
        let image = self.unwinder.image(place);
        let function = image.and_then(|image| image.function(place.address));
        function.is_some_and(|function| place.address - function.start < 2)
    }

    /// A handler returns to code that it was not called from, so nothing ends right before that.
    fn push(&mut self, step: &Step, place: Option<(&CodeLocation, &CodeInfo)>) {
        let ip = step.registers.ip();
        let called = place.is_none_or(|(_, known)| !known.rule.is_signal());
        self.frames.push(Frame {
            ip,
            module: place.map(|(place, _)| Arc::clone(&place.module)),
            offset: place.map_or(ip, |(place, _)| place.address),
            // The first address lies behind the instruction that entered the kernel.
            is_return: self.has_called() || step.is_return && called,
        });
    }

    /// Whether the walk stands where the kernel was called.
    fn has_called(&self) -> bool {
        self.frames.is_empty() && !self.window.interrupted
    }

    /// The caller as the unwind information says. A stack grows downwards, so it lies above, except
    /// what was interrupted by a signal whose handler has a stack of its own.
    fn follow(&self, step: &Step, row: &Row) -> Result<Step, End> {
        let state = FrameState {
            registers: &step.registers,
            window: self.window,
        };
        let frame = state.frame(&row.frame).ok_or_else(|| Some(uncopied()))?;
        if frame <= step.registers.sp() && !row.signal {
            return Err(Some(misled()));
        }
        let [.., address] = &row.saved;
        let address = match address {
            Saved::Unspecified | Saved::Same => return Err(Some(misled())),
            rule => state.saved(rule, register::RETURN, frame),
        };
        let address = address.ok().ok_or(Some(Incomplete::WindowEnded))?;
        let mut registers = step.registers.preserved();
        registers.set(register::SP, Some(frame));
        for (register, rule) in row.saved.iter().enumerate() {
            if *rule != Saved::Unspecified {
                registers.set(register, state.saved(rule, register, frame).ok());
            }
        }
        registers.set(register::RETURN, Some(address));
        caller(registers, !row.signal, false)
    }

    /// What a signal handler interrupted, from what the kernel saved.
    fn interrupted(&self, step: &Step) -> Result<Step, End> {
        let mut registers = step.registers;
        for (register, offset) in signal::SAVED {
            let place = step.registers.sp().saturating_add(offset);
            let value = read(self.window, place).ok();
            let value = value.ok_or(Some(Incomplete::WindowEnded))?;
            registers.set(register, Some(value));
        }
        caller(registers, false, false)
    }
}

/// The next step; a return address of zero is the beginning of a thread.
pub(super) fn caller(registers: Registers, is_return: bool, guessed: bool) -> Result<Step, End> {
    if registers.ip() == 0 {
        return Err(None);
    }
    Ok(Step {
        registers,
        is_return,
        guessed,
    })
}

fn misled() -> Incomplete {
    Incomplete::Unreadable("unwind information that leads to no call".into())
}

fn uncopied() -> Incomplete {
    Incomplete::Unreadable("its frame is found by a register that is not known".into())
}
