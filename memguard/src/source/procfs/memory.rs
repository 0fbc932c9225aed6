//! Sizes and limits of a process: `statm`, `status` and `limits` of proc(5).

use super::{Procfs, process::status_field};

impl Procfs {
    /// Soft `RLIMIT_NOFILE`, getrlimit(2); `None` where it is unlimited or cannot be read.
    pub fn nofile_limit(&self, tgid: u32) -> Option<u64> {
        self.ask(tgid, "limits", soft_nofile)
    }

    /// Resident memory in bytes, `proc_pid_statm(5)`, as exact as the kernel's per-CPU counters.
    /// `None` where there is none: kernel threads, zombies.
    pub fn rss_bytes(&self, tgid: u32) -> Option<u64> {
        let pages = self.ask(tgid, "statm", resident_pages)?;
        pages.checked_mul(page_bytes()?)
    }

    /// Resident anonymous memory in bytes, `RssAnon` of `proc_pid_status(5)`.
    pub fn anonymous_rss_bytes(&self, tgid: u32) -> Option<u64> {
        self.ask(tgid, "status", anonymous_bytes)
    }
}

/// `Max open files`, soft limit, hard limit, unit; or the word `unlimited`.
fn soft_nofile(limits: &[u8]) -> Option<u64> {
    let columns = status_field(limits, "Max open files")?;
    columns.split_ascii_whitespace().next()?.parse().ok()
}

/// All fields are 0 where the thread has no memory (any more).
fn resident_pages(statm: &[u8]) -> Option<u64> {
    let pages = str::from_utf8(statm)
        .ok()?
        .split_ascii_whitespace()
        .nth(1)?
        .parse()
        .ok()?;
    (pages != 0).then_some(pages)
}

fn anonymous_bytes(status: &[u8]) -> Option<u64> {
    let kib = status_field(status, "RssAnon:")?
        .trim()
        .strip_suffix(" kB")?;
    kib.parse::<u64>().ok()?.checked_mul(1024)
}

fn page_bytes() -> Option<u64> {
    // SAFETY: takes a number and returns one.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(soft_nofile(limits.as_bytes()), expected, "{limits}");
        }
    }

    #[test]
    fn no_memory_is_unknown_not_zero() {
        for (statm, expected) in [
            (&b"732 417 400 5 0 120 0\n"[..], Some(417)),
            (b"0 0 0 0 0 0 0\n", None),
            (b"732", None),
            (b"\xff \xff", None),
            (b"", None),
        ] {
            assert_eq!(resident_pages(statm), expected);
        }
    }

    #[test]
    fn anonymous_memory_is_in_kib() {
        for (status, expected) in [
            (
                &b"Name:\tcat\nRssAnon:\t     104 kB\nRssFile:\t 1 kB\n"[..],
                Some(104 * 1024),
            ),
            (b"Name:\tRssAnon:\\n\n", None),
            (b"RssAnon:\t18446744073709551615 kB\n", None),
            (b"RssAnon:\t12\n", None),
            (b"", None),
        ] {
            assert_eq!(anonymous_bytes(status), expected);
        }
    }
}
