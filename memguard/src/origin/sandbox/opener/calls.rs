//! The system calls of the opener.

use super::super::{
    calls::EXECUTE,
    filter::{
        Only::{Any, OneOf, WithoutBits},
        Rule,
        Verdict::Allow,
    },
};

/// Beside those of both processes: finding, and opening for reading.
pub(in super::super) const ALLOWED: &[Rule] = &[
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
];

/// Flags with which a file is opened to be written, or made.
const WRITING: u32 =
    (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND) as u32;

/// With which what is written in memory is written to the file.
const SHARED: u32 = libc::MAP_SHARED as u32;

/// What may be asked of a descriptor. Among the flags that are read is that it is open at all,
/// which Rust checks when it closes one.
const FCNTL: &[u32] = &[
    libc::F_DUPFD_CLOEXEC as u32,
    libc::F_GETFD as u32,
    libc::F_GETFL as u32,
];
