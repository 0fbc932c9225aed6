//! What the kernel refuses a process: `/proc/PID/limits`, getrlimit(2).

use super::{Procfs, process::status_field};

/// Soft limits; `None` where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `RLIMIT_NOFILE`, descriptors.
    pub nofile: Option<u64>,
    /// `RLIMIT_AS`, bytes of address space.
    pub address_space: Option<u64>,
    /// `RLIMIT_DATA`, bytes of private writable memory.
    pub data: Option<u64>,
    /// `RLIMIT_NPROC`, threads of the real user.
    pub processes: Option<u64>,
}

impl Procfs {
    /// Soft limits of a process; `None` where they cannot be read.
    pub fn limits(&self, tgid: u32) -> Option<Limits> {
        self.ask(tgid, "limits", |limits| Some(soft_limits(limits)))
    }

    /// Soft `RLIMIT_NOFILE`; `None` where it is unlimited or cannot be read.
    pub fn nofile_limit(&self, tgid: u32) -> Option<u64> {
        self.limits(tgid)?.nofile
    }
}

fn soft_limits(limits: &[u8]) -> Limits {
    let soft = |name| soft_limit(limits, name);
    Limits {
        nofile: soft("Max open files"),
        address_space: soft("Max address space"),
        data: soft("Max data size"),
        processes: soft("Max processes"),
    }
}

/// Name, soft limit, hard limit, unit; a limit may be the word `unlimited`.
fn soft_limit(limits: &[u8], name: &str) -> Option<u64> {
    let columns = status_field(limits, name)?;
    columns.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::TestProcfs;

    #[test]
    fn the_soft_limit_is_the_first_column() {
        for (limits, expected) in [
            (
                "Max open files            1024                 524288               files\n",
                Some(1024),
            ),
            (
                "Max open files            unlimited            unlimited            files\n",
                None,
            ),
            (
                "Max processes             7\nMax open files 9 9 files",
                Some(9),
            ),
            ("Max open files", None),
            ("", None),
        ] {
            assert_eq!(soft_limits(limits.as_bytes()).nofile, expected, "{limits}");
        }
    }

    #[test]
    fn each_limit_is_its_own() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'S', 1).file(
            "7/limits",
            b"Limit                     Soft Limit           Hard Limit           Units     \n\
              Max data size             4096                 unlimited            bytes     \n\
              Max processes             11                   96365                processes \n\
              Max open files            12                   20000                files     \n\
              Max address space         unlimited            unlimited            bytes     \n",
        );
        let expected = Limits {
            nofile: Some(12),
            address_space: None,
            data: Some(4096),
            processes: Some(11),
        };
        let procfs = tree.procfs();
        assert_eq!(procfs.limits(7), Some(expected));
        assert_eq!((procfs.nofile_limit(7), procfs.limits(8)), (Some(12), None));
    }
}
