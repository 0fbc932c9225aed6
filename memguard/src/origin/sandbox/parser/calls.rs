//! The system calls of the parser.

use super::super::filter::{
    Only::{Any, OneOf, WithoutBits},
    Rule,
    Verdict::{Allow, Refuse, Trap},
};

/// Reading what is open; memory; the socket of the agent.
pub(in super::super) const ALLOWED: &[Rule] = &[
    Rule(libc::SYS_recvmsg, OneOf(0, &[0]), Allow),
    Rule(libc::SYS_sendmsg, OneOf(0, &[0]), Allow),
    Rule(libc::SYS_read, Any, Allow),
    Rule(libc::SYS_pread64, Any, Allow),
    Rule(libc::SYS_lseek, Any, Allow),
    Rule(libc::SYS_close, Any, Allow),
    Rule(libc::SYS_fstat, Any, Allow),
    Rule(libc::SYS_fcntl, OneOf(1, FCNTL), Allow),
    Rule(libc::SYS_mmap, WithoutBits(&[(2, EXECUTE)]), Allow),
    Rule(libc::SYS_mprotect, WithoutBits(&[(2, EXECUTE)]), Allow),
    Rule(libc::SYS_munmap, Any, Allow),
    Rule(libc::SYS_mremap, Any, Allow),
    Rule(libc::SYS_madvise, Any, Allow),
    Rule(libc::SYS_brk, Any, Allow),
    Rule(libc::SYS_futex, Any, Allow),
    Rule(libc::SYS_getrandom, Any, Allow),
    Rule(libc::SYS_sigaltstack, Any, Allow),
    Rule(libc::SYS_rt_sigreturn, Any, Allow),
    Rule(libc::SYS_restart_syscall, Any, Allow),
    Rule(libc::SYS_exit, Any, Allow),
    Rule(libc::SYS_exit_group, Any, Allow),
    // By which blazesym opens files: answered by `trap`.
    Rule(libc::SYS_open, Any, Trap),
    Rule(libc::SYS_openat, Any, Trap),
    Rule(libc::SYS_stat, Any, Trap),
    Rule(libc::SYS_newfstatat, Any, Trap),
    // By which it resolves paths: there is nothing there.
    Rule(libc::SYS_readlink, Any, Refuse(libc::ENOENT)),
    Rule(libc::SYS_readlinkat, Any, Refuse(libc::ENOENT)),
    Rule(libc::SYS_lstat, Any, Refuse(libc::ENOENT)),
    // Where there is no such call, older ones are made, of the four above.
    Rule(libc::SYS_statx, Any, Refuse(libc::ENOSYS)),
];

const EXECUTE: u32 = libc::PROT_EXEC as u32;

/// What may be asked of a descriptor: a copy, and whether it is open, which Rust checks when it
/// closes one.
const FCNTL: &[u32] = &[libc::F_DUPFD_CLOEXEC as u32, libc::F_GETFD as u32];
