//! Calls whose result is a descriptor.
//!
//! One program for all of them: it is the nursery's protocol that is long to verify, not the choice
//! among the calls. A positive result is not always a new descriptor; what the arguments must be is
//! said here, call by call.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use memguard_common::{call::Call, event::socket_detail, stats::Stat};

use super::new_fd::SyscallReturn;
use crate::{emit::count, kernel, regs::Arguments};

#[tracepoint]
fn acquire(context: TracePointContext) {
    let Some(returned) = SyscallReturn::take(&context) else {
        return;
    };
    let file = || returned.table.file(returned.result);
    let detail = match fd_result(returned.call(), returned.arguments) {
        FdResult::Detail(detail) => detail,
        FdResult::Nothing => return count(Stat::Failed),
        FdResult::AskTheFile => file().map_or(0, kernel::describe),
        FdResult::Opened(flags) => match file() {
            Some(file) => kernel::describe_opened(file, flags),
            None => u64::from(flags),
        },
    };
    returned.place(returned.result, detail, true);
}

/// What the arguments tell of the result.
enum FdResult {
    /// It is a new descriptor of this detail.
    Detail(u64),
    /// It is a new descriptor of some open file.
    AskTheFile,
    /// It is a new descriptor of what was opened with these flags, if they are at hand.
    Opened(u32),
    /// It is no new descriptor.
    Nothing,
}

#[inline(always)]
fn fd_result(call: u32, arguments: Arguments) -> FdResult {
    const OPEN: u32 = Call::Open as u32;
    const OPENAT: u32 = Call::Openat as u32;
    const OPENAT2: u32 = Call::Openat2 as u32;
    const CREAT: u32 = Call::Creat as u32;
    const SOCKET: u32 = Call::Socket as u32;
    const ACCEPT: u32 = Call::Accept as u32;
    const ACCEPT4: u32 = Call::Accept4 as u32;
    const DUP: u32 = Call::Dup as u32;
    const DUP2: u32 = Call::Dup2 as u32;
    const DUP3: u32 = Call::Dup3 as u32;
    const FCNTL: u32 = Call::Fcntl as u32;
    const PIDFD_GETFD: u32 = Call::PidfdGetfd as u32;
    const OPEN_BY_HANDLE_AT: u32 = Call::OpenByHandleAt as u32;
    const IOCTL: u32 = Call::Ioctl as u32;
    match call {
        OPENAT => FdResult::Opened(arguments.third() as u32),
        OPEN => FdResult::Opened(arguments.second() as u32),
        OPENAT2 | CREAT => FdResult::Opened(0),
        SOCKET => FdResult::Detail(socket(arguments)),
        FCNTL => file_if(duplicates(arguments.second())),
        // dup2(a, a) returns a, and nothing is acquired or released.
        DUP2 | DUP3 => file_if(arguments.first() as u32 != arguments.second() as u32),
        IOCTL => file_if(makes_descriptor(arguments.second() as u32)),
        ACCEPT | ACCEPT4 | DUP | PIDFD_GETFD | OPEN_BY_HANDLE_AT => FdResult::AskTheFile,
        0 => FdResult::Nothing,
        other if is_refused(other, arguments) => FdResult::Nothing,
        _ => FdResult::Detail(0),
    }
}

#[inline(always)]
fn file_if(new: bool) -> FdResult {
    if new {
        FdResult::AskTheFile
    } else {
        FdResult::Nothing
    }
}

/// `SOCK_NONBLOCK` and `SOCK_CLOEXEC` share the type's argument; the type is its low four bits.
#[inline(always)]
pub(super) fn socket(arguments: Arguments) -> u64 {
    let kind = (arguments.second() & 0xf) as u16;
    socket_detail(arguments.first() as u16, kind, arguments.third() as u16)
}

/// The two commands of `fcntl` that make a descriptor; others return small positive numbers too.
#[inline(always)]
fn duplicates(command: u64) -> bool {
    const F_DUPFD: u64 = 0;
    const F_DUPFD_CLOEXEC: u64 = 1030;
    matches!(command, F_DUPFD | F_DUPFD_CLOEXEC)
}

