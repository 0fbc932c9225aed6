//! What the host has: `meminfo`, `loadavg` and `sys` of proc(5).

use super::{Procfs, process::status_field, usage::bytes};

/// Memory of the host in bytes, `proc_meminfo(5)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostMemory {
    /// `MemTotal`: all that the kernel can give away.
    pub total: u64,
    /// `MemAvailable`: what it estimates that it could give away now without swapping.
    pub available: u64,
    /// `SwapTotal`.
    pub swap: u64,
    /// `CommitLimit`: binding only where `vm.overcommit_memory` is 2.
    pub commit_limit: u64,
    /// `Committed_AS`: what has been promised.
    pub committed: u64,
}

impl Procfs {
    /// Memory of the host.
    pub fn host_memory(&self) -> Option<HostMemory> {
        self.read("meminfo", host_memory).ok()?
    }

    /// Whether the host can swap at all.
    pub fn swaps(&self) -> bool {
        self.host_memory().is_some_and(|memory| memory.swap > 0)
    }

    /// Tasks of the host, every thread counted, `proc_loadavg(5)`.
    pub fn host_threads(&self) -> Option<u64> {
        self.read("loadavg", host_threads).ok()?
    }

    /// Name of this boot; no two boots of any host have the same.
    pub fn boot_id(&self) -> Option<String> {
        let id = self.read("sys/kernel/random/boot_id", |id| {
            Some(str::from_utf8(id).ok()?.trim().to_owned())
        });
        id.ok()?.filter(|id| !id.is_empty())
    }

    /// A sysctl that is a number, by its path below `/proc/sys`.
    pub(super) fn sysctl(&self, path: &str) -> Option<u64> {
        self.number(&format!("sys/{path}"))
    }

    /// A file that is nothing but a number.
    pub(super) fn number(&self, place: &str) -> Option<u64> {
        self.read(place, |file| str::from_utf8(file).ok()?.trim().parse().ok())
            .ok()?
    }
}

fn host_memory(meminfo: &[u8]) -> Option<HostMemory> {
    let field = |key| bytes(status_field(meminfo, key)?.as_bytes());
    Some(HostMemory {
        total: field("MemTotal:")?,
        available: field("MemAvailable:")?,
        swap: field("SwapTotal:").unwrap_or(0),
        commit_limit: field("CommitLimit:").unwrap_or(u64::MAX),
        committed: field("Committed_AS:").unwrap_or(0),
    })
}

/// `0.00 0.01 0.05 1/232 4711`: running of all.
fn host_threads(loadavg: &[u8]) -> Option<u64> {
    let tasks = str::from_utf8(loadavg).ok()?.split(' ').nth(3)?;
    tasks.split_once('/')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::TestProcfs;

    #[test]
    fn memory_is_told_in_bytes() {
        let tree = TestProcfs::new();
        let procfs = tree.procfs();
        assert_eq!((procfs.host_memory(), procfs.swaps()), (None, false));
        tree.file(
            "meminfo",
            b"MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable: 60 kB\nSwapTotal: 5 kB\n\
              CommitLimit: 70 kB\nCommitted_AS: 30 kB\n",
        );
        let expected = [100, 60, 5, 70, 30].map(|kib| kib * 1024);
        let memory = procfs.host_memory().unwrap();
        let found = [
            memory.total,
            memory.available,
            memory.swap,
            memory.commit_limit,
            memory.committed,
        ];
        assert_eq!((found, procfs.swaps()), (expected, true));
    }

    #[test]
    fn what_is_no_number_is_unknown() {
        let tree = TestProcfs::new();
        tree.file("sys/kernel/pid_max", b"4194304\n")
            .file("sys/kernel/empty", b"")
            .file("sys/kernel/two", b"1\t2\n")
            .file("sys/kernel/random/boot_id", b"c0ffee\n")
            .file("loadavg", b"0.00 0.01 0.05 1/232 4711\n");
        let procfs = tree.procfs();
        assert_eq!(procfs.sysctl("kernel/pid_max"), Some(4194304));
        for path in ["kernel/empty", "kernel/two", "kernel/none"] {
            assert_eq!(procfs.sysctl(path), None, "{path}");
        }
        assert_eq!(procfs.boot_id().as_deref(), Some("c0ffee"));
        assert_eq!(procfs.host_threads(), Some(232));
        for loadavg in [&b""[..], b"0.0 0.0 0.0", b"0.0 0.0 0.0 7", b"0 0 0 1/x"] {
            assert_eq!(host_threads(loadavg), None);
        }
    }
}
