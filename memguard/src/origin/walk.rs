//! One stack on its way out.

use std::sync::Arc;

use super::{
    calls::Calls,
    image::{Row, Saved, register},
    layout::Layout,
    registers::{Outside, Registers, Situation, read},
    unwind::{Known, Place, Rule, Unwinder, Unwound},
};
use crate::model::origin::{Frame, Incomplete, Window};

/// Most frames of a stack.
const FRAMES: usize = 128;

/// How far from its beginning a function without a frame of its own may enter the kernel: such are
/// the stubs that make system calls.
const STUB: u64 = 512;

/// How far behind the window a frame pointer may lead and be believed: the usual size of a stack.
const STACK: u64 = 8 << 20;

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
type End = Option<Incomplete>;

/// See the module.
pub(super) struct Walk<'a> {
    unwinder: &'a mut Unwinder,
    window: &'a Window,
    layout: &'a Layout,
    processes: &'a [u32],
    frames: Vec<Frame>,
}

/// Where the walk stands.
#[derive(Clone, Copy, Debug)]
struct Step {
    registers: Registers,
    /// They are a caller's: what it called has not returned yet.
    is_return: bool,
    /// They were found by a frame pointer.
    guessed: bool,
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
        if self.window.stack.is_empty() {
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
        if self.frames.is_empty() && !known.is_behind_syscall() {
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
            Rule::Unsaid => self.guess(step, Some(&place)),
        }
    }

    /// Where an address is. One that is returned to may be the first behind a function, whose last
    /// call never returns.
    fn place(&mut self, ip: u64, is_return: bool) -> Result<Option<Place>, Incomplete> {
        let back = u64::from(is_return);
        let Some((mapped, offset)) = self.layout.find(ip.wrapping_sub(back)) else {
            return Ok(None);
        };
        let place = self.unwinder.place(mapped, offset, self.processes)?;
        Ok(place.map(|place| Place {
            address: place.address.wrapping_add(back),
            ..place
        }))
    }

    /// Whether a stack begins with this address, which nobody called from: the first of a function,
    /// as `makecontext` writes it, or the second, as Go does.
    fn is_beginning(&mut self, place: &Place) -> bool {
        let image = self.unwinder.image(place);
        let function = image.and_then(|image| image.function(place.address));
        function.is_some_and(|function| place.address - function.start < 2)
    }

    /// A handler returns to code that it was not called from, so nothing ends right before that.
    fn push(&mut self, step: &Step, place: Option<(&Place, &Known)>) {
        let ip = step.registers.ip();
        let called = place.is_none_or(|(_, known)| !known.rule.is_signal());
        self.frames.push(Frame {
            ip,
            module: place.map(|(place, _)| Arc::clone(&place.module)),
            offset: place.map_or(ip, |(place, _)| place.address),
            is_return: step.is_return && called,
        });
    }

