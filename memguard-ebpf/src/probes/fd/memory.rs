//! Calls that leave descriptors in the caller's memory.
//!
//! Other threads can read and close them before the call returns, so the slot is looked at before
//! anything is recorded: 9 in 1 000 pipes whose array another thread polled were closed by then.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use memguard_common::{call::Call, stats::Stat};

use super::{acquire::socket, new_fd::SyscallReturn};
use crate::{emit::count, kernel::user};

/// `pipe`, `pipe2`: `int[2]` at the first argument; `socketpair`: at the fourth.
#[tracepoint]
fn acquire_pair(context: TracePointContext) {
    const SOCKETPAIR: u32 = Call::Socketpair as u32;
    let Some(returned) = SyscallReturn::take(&context) else {
        return;
    };
    let arguments = returned.arguments;
    let (array, detail) = match returned.call() {
        SOCKETPAIR => (arguments.fourth(), socket(arguments)),
        _ => (arguments.first(), 0),
    };
    let Some(pair) = user::<[u32; 2]>(array) else {
        return count(Stat::Failed);
    };
    // The call is counted as one; the second descriptor makes it two.
    count(Stat::Seen);
    for fd in pair {
        if returned.table.file(fd).is_some() {
            returned.place(fd, detail, false);
        } else {
            count(Stat::TakenBack);
        }
    }
}

/// `clone` and `clone3` with `CLONE_PIDFD`, `getsockopt` with `SO_PEERPIDFD`: one descriptor. The
/// child of a clone returns too, with zero and nothing acquired.
#[tracepoint]
fn acquire_one(context: TracePointContext) {
    let Some(returned) = SyscallReturn::take(&context) else {
        return;
    };
    match place(&returned).and_then(user::<u32>) {
        Some(fd) => {
            returned.copy_stack();
            returned.direct(fd);
        }
        None => count(Stat::Failed),
    }
}

/// Where the descriptor is, if there is one.
#[inline(always)]
fn place(returned: &SyscallReturn) -> Option<u64> {
    const CLONE: u32 = Call::Clone as u32;
    const CLONE3: u32 = Call::Clone3 as u32;
    const CLONE_PIDFD: u64 = 0x1000;
    const SOL_SOCKET: u32 = 1;
    const SO_PEERPIDFD: u32 = 77;
    let arguments = returned.arguments;
    match returned.call() {
        CLONE3 if returned.result > 0 => {
            // struct clone_args { u64 flags; u64 pidfd; ... }
            let [flags, pidfd] = user::<[u64; 2]>(arguments.first())?;
            (flags & CLONE_PIDFD != 0).then_some(pidfd)
        }
        CLONE if returned.result > 0 => {
            (arguments.first() & CLONE_PIDFD != 0).then_some(arguments.third())
        }
        CLONE | CLONE3 => None,
        _ => {
            let asked = (arguments.second() as u32, arguments.third() as u32);
            (asked == (SOL_SOCKET, SO_PEERPIDFD)).then_some(arguments.fourth())
        }
    }
}
