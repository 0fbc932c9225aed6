//! How much a process uses: `statm`, `status`, `stat` and `timers` of proc(5).

use std::ops::ControlFlow;

use super::{Procfs, process::status_field};
use crate::model::{memory::Usage, observed::UsageDetail};

/// The most that is read of `timers`, about 80 bytes each: more than `RLIMIT_SIGPENDING` lets one
/// user have on any host.
const TIMERS: usize = 16 * 1024 * 1024;

impl Procfs {
    /// What a process uses now; `None` where it has no memory: kernel threads, zombies, the gone.
    ///
    /// Without [`UsageDetail::apart`], anonymous memory is what is resident of it: what is swapped
    /// out does not count, which matters only where [`Procfs::swaps`]. Pages of `hugetlb` are
    /// in none of the sizes but the address space.
    pub fn usage(&self, tgid: u32, detail: UsageDetail) -> Option<Usage> {
        let UsageDetail {
            apart,
            threads,
            timers,
        } = detail;
        let mut usage = if apart {
            self.ask(tgid, "status", of_status)
        } else {
            self.ask(tgid, "statm", |statm| of_statm(statm, page_bytes()))
        }?;
        if threads && usage.threads.is_none() {
            usage.threads = self.thread_count(tgid);
        }
        if timers {
            usage.timers = self.timers(tgid);
        }
        Some(usage)
    }

    /// Threads of a process, with a leader that has exited; field 20 of `proc_pid_stat(5)`.
    pub fn thread_count(&self, tgid: u32) -> Option<u32> {
        Some(self.stat(&format!("{tgid}/stat")).ok()?.threads)
    }

    /// POSIX timers of a process, `proc_pid_timers(5)`; `None` where that cannot be read.
    pub fn timers(&self, tgid: u32) -> Option<u32> {
        let mut count = 0;
        let timers = self.each_line(&format!("{tgid}/timers"), TIMERS, |line| {
            count += u32::from(line.starts_with(b"ID:"));
            ControlFlow::Continue(())
        });
        timers.is_ok().then_some(count)
    }

    /// Resident memory in bytes, `proc_pid_statm(5)`, as exact as the kernel's per-CPU counters.
    /// `None` where there is none: kernel threads, zombies.
    pub fn rss_bytes(&self, tgid: u32) -> Option<u64> {
        let resident = self.usage(tgid, UsageDetail::LEAST)?.resident_bytes;
        (resident != 0).then_some(resident)
    }

    /// Resident anonymous memory in bytes, `RssAnon` of `proc_pid_status(5)`.
    pub fn anonymous_rss_bytes(&self, tgid: u32) -> Option<u64> {
        self.ask(tgid, "status", |status| {
            bytes(status_field(status, "RssAnon:")?.as_bytes())
        })
    }
}

/// Pages of size, resident, and resident of files and shared; all are 0 where the thread has no
/// memory (any more).
fn of_statm(statm: &[u8], page: u64) -> Option<Usage> {
    let mut fields = str::from_utf8(statm).ok()?.split_ascii_whitespace();
    let mut next = || fields.next()?.parse::<u64>().ok()?.checked_mul(page);
    let (size_bytes, resident_bytes, shared) = (next()?, next()?, next()?);
    (size_bytes > 0).then(|| Usage {
        anonymous_bytes: resident_bytes.saturating_sub(shared),
        shmem_bytes: None,
        resident_bytes,
        size_bytes,
        threads: None,
        timers: None,
    })
}

/// There are no sizes where the thread has no memory. One pass: this is read often.
fn of_status(status: &[u8]) -> Option<Usage> {
    let mut usage = Usage::default();
    let mut anonymous = None;
    for line in status.split(|&byte| byte == b'\n') {
        let colon = line.iter().position(|&byte| byte == b':');
        let Some((key, value)) = colon.and_then(|colon| line.split_at_checked(colon + 1)) else {
            continue;
        };
        match key {
            b"VmSize:" => usage.size_bytes = bytes(value)?,
            b"VmRSS:" => usage.resident_bytes = bytes(value)?,
            b"RssAnon:" => anonymous = bytes(value),
            b"RssShmem:" => usage.shmem_bytes = bytes(value),
            b"VmSwap:" => usage.anonymous_bytes = bytes(value)?,
            b"Threads:" => usage.threads = str::from_utf8(value).ok()?.trim().parse().ok(),
            _ => {}
        }
    }
    usage.anonymous_bytes = usage.anonymous_bytes.checked_add(anonymous?)?;
    Some(usage)
}

