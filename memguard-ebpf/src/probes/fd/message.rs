//! Descriptors that come in messages: `SCM_RIGHTS` and `SCM_PIDFD`, cmsg(3), unix(7).

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use memguard_common::stats::Stat;

use super::new_fd::SyscallReturn;
use crate::{
    emit::{add, charge, count},
    kernel::{carries_no_descriptors, user},
};

/// Most control messages looked at in one message.
const CONTROL_MESSAGES: usize = 4;
/// Most descriptors taken from a message; the kernel allows 253. What is beyond is counted and
/// found by comparing with `/proc`.
const DESCRIPTORS: u32 = 8;

/// Bytes of `struct cmsghdr`, and its alignment.
const HEADER: u64 = 16;
const ALIGNMENT: u64 = 8;

/// `recvmsg`: `struct msghdr` at the second argument, whose `msg_controllen` is what was used by
/// now. `recvmmsg`: an array of them, of which the first is looked at.
#[tracepoint]
fn acquire_message(context: TracePointContext) {
    const CONTROL: u64 = 32;
    let Some(returned) = SyscallReturn::take(&context) else {
        return;
    };
    // Another socket may have got the number while the call waited; then what was received is found
    // by comparing with `/proc`.
    let socket = returned.table.file(returned.arguments.first() as u32);
    if socket.is_some_and(carries_no_descriptors) {
        return count(Stat::Failed);
    }
    let message = returned.arguments.second();
    let control = user::<[u64; 2]>(message.wrapping_add(CONTROL));
    match control.and_then(|[control, length]| carrier(control, length)) {
        Some((array, number)) => descriptors(&returned, array, number),
        None => count(Stat::Failed),
    }
}

/// The first control message that carries descriptors: where they are, and how many. The kernel
/// puts all of a message into one.
#[inline(always)]
fn carrier(control: u64, length: u64) -> Option<(u64, u64)> {
    let mut at = 0u64;
    for _ in 0..CONTROL_MESSAGES {
        if at.wrapping_add(HEADER) > length {
            return None;
        }
        let place = control.wrapping_add(at);
        let size = user::<u64>(place)?;
        if size < HEADER || size > length {
            return None;
        }
        if carries_descriptors(user::<[u32; 2]>(place.wrapping_add(8))?) {
            return Some((place.wrapping_add(HEADER), (size - HEADER) / 4));
        }
        at = at.wrapping_add(size).wrapping_add(ALIGNMENT - 1) & !(ALIGNMENT - 1);
    }
    None
}

#[inline(always)]
fn carries_descriptors([level, kind]: [u32; 2]) -> bool {
    const SOL_SOCKET: u32 = 1;
    const SCM_RIGHTS: u32 = 1;
    const SCM_PIDFD: u32 = 4;
    level == SOL_SOCKET && matches!(kind, SCM_RIGHTS | SCM_PIDFD)
}

#[inline(always)]
fn descriptors(returned: &SyscallReturn, array: u64, number: u64) {
    if number == 0 {
        return count(Stat::Failed);
    }
    // The call is counted as one already.
    let looked_at = number.min(u64::from(DESCRIPTORS));
    add(Stat::Seen, looked_at - 1);
    returned.copy_stack();
    for index in 0..DESCRIPTORS {
        if u64::from(index) >= number {
            return;
        }
        match user::<u32>(array.wrapping_add(u64::from(index) * 4)) {
            Some(fd) => returned.direct(fd),
            None => count(Stat::Failed),
        }
    }
    if number > looked_at {
        add(Stat::MessagesCut, number - looked_at);
        charge(returned.task.process());
    }
}
