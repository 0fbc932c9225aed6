//! Why a reading of `/proc` failed.

use std::{io, path::PathBuf};

use rustix::io::Errno;

/// A reading of `/proc` that failed; always names the file.
#[derive(Debug, thiserror::Error)]
pub enum ProcError {
    /// The process or thread ended (`ENOENT`, `ESRCH`), or the descriptor was closed.
    #[error("{path}: gone: the process, thread or descriptor no longer exists")]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// `EACCES` or `EPERM`.
    #[error(
        "{path}: permission denied: looking into other processes takes CAP_SYS_PTRACE and \
         CAP_DAC_READ_SEARCH in their user namespace; root in the initial one has both"
    )]
    Denied {
        /// The file.
        path: PathBuf,
    },
    /// Anything else the kernel said.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// The file is not what its man page says.
    #[error("{path}: no {what} in it")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What was not found.
        what: &'static str,
    },
}

impl ProcError {
    pub(super) fn new(path: PathBuf, errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::SRCH => Self::Gone { path },
            Errno::ACCESS | Errno::PERM => Self::Denied { path },
            errno => Self::Io {
                path,
                source: errno.into(),
            },
        }
    }

    /// The process, thread or descriptor no longer exists.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_names_the_file_and_what_to_do() {
        for (errno, expected) in [
            (Errno::NOENT, "/proc/7/stat: gone: "),
            (Errno::SRCH, "/proc/7/stat: gone: "),
            (Errno::ACCESS, "/proc/7/stat: permission denied: "),
            (Errno::PERM, "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"),
            (Errno::IO, "/proc/7/stat: Input/output error"),
        ] {
            let message = ProcError::new("/proc/7/stat".into(), errno).to_string();
            assert!(message.contains(expected), "{errno}: {message}");
        }
    }
}
