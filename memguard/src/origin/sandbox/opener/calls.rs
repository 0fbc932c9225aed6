//! The system calls of the opener.

use super::super::filter::{
    Only::{Any, OneOf, WithoutBits},
    Rule,
    Verdict::Allow,
};

/// Reading, finding, opening for reading; memory; the socket of the agent.
pub(in super::super) const ALLOWED: &[Rule] = &[
    Rule(libc::SYS_recvmsg, OneOf(0, &[0]), Allow),
    Rule(libc::SYS_sendmsg, OneOf(0, &[0]), Allow),
    Rule(libc::SYS_read, Any, Allow),
    Rule(libc::SYS_pread64, Any, Allow),
    Rule(libc::SYS_lseek, Any, Allow),
    Rule(libc::SYS_close, Any, Allow),
    Rule(libc::SYS_open, WithoutBits(&[(1, WRITING)]), Allow),
    Rule(libc::SYS_openat, WithoutBits(&[(2, WRITING)]), Allow),
    // Its flags lie in memory, where a filter does not see. What is opened to be written cannot be
    // written, and `nobody` may not open much so.
    Rule(libc::SYS_openat2, Any, Allow),
    Rule(libc::SYS_getdents64, Any, Allow),
    Rule(libc::SYS_readlink, Any, Allow),
    Rule(libc::SYS_readlinkat, Any, Allow),
    Rule(libc::SYS_stat, Any, Allow),
    Rule(libc::SYS_lstat, Any, Allow),
    Rule(libc::SYS_fstat, Any, Allow),
    Rule(libc::SYS_newfstatat, Any, Allow),
    Rule(libc::SYS_statx, Any, Allow),
    Rule(libc::SYS_fcntl, OneOf(1, FCNTL), Allow),
    Rule(libc::SYS_getppid, Any, Allow),
    Rule(libc::SYS_clock_gettime, Any, Allow),
    Rule(
        libc::SYS_mmap,
        WithoutBits(&[(2, EXECUTE), (3, SHARED)]),
        Allow,
    ),
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

/// Flags with which a file is opened to be written, or made.
const WRITING: u32 =
    (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND) as u32;

const EXECUTE: u32 = libc::PROT_EXEC as u32;

/// With which what is written in memory is written to the file.
const SHARED: u32 = libc::MAP_SHARED as u32;

/// What may be asked of a descriptor. Among the flags that are read is that it is open at all,
/// which Rust checks when it closes one.
const FCNTL: &[u32] = &[
    libc::F_DUPFD_CLOEXEC as u32,
    libc::F_GETFD as u32,
    libc::F_GETFL as u32,
];