/// Calls that return a descriptor only with some arguments.
#[inline(always)]
fn is_refused(call: u32, arguments: Arguments) -> bool {
    const SIGNALFD: u32 = Call::Signalfd as u32;
    const SIGNALFD4: u32 = Call::Signalfd4 as u32;
    const LANDLOCK: u32 = Call::LandlockCreateRuleset as u32;
    const IO_URING: u32 = Call::IoUringSetup as u32;
    const SECCOMP: u32 = Call::Seccomp as u32;
    const BPF: u32 = Call::Bpf as u32;
    match call {
        // With a descriptor as the first argument it is changed and returned.
        SIGNALFD | SIGNALFD4 => arguments.first() as u32 != u32::MAX,
        // With flags it returns a version.
        LANDLOCK => arguments.third() as u32 != 0,
        IO_URING => is_registered_only(arguments.second()),
        SECCOMP => !has_listener(arguments),
        BPF => !makes_bpf_descriptor(arguments.first() as u32),
        _ => false,
    }
}

/// `IORING_SETUP_REGISTERED_FD_ONLY` in `io_uring_params.flags`: the result is an index.
#[inline(always)]
fn is_registered_only(parameters: u64) -> bool {
    const FLAGS: u64 = 8;
    const REGISTERED_FD_ONLY: u32 = 1 << 15;
    kernel::user::<u32>(parameters.wrapping_add(FLAGS))
        .is_some_and(|flags| flags & REGISTERED_FD_ONLY != 0)
}

/// `SECCOMP_SET_MODE_FILTER` with `SECCOMP_FILTER_FLAG_NEW_LISTENER`.
#[inline(always)]
fn has_listener(arguments: Arguments) -> bool {
    const SET_MODE_FILTER: u64 = 1;
    const NEW_LISTENER: u64 = 1 << 3;
    arguments.first() == SET_MODE_FILTER && arguments.second() & NEW_LISTENER != 0
}

/// `MAP_CREATE`, `PROG_LOAD`, `OBJ_GET`, the four `*_GET_FD_BY_ID`, `RAW_TRACEPOINT_OPEN`,
/// `BTF_LOAD`, `LINK_CREATE`, `ENABLE_STATS`, `ITER_CREATE` and `TOKEN_CREATE`; the others return
/// 0: <https://github.com/torvalds/linux/blob/v6.18/include/uapi/linux/bpf.h#L924>
#[inline(always)]
fn makes_bpf_descriptor(command: u32) -> bool {
    const COMMANDS: u64 = 1
        | 1 << 5
        | 1 << 7
        | 1 << 13
        | 1 << 14
        | 1 << 17
        | 1 << 18
        | 1 << 19
        | 1 << 28
        | 1 << 30
        | 1 << 32
        | 1 << 33
        | 1 << 36;
    command < 64 && COMMANDS >> command & 1 != 0
}

/// The requests of `ioctl` that return a new descriptor; many others return positive numbers.
#[inline(always)]
fn makes_descriptor(request: u32) -> bool {
    const NS_GET_USERNS: u32 = 0xb701;
    const NS_GET_PARENT: u32 = 0xb702;
    const PIDFD_GET_CGROUP_NAMESPACE: u32 = 0xff01;
    const PIDFD_GET_UTS_NAMESPACE: u32 = 0xff0a;
    const SIOCGSKNS: u32 = 0x894c;
    const TIOCGPTPEER: u32 = 0x5441;
    const KVM_CREATE_VM: u32 = 0xae01;
    const KVM_CREATE_VCPU: u32 = 0xae41;
    const USERFAULTFD_IOC_NEW: u32 = 0xaa00;
    matches!(
        request,
        NS_GET_USERNS | NS_GET_PARENT | PIDFD_GET_CGROUP_NAMESPACE
            ..=PIDFD_GET_UTS_NAMESPACE
                | SIOCGSKNS
                | TIOCGPTPEER
                | KVM_CREATE_VM
                | KVM_CREATE_VCPU
                | USERFAULTFD_IOC_NEW
    )
}