/// `   104 kB`.
pub(super) fn bytes(value: &[u8]) -> Option<u64> {
    let kib = value.trim_ascii().strip_suffix(b" kB")?;
    let kib: u64 = str::from_utf8(kib).ok()?.parse().ok()?;
    kib.checked_mul(1024)
}

fn page_bytes() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::TestProcfs;

    const KIB: u64 = 1024;
    const STATUS: &[u8] = b"Name:\tVmSize:\\n\nTgid:\t7\nVmPeak:\t9000 kB\nVmSize:\t    8000 kB\n\
        VmRSS:\t     700 kB\nRssAnon:\t     104 kB\nRssFile:\t 396 kB\nRssShmem:\t 200 kB\n\
        VmSwap:\t      16 kB\nThreads:\t3\nSigQ:\t1/9\n";

    #[test]
    fn without_detail_anonymous_is_what_is_not_shared() {
        for (statm, expected) in [
            (&b"732 417 400 5 0 120 0\n"[..], Some((732, 417, 17))),
            (b"732 0 0 5 0 120 0\n", Some((732, 0, 0))),
            (b"732 4 5 5 0 120 0\n", Some((732, 4, 0))),
            (b"0 0 0 0 0 0 0\n", None),
            (b"732 417", None),
            (b"18446744073709551615 1 1\n", None),
            (b"\xff \xff", None),
            (b"", None),
        ] {
            let found = of_statm(statm, 4 * KIB).map(|usage| {
                [
                    usage.size_bytes,
                    usage.resident_bytes,
                    usage.anonymous_bytes,
                ]
            });
            let expected: Option<(u64, u64, u64)> = expected;
            let expected = expected.map(|(size, rss, anon)| [size, rss, anon].map(|n| n * 4 * KIB));
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn status_tells_swapped_and_shared_memory_apart() {
        let expected = Usage {
            anonymous_bytes: 120 * KIB,
            shmem_bytes: Some(200 * KIB),
            resident_bytes: 700 * KIB,
            size_bytes: 8000 * KIB,
            threads: Some(3),
            timers: None,
        };
        assert_eq!(of_status(STATUS), Some(expected));
        for status in [
            &b"Name:\tkthreadd\nThreads:\t1\n"[..],
            b"Name:\tRssAnon:\\n\n",
            b"RssAnon:\t18446744073709551615 kB\n",
            b"RssAnon:\t12\n",
            b"",
        ] {
            assert_eq!(of_status(status), None);
        }
    }

    #[test]
    fn only_what_is_asked_for_is_read() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'S', 1)
            .file("7/statm", b"2000 175 149 5 0 120 0\n")
            .file("7/status", STATUS)
            .file(
                "7/timers",
                b"ID: 0\nsignal: 60/0\nnotify: signal/pid.7\nClockID: 0\nID: 5\n",
            );
        let procfs = tree.procfs();
        let threads = UsageDetail {
            threads: true,
            ..UsageDetail::LEAST
        };
        for (detail, expected) in [
            (UsageDetail::LEAST, (None, None, None)),
            (threads, (None, Some(1), None)),
            (UsageDetail::ALL, (Some(200 * KIB), Some(3), Some(2))),
        ] {
            let usage = procfs.usage(7, detail).unwrap();
            assert_eq!((usage.shmem_bytes, usage.threads, usage.timers), expected);
        }
        assert_eq!(procfs.usage(8, UsageDetail::ALL), None);
        assert_eq!(procfs.anonymous_rss_bytes(7), Some(104 * KIB));
    }

    #[test]
    fn a_process_without_leader_is_asked_through_a_thread_and_a_zombie_uses_nothing() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'Z', 1)
            .thread(7, 9, 'S')
            .file("7/statm", b"0 0 0 0 0 0 0\n")
            .file("7/status", b"Name:\tapi\nThreads:\t2\n")
            .file("7/task/9/statm", b"2000 175 149 5 0 120 0\n")
            .file("7/task/9/status", STATUS);
        tree.process(8, b"zombie", 'Z', 1)
            .file("8/statm", b"0 0 0 0 0 0 0\n")
            .file("8/status", b"Name:\tzombie\nThreads:\t1\n");
        let procfs = tree.procfs();
        for detail in [UsageDetail::LEAST, UsageDetail::ALL] {
            assert!(procfs.usage(7, detail).is_some());
            assert_eq!(procfs.usage(8, detail), None);
        }
    }
}