    /// The caller as the unwind information says. A stack grows downwards, so it lies above, except
    /// what was interrupted by a signal whose handler has a stack of its own.
    fn follow(&self, step: &Step, row: &Row) -> Result<Step, End> {
        let situation = Situation {
            registers: &step.registers,
            window: self.window,
        };
        let frame = situation
            .frame(&row.frame)
            .ok_or_else(|| Some(uncopied()))?;
        if frame <= step.registers.sp() && !row.signal {
            return Err(Some(misled()));
        }
        let [.., address] = &row.saved;
        let address = match address {
            Saved::Unspecified | Saved::Same => return Err(Some(misled())),
            rule => situation.saved(rule, register::RETURN, frame),
        };
        let address = address.ok().ok_or(Some(Incomplete::WindowEnded))?;
        let mut registers = step.registers.preserved();
        registers.set(register::SP, Some(frame));
        for (register, rule) in row.saved.iter().enumerate() {
            if *rule != Saved::Unspecified {
                registers.set(register, situation.saved(rule, register, frame).ok());
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

    /// The caller of code without unwind information.
    fn guess(&mut self, step: &Step, place: Option<&Place>) -> Result<Step, End> {
        let innermost = self.frames.len() == 1;
        let stub = place.filter(|_| innermost);
        match stub.and_then(|place| self.stub(step, place)) {
            Some(caller) => Ok(caller),
            None => self.by_frame_pointer(step, place),
        }
    }

    /// The caller of a function that enters the kernel without a frame of its own: the return
    /// address lies on top. Only a call of a fixed address right before the system call is proof.
    fn stub(&mut self, step: &Step, place: &Place) -> Option<Step> {
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
    fn by_frame_pointer(&mut self, step: &Step, place: Option<&Place>) -> Result<Step, End> {
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
        let (outer, address) = (read(self.window, bp), read(self.window, bp + 8));
        let (outer, address) = (outer.map_err(behind)?, address.map_err(behind)?);
        if !self.fits(address, step, place) {
            let over = outer == 0 && step.guessed;
            return Err(if over { None } else { lost() });
        }
        let mut registers = step.registers.preserved();
        registers.set(register::BP, Some(outer));
        registers.set(register::SP, Some(bp + 16));
        registers.set(register::RETURN, Some(address));
        caller(registers, true, true)
    }

    /// Whether a call that may have led to `place` ends right before `address`.
    fn fits(&mut self, address: u64, step: &Step, place: Option<&Place>) -> bool {
        let Ok(Some(from)) = self.place(address, true) else {
            return false;
        };
        match self.unwinder.known(&from, true).calls() {
            None => false,
            Some(Calls { indirect: true, .. }) => true,
            Some(Calls { direct, .. }) => direct.is_some_and(|distance| {
                let target = from.address.wrapping_add_signed(distance.into());
                self.leads(&from, target, step, place)
            }),
        }
    }

    /// Whether a call of `target` may have led to `place`, of which nobody says how it is unwound:
    /// not where somebody says it of the target, and not where the target begins behind it.
    fn leads(&mut self, from: &Place, target: u64, step: &Step, place: Option<&Place>) -> bool {
        let Some(image) = self.unwinder.image(from) else {
            return false;
        };
        let Some(target) = image.destination(target) else {
            return true;
        };
        let before = |place: &Place| {
            let inside = place.address.wrapping_sub(u64::from(step.is_return));
            place.image == from.image && target <= inside
        };
        image.function(target).is_none() && place.is_some_and(before)
    }
}

/// The next step; a return address of zero is the beginning of a thread.
fn caller(registers: Registers, is_return: bool, guessed: bool) -> Result<Step, End> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::testing::{layout, unwind, unwinder, window},
        *,
    };

    const BYTES: usize = 1 << 16;

    #[test]
    fn a_shorter_window_has_fewer_of_the_same_frames() {
        let whole = window(BYTES);
        let (frames, incomplete) = unwind(&whole);
        assert_eq!(incomplete, None);
        let (mut unwinder, layout) = (unwinder(), layout());
        let mut lengths = Vec::new();
        for length in (8..whole.stack.len()).step_by(8) {
            let window = Window {
                stack: whole.stack[..length].into(),
                ..whole.clone()
            };
            let unwound = unwinder.unwind(&window, &layout, &[std::process::id()]);
            assert!(frames.starts_with(&unwound.frames), "{length}");
            match unwound.incomplete {
                None => assert_eq!(unwound.frames, frames),
                reason => assert_eq!(reason, Some(Incomplete::WindowEnded), "{length}"),
            }
            lengths.push(unwound.frames.len());
        }
        assert!(lengths.is_sorted() && lengths[0] == 1);
        assert_eq!(lengths.last(), Some(&frames.len()));
    }

    #[test]
    fn without_a_window_there_is_no_frame() {
        let empty = Window {
            stack: [].into(),
            ..window(64)
        };
        assert_eq!(unwind(&empty), (vec![], Some(Incomplete::NoWindow)));
    }

    /// The list of modules is not the one of that time: nothing is shown rather than something
    /// else.
    #[test]
    fn an_address_behind_no_system_call_has_no_frame() {
        let mut window = window(BYTES);
        window.ip += 1;
        assert_eq!(unwind(&window), (vec![], Some(Incomplete::UnknownMapping)));
    }

    #[test]
    fn code_of_no_file_is_one_frame() {
        let mut window = window(BYTES);
        (window.ip, window.bp) = (0x1000, window.sp + 16);
        let (frames, incomplete) = unwind(&window);
        assert_eq!(incomplete, Some(Incomplete::UnknownMapping));
        let [frame] = &*frames else {
            panic!("{frames:?}");
        };
        assert!(frame.module.is_none() && frame.offset == 0x1000 && !frame.is_return);
    }

    /// Where the first return address is something else, the stack ends there.
    #[test]
    fn a_return_address_must_follow_a_call() {
        let whole = window(BYTES);
        let (frames, _) = unwind(&whole);
        let place = whole
            .stack
            .chunks(8)
            .position(|word| word == frames[1].ip.to_le_bytes());
        for (wrong, count) in [(1, 1), (1 << 62, 2)] {
            let mut window = whole.clone();
            let at = place.unwrap() * 8;
            let address = frames[1].ip.wrapping_add(wrong);
            window.stack[at..at + 8].copy_from_slice(&address.to_le_bytes());
            let (found, incomplete) = unwind(&window);
            assert_eq!(found.len(), count, "{found:?}");
            assert!(incomplete.is_some());
        }
    }

    #[test]
    fn no_stack_is_deeper_than_the_limit() {
        #[inline(never)]
        fn deep(depth: usize) -> Window {
            let window = if depth == 0 {
                window(1 << 20)
            } else {
                deep(depth - 1)
            };
            std::hint::black_box(window)
        }
        let (frames, incomplete) = unwind(&deep(200));
        assert_eq!(incomplete, Some(Incomplete::TooDeep));
        assert_eq!(frames.len(), FRAMES);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Any stack, with any registers.
        #[test]
        fn noise_ends(
            words in prop::collection::vec(prop_oneof![any::<u64>(), Just(0), 0..200_u64], 0..200),
            bp in prop_oneof![any::<u64>(), 0..2000_u64],
        ) {
            let own = window(1024);
            // Numbers below 200 stand for addresses that look right: of the stack, and of code.
            let (frames, _) = unwind(&window(BYTES));
            let real = |word: u64| match word {
                0..100 => own.sp + word * 8,
                100..200 => frames[word as usize % frames.len()].ip,
                other => other,
            };
            let stack: Vec<u8> = words.iter().flat_map(|word| real(*word).to_le_bytes()).collect();
            let bp = if bp < 2000 { own.sp + bp } else { bp };
            for ip in [own.ip, 0x1000, frames[1].ip] {
                let window = Window { ip, bp, stack: stack.clone().into(), ..own.clone() };
                let (frames, _) = unwind(&window);
                prop_assert!(frames.len() <= FRAMES);
            }
        }
    }

    #[test]
    #[ignore = "measures; run with --release and --nocapture"]
    fn windows_in_a_second() {
        let (mut unwinder, layout) = (unwinder(), layout());
        let window = window(BYTES);
        let mut count = || unwinder.unwind(&window, &layout, &[]).frames.len();
        let frames = count();
        let start = std::time::Instant::now();
        for _ in 0..100_000 {
            assert_eq!(count(), frames);
        }
        let nanoseconds = start.elapsed().as_nanos() / 100_000;
        println!(
            "{frames} frames: {nanoseconds} ns, {} a second",
            1_000_000_000 / nanoseconds
        );
    }
}
