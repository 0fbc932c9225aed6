//! What stops a process that grows, and how near it is.

use super::{
    Procfs,
    controllers::{MEMORY, PIDS},
    process::status_field,
    usage::bytes,
};
use crate::model::memory::Ceiling;

/// `vm.overcommit_memory` with which the kernel promises no more than it has, `proc_sys_vm(5)`.
const NEVER_OVERCOMMIT: u64 = 2;

/// `CAP_SYS_ADMIN` and `CAP_SYS_RESOURCE`, each of which frees from `RLIMIT_NPROC`.
const FREE_OF_NPROC: u64 = 1 << 21 | 1 << 24;

impl Procfs {
    /// Ceilings of memory, in bytes, as far as they are finite: of the control group
    /// (`memory.max`, in v1 `memory.limit_in_bytes`; page cache is no use of it), `RLIMIT_AS`,
    /// `RLIMIT_DATA`, and of the host `MemTotal` and, where it does not overcommit, `CommitLimit`.
    pub fn memory_ceilings(&self, tgid: u32) -> Vec<Ceiling> {
        let limits = self.limits(tgid).unwrap_or_default();
        let host = self.host_memory();
        let strict = self.sysctl("vm/overcommit_memory") == Some(NEVER_OVERCOMMIT);
        let own = |name, value: Option<u64>, field| {
            ceiling(name, value?, self.status_bytes(tgid, field)?)
        };
        let ceilings = [
            self.group_ceiling(tgid, &MEMORY),
            own("RLIMIT_AS", limits.address_space, "VmSize:"),
            own("RLIMIT_DATA", limits.data, "VmData:"),
            host.and_then(|host| {
                let used = host.total.saturating_sub(host.available);
                ceiling("MemTotal", host.total, used)
            }),
            host.filter(|_| strict)
                .and_then(|host| ceiling("CommitLimit", host.commit_limit, host.committed)),
        ];
        ceilings.into_iter().flatten().collect()
    }

    /// `vm.max_map_count`, which is per address space. Reads all of `maps`: 0.14 µs a mapping.
    pub fn map_ceiling(&self, tgid: u32) -> Option<Ceiling> {
        let value = self.sysctl("vm/max_map_count")?;
        ceiling("vm.max_map_count", value, self.map_count(tgid).ok()?)
    }

    /// Ceilings of threads, as far as they are finite: `pids.max` of the control group,
    /// `RLIMIT_NPROC` of the real user (5 µs for each process of the host), and of the host
    /// `kernel.threads-max` and `kernel.pid_max`.
    pub fn thread_ceilings(&self, tgid: u32) -> Vec<Ceiling> {
        let host = self.host_threads();
        let of_host = |name, path| ceiling(name, self.sysctl(path)?, host?);
        let ceilings = [
            self.group_ceiling(tgid, &PIDS),
            self.user_ceiling(tgid),
            of_host("kernel.threads-max", "kernel/threads-max"),
            of_host("kernel.pid_max", "kernel/pid_max"),
        ];
        ceilings.into_iter().flatten().collect()
    }

    /// `RLIMIT_SIGPENDING`, of which every POSIX timer takes one; counted by real user.
    pub fn timer_ceiling(&self, tgid: u32) -> Option<Ceiling> {
        let (used, value) = self.ask(tgid, "status", |status| {
            let (used, limit) = status_field(status, "SigQ:")?.trim().split_once('/')?;
            Some((used.parse().ok()?, limit.parse().ok()?))
        })?;
        ceiling("RLIMIT_SIGPENDING", value, used)
    }

    fn status_bytes(&self, tgid: u32, field: &str) -> Option<u64> {
        self.ask(tgid, "status", |status| {
            bytes(status_field(status, field)?.as_bytes())
        })
    }

    /// `RLIMIT_NPROC` does not bind root and the privileged, clone(2).
    fn user_ceiling(&self, tgid: u32) -> Option<Ceiling> {
        let value = self.limits(tgid)?.processes?;
        let user = self.ask(tgid, "status", User::parse)?;
        let bound = user.uid != 0 && user.capabilities & FREE_OF_NPROC == 0;
        let used = || self.threads_of_user(user.uid);
        bound.then(|| ceiling("RLIMIT_NPROC", value, used()?))?
    }

    fn threads_of_user(&self, uid: u32) -> Option<u64> {
        let processes = self.processes().ok()?.into_iter();
        let users =
            processes.filter_map(|tgid| self.find(&tgid.to_string(), "status", User::parse));
        let same = users.filter(|user| user.uid == uid);
        Some(same.map(|user| user.threads).fold(0, u64::saturating_add))
    }
}

