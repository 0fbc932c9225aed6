//! The system calls of both processes.

use super::filter::{
    Only::{Any, OneOf, WithoutBits},
    Rule,
    Verdict::Allow,
};

/// Memory that they may not ask for.
pub(super) const EXECUTE: u32 = libc::PROT_EXEC as u32;

/// Reading what is open; memory; the socket of the agent.
pub(super) const OF_BOTH: &[Rule] = &[
    Rule(libc::SYS_recvmsg, OneOf(0, &[0]), Allow),
    Rule(libc::SYS_sendmsg, OneOf(0, &[0]), Allow),
    Rule(libc::SYS_read, Any, Allow),
    Rule(libc::SYS_pread64, Any, Allow),
    Rule(libc::SYS_lseek, Any, Allow),
    Rule(libc::SYS_close, Any, Allow),
    Rule(libc::SYS_fstat, Any, Allow),
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
];
