//! `io_uring`: operations that make or close a descriptor without a system call of their own.
//!
//! A request is told when it is submitted, parsed by then, and its result when it is completed,
//! maybe by another thread; group and table are the owner's in both. What goes into the ring's own
//! table (`file_slot`) has no number in the process's and is none of ours.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use memguard_common::{
    settings::{ABSENT, IO_URING_NUMBER},
    stats::Stat,
};

use super::{new_fd::SyscallReturn, release::release};
use crate::{
    emit::{count, lose},
    filter,
    kernel::{Task, probe},
    maps::{self, layout},
    probes::field,
    regs::Arguments,
};

/// Fields of both records.
const REQUEST: usize = 16;
const OPCODE: usize = 32;
const RESULT: usize = 32;
const FLAGS: usize = 36;

/// Operations, `enum io_uring_op`:
/// <https://github.com/torvalds/linux/blob/v6.18/include/uapi/linux/io_uring.h#L233>
mod operation {
    pub(super) const ACCEPT: u8 = 13;
    pub(super) const OPENAT: u8 = 18;
    pub(super) const CLOSE: u8 = 19;
    pub(super) const OPENAT2: u8 = 28;
    pub(super) const SOCKET: u8 = 45;
}

/// `io_uring:io_uring_submit_req`.
#[tracepoint]
fn uring_submit(context: TracePointContext) {
    let Some(running) = filter::running() else {
        return;
    };
    let operation: u8 = field(&context, OPCODE);
    let slot = match operation {
        operation::OPENAT | operation::OPENAT2 => layout!(uring_open_slot),
        operation::ACCEPT => layout!(uring_accept_slot),
        operation::SOCKET => layout!(uring_socket_slot),
        operation::CLOSE => layout!(uring_close_slot),
        _ => return,
    };
    let Some(task) = filter::watched(running) else {
        return;
    };
    let request: u64 = field(&context, REQUEST);
    if read(request, slot) != Some(0) {
        return;
    }
    if operation == operation::CLOSE {
        close(task, request);
    } else if maps::REQUESTS.insert(request, 0, 0).is_err() {
        // Its completion, which would have been counted, will not be known.
        count(Stat::Seen);
        lose(task.process(), Stat::LostAcquired);
    }
}

/// As `close` at its entry.
#[inline(always)]
fn close(task: Task, request: u64) {
    if let Some(fd) = read(request, layout!(uring_close_fd)) {
        count(Stat::Releases);
        release(task, fd);
    }
}

/// A field of the request's own part.
#[inline(always)]
fn read(request: u64, offset: usize) -> Option<u32> {
    if offset == ABSENT as usize {
        return None;
    }
    Some(probe(request.wrapping_add(offset as u64)))
}

/// `io_uring:io_uring_complete`. A multishot `accept` completes again and again.
#[tracepoint]
fn uring_complete(context: TracePointContext) {
    const MORE: u32 = 1 << 1;
    if filter::running().is_none() {
        return;
    }
    let request: u64 = field(&context, REQUEST);
    // SAFETY: the value is not looked at.
    if unsafe { maps::REQUESTS.get(request) }.is_none() {
        return;
    }
    let flags: u32 = field(&context, FLAGS);
    if flags & MORE == 0 {
        maps::REQUESTS
            .remove(request)
            .unwrap_or_else(maps::may_be_missing);
    }
    count(Stat::Seen);
    let result: i32 = field(&context, RESULT);
    let task = Task::current();
    match (result, task.table()) {
        (0.., Some(table)) => {
            let returned = SyscallReturn {
                task,
                table,
                number: IO_URING_NUMBER,
                result: result as u32,
                arguments: Arguments::of(task),
            };
            returned.copy_stack();
            returned.direct(returned.result);
        }
        _ => count(Stat::Failed),
    }
}
