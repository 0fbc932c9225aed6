//! The system calls of the parser.

use super::super::{
    calls::EXECUTE,
    filter::{
        Only::{Any, OneOf, WithoutBits},
        Rule,
        Verdict::{Allow, Refuse, Trap},
    },
};

/// Beside those of both processes: what it asks of paths is answered, or refused.
pub(in super::super) const ALLOWED: &[Rule] = &[
    Rule(libc::SYS_fcntl, OneOf(1, FCNTL), Allow),
    Rule(libc::SYS_mmap, WithoutBits(&[(2, EXECUTE)]), Allow),
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

/// What may be asked of a descriptor: a copy, and whether it is open, which Rust checks when it
/// closes one.
const FCNTL: &[u32] = &[libc::F_DUPFD_CLOEXEC as u32, libc::F_GETFD as u32];
