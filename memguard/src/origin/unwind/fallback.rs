//! The caller of code without unwind information: by what lies on top of the stack, or by the
//! frame pointer.

use super::{
    super::{calls::Calls, image::register},
    CodeLocation,
    registers::{Outside, read},
    walk::{End, Step, Walk, caller},
};
use crate::model::origin::Incomplete;

/// How far from its beginning a function without a frame of its own may enter the kernel: such are
/// the stubs that make system calls.
const STUB: u64 = 512;

/// How far behind the window a frame pointer may lead and be believed: the usual size of a stack.
const STACK: u64 = 8 << 20;

impl Walk<'_> {
    /// The caller of code without unwind information.
    pub(super) fn guess(&mut self, step: &Step, place: Option<&CodeLocation>) -> Result<Step, End> {
        let innermost = self.frames.len() == 1;
        let stub = place.filter(|_| innermost);
        match stub.and_then(|place| self.stub(step, place)) {
            Some(caller) => Ok(caller),
            None => self.by_frame_pointer(step, place),
        }
    }

    /// The caller of a function that enters the kernel without a frame of its own: the return
    /// address lies on top. Only a call of a fixed address right before the system call is proof.
    fn stub(&mut self, step: &Step, place: &CodeLocation) -> Option<Step> {
        let sp = step.registers.sp();
        let address = read(self.window, sp).ok()?;
        let from = self.place(address, true).ok()??;
        let calls = self.unwinder.known(&from, true).calls()?;
        let target = from.address.wrapping_add_signed(calls.direct?.into());
        let target = self.unwinder.image(&from)?.destination(target)?;
        let inside = place.address.checked_sub(target)?;
        if from.image != place.image || STUB < inside {
            return None;
        }
        let mut registers = step.registers.preserved();
        registers.set(register::SP, sp.checked_add(8));
        registers.set(register::RETURN, Some(address));
        caller(registers, true, false).ok()
    }

    /// The caller by the chain of frame pointers. Where the chain was followed before, a zero is
    /// its end; System V ABI for AMD64, 3.4.1.
    fn by_frame_pointer(&mut self, step: &Step, place: Option<&CodeLocation>) -> Result<Step, End> {
        let lost = || match place {
            Some(_) => Some(Incomplete::NoUnwindInformation),
            None => Some(Incomplete::UnknownMapping),
        };
        let (sp, bp) = (step.registers.sp(), step.registers.get(register::BP));
        let bp = bp.ok_or_else(lost)?;
        if bp == 0 && step.guessed {
            return Err(None);
        }
        if bp < sp || bp % 8 != 0 {
            return Err(lost());
        }
        let near = bp - sp < STACK;
        let behind = |outside| match outside {
            Outside::Behind if near => Some(Incomplete::WindowEnded),
            _ => lost(),
        };
        let outer = read(self.window, bp).map_err(behind)?;
        let address = read(self.window, bp.saturating_add(8)).map_err(behind)?;
        if !self.fits(address, step, place) {
            let over = outer == 0 && step.guessed;
            return Err(if over { None } else { lost() });
        }
        let mut registers = step.registers.preserved();
        registers.set(register::BP, Some(outer));
        registers.set(register::SP, bp.checked_add(16));
        registers.set(register::RETURN, Some(address));
        caller(registers, true, true)
    }

    /// Whether a call that may have led to `place` ends right before `address`.
    fn fits(&mut self, address: u64, step: &Step, place: Option<&CodeLocation>) -> bool {
        let Ok(Some(from)) = self.place(address, true) else {
            return false;
        };
        let known = self.unwinder.known(&from, true);
        match known.calls() {
            None => false,
            Some(Calls { indirect: true, .. }) => true,
            Some(Calls { direct: None, .. }) => known.rule.is_signal(),
            Some(Calls {
                direct: Some(distance),
                ..
            }) => {
                let target = from.address.wrapping_add_signed(distance.into());
                self.leads(&from, target, step, place)
            }
        }
    }

    /// Whether a call of `target` may have led to `place`, of which nobody says how it is unwound:
    /// not where somebody says it of the target, and not where the target begins behind it.
    fn leads(
        &mut self,
        from: &CodeLocation,
        target: u64,
        step: &Step,
        place: Option<&CodeLocation>,
    ) -> bool {
        let Some(image) = self.unwinder.image(from) else {
            return false;
        };
        let Some(target) = image.destination(target) else {
            return true;
        };
        let before = |place: &CodeLocation| {
            let inside = place.address.wrapping_sub(u64::from(step.is_return));
            place.image == from.image && target <= inside
        };
        image.function(target).is_none() && place.is_some_and(before)
    }
}