/// Whose a process is.
#[derive(Debug)]
struct User {
    uid: u32,
    threads: u64,
    capabilities: u64,
}

impl User {
    /// Real user, threads and effective capabilities of `proc_pid_status(5)`.
    fn parse(status: &[u8]) -> Option<Self> {
        let field = |key| Some(status_field(status, key)?.trim());
        let uid = field("Uid:")?.split_ascii_whitespace().next()?;
        Some(Self {
            uid: uid.parse().ok()?,
            threads: field("Threads:")?.parse().ok()?,
            capabilities: u64::from_str_radix(field("CapEff:")?, 16).ok()?,
        })
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the end of a chain of what may be unknown"
)]
fn ceiling(name: &'static str, value: u64, used: u64) -> Option<Ceiling> {
    Some(Ceiling { name, value, used })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::TestProcfs;

    const MEMINFO: &[u8] = b"MemTotal: 100 kB\nMemAvailable: 60 kB\nCommitLimit: 70 kB\n\
        Committed_AS: 30 kB\n";

    fn tree() -> TestProcfs {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'S', 1)
            .file(
                "7/status",
                b"Uid:\t1000\t0\t0\t0\nVmSize:\t 8 kB\nVmData:\t 3 kB\nThreads:\t4\nSigQ:\t2/50\n\
                  CapEff:\t0000000000000000\n",
            )
            .file(
                "7/limits",
                b"Max data size 4096 8192 bytes\nMax processes 11 11 processes\n\
                  Max address space 16384 unlimited bytes\n",
            )
            .file("meminfo", MEMINFO)
            .file("loadavg", b"0 0 0 1/232 9\n")
            .file("sys/vm/overcommit_memory", b"0\n")
            .file("sys/vm/max_map_count", b"65530\n")
            .file("sys/kernel/threads-max", b"5000\n");
        tree
    }

    fn all(ceilings: Vec<Ceiling>) -> Vec<(&'static str, u64, u64)> {
        let tuple = |ceiling: Ceiling| (ceiling.name, ceiling.value, ceiling.used);
        ceilings.into_iter().map(tuple).collect()
    }

    #[test]
    fn finite_ceilings_of_memory_are_told_with_their_use() {
        let tree = tree();
        let expected = [
            ("RLIMIT_AS", 16384, 8192),
            ("RLIMIT_DATA", 4096, 3072),
            ("MemTotal", 102_400, 40_960),
        ];
        assert_eq!(all(tree.procfs().memory_ceilings(7)), expected);
        tree.file("sys/vm/overcommit_memory", b"2\n");
        let strict = all(tree.procfs().memory_ceilings(7));
        assert_eq!(strict.last(), Some(&("CommitLimit", 71_680, 30_720)));
        let unlimited = b"Max address space unlimited unlimited bytes\n";
        tree.file("7/limits", unlimited).file("meminfo", b"");
        assert_eq!(all(tree.procfs().memory_ceilings(7)), []);
    }

    #[test]
    fn threads_are_counted_where_the_limit_counts_them() {
        let tree = tree();
        tree.process(8, b"other", 'S', 1)
            .file(
                "8/status",
                b"Uid:\t1000\t0\t0\t0\nThreads:\t2\nCapEff:\t01000000\n",
            )
            .process(9, b"root", 'S', 1)
            .file("9/status", b"Uid:\t0\t0\t0\t0\nThreads:\t99\nCapEff:\t0\n");
        for tgid in [8, 9] {
            let limits = b"Max processes 11 11 processes\n";
            tree.file(&format!("{tgid}/limits"), limits);
        }
        let host = ("kernel.threads-max", 5000, 232);
        let procfs = tree.procfs();
        assert_eq!(
            all(procfs.thread_ceilings(7)),
            [("RLIMIT_NPROC", 11, 6), host]
        );
        assert_eq!(all(procfs.thread_ceilings(8)), [host], "privileged");
        assert_eq!(all(procfs.thread_ceilings(9)), [host], "root");
    }

    #[test]
    fn maps_and_timers_have_ceilings_too() {
        let tree = tree();
        tree.file(
            "7/maps",
            b"1000-2000 r-xp 0 08:01 5 /x\n3000-4000 rw-p 0 00:00 0 \n",
        );
        let procfs = tree.procfs();
        let maps = procfs.map_ceiling(7).into_iter().collect();
        assert_eq!(all(maps), [("vm.max_map_count", 65530, 2)]);
        let timers = procfs.timer_ceiling(7).into_iter().collect();
        assert_eq!(all(timers), [("RLIMIT_SIGPENDING", 50, 2)]);
        assert_eq!(
            (procfs.map_ceiling(8), procfs.timer_ceiling(8)),
            (None, None)
        );
    }
}
