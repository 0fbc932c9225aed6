//! The programs, by family. Each is filter, read, emit.

/// A line for whoever debugs the programs; nothing without the feature `debug-log`, which the
/// shipped object is built without.
macro_rules! log {
    ($context:expr, $($message:tt)+) => {
        #[cfg(feature = "debug-log")]
        aya_log_ebpf::info!($context, $($message)+);
    };
}

mod fd;
mod key;
mod memory;
mod object;
mod process;
mod snapshot;

use aya_ebpf::{EbpfContext as _, programs::TracePointContext};

use crate::memory::read_volatile;

/// A field of the tracepoint's record at a fixed offset. Volatile: one load, not a helper call. The
/// agent compares the offsets with the kernel's `format` files before it attaches.
#[inline(always)]
fn field<T: Copy>(context: &TracePointContext, offset: usize) -> T {
    let field = context
        .as_ptr()
        .cast::<u8>()
        .cast_const()
        .wrapping_add(offset);
    read_volatile(field.cast())
}

/// Number of the system call: `int __syscall_nr` of every `syscalls:*` record.
const SYSCALL_NUMBER: usize = 8;
/// `long ret` of every `sys_exit_*` record, and the first argument of every `sys_enter_*`.
const RESULT_OR_FIRST: usize = 16;
