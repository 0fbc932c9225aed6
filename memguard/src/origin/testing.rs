//! A window of this very process, for tests.

use std::{arch::asm, ffi::c_void, fs::File, os::unix::fs::FileExt as _};

use super::{image::Images, layout::Layout, unwind::Unwinder};
use crate::{
    model::origin::{Frame, Incomplete, Window},
    source::procfs::Procfs,
};

/// What the kernel would copy at a system call that is made here. The frames of the callers are
/// whole; the innermost, which is this function's, is only as far as it matters.
#[inline(never)]
pub(super) fn window(bytes: usize) -> Window {
    let (ip, sp, bp): (u64, u64, u64);
    // SAFETY: getpid changes nothing but the registers that are named.
    unsafe {
        asm!(
            "syscall",
            "2: lea {ip}, [rip + 2b]",
            "mov {sp}, rsp",
            "mov {bp}, rbp",
            ip = out(reg) ip,
            sp = out(reg) sp,
            bp = out(reg) bp,
            inout("rax") libc::SYS_getpid => _,
            out("rcx") _,
            out("r11") _,
        );
    }
    let mut stack = vec![0; bytes];
    let memory = File::open("/proc/self/mem").unwrap();
    let count = memory.read_at(&mut stack, sp).unwrap();
    stack.truncate(count);
    Window {
        ip,
        sp,
        bp,
        cut: count == bytes,
        interrupted: false,
        stack: stack.into(),
    }
}

/// Addresses of all frames of this thread as the compiler's own unwinder finds them: this
/// function's first.
#[inline(never)]
pub(super) fn backtrace() -> Vec<u64> {
    unsafe extern "C-unwind" {
        fn _Unwind_Backtrace(
            step: extern "C" fn(*mut c_void, *mut c_void) -> i32,
            data: *mut c_void,
        ) -> i32;
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
    }
    extern "C" fn step(context: *mut c_void, data: *mut c_void) -> i32 {
        // SAFETY: the unwinder gives back the pointer that it was given below.
        let found = unsafe { &mut *data.cast::<Vec<u64>>() };
        // SAFETY: the context is the unwinder's own.
        found.push(unsafe { _Unwind_GetIP(context) } as u64);
        0
    }
    let mut found = Vec::<u64>::new();
    // SAFETY: the callback keeps to its contract, and `found` outlives the call.
    unsafe {
        _Unwind_Backtrace(step, (&raw mut found).cast());
    }
    found
}

pub(super) fn layout() -> Layout {
    Layout::of(Procfs::new("/proc").mappings(std::process::id()).unwrap())
}

pub(super) fn unwinder() -> Unwinder {
    Unwinder::new(Images::new("/proc".into()))
}

/// The frames of a window of this process.
pub(super) fn unwind(window: &Window) -> (Vec<Frame>, Option<Incomplete>) {
    let unwound = unwinder().unwind(window, &layout(), &[std::process::id()]);
    (unwound.frames, unwound.incomplete)
}
