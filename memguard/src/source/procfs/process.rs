//! Who a process is: `stat`, `status`, `comm`, `cmdline`, `exe` and `cgroup` of proc(5).

use super::{ProcError, Procfs, cgroup, container_id, stat::Stat, text};
use crate::model::{ids::ProcessId, process::ProcessInfo};

/// How much of a command line is kept, in bytes.
const COMMAND_LINE: usize = 4096;

impl Procfs {
    /// Whether there is a process with this thread group id; a thread's id does not count.
    pub fn exists(&self, tgid: u32) -> bool {
        self.thread_group(tgid).is_ok_and(|group| group == tgid)
    }

    /// The process that a process or thread id belongs to, `proc_pid_status(5)`.
    pub fn thread_group(&self, pid: u32) -> Result<u32, ProcError> {
        self.parse(&format!("{pid}/status"), "Tgid", |status| {
            status_field(status, "Tgid:")?.trim().parse().ok()
        })
    }

    /// The name that no other process of this boot has. The start is relative to the reader's time
    /// namespace, so memguard must run in the initial one, `time_namespaces(7)`.
    pub fn identity(&self, tgid: u32) -> Result<ProcessId, ProcError> {
        let stat = self.stat(&format!("{tgid}/stat"))?;
        Ok(ProcessId {
            tgid,
            start_ticks: stat.start_ticks,
        })
    }

    /// Command name, `comm`; at most 15 bytes for a process, more for a kernel thread.
    pub fn name(&self, tgid: u32) -> Option<String> {
        self.read(&format!("{tgid}/comm"), |comm| {
            text(comm.strip_suffix(b"\n").unwrap_or(comm))
        })
        .ok()
    }

    /// All that is known about a process; what cannot be read is `None`. [`ProcError::Gone`] where
    /// it ended before its identity was read, or another got its number meanwhile.
    pub fn info(&self, tgid: u32) -> Result<ProcessInfo, ProcError> {
        let stat = self.stat(&format!("{tgid}/stat"))?;
        let id = ProcessId {
            tgid,
            start_ticks: stat.start_ticks,
        };
        let place = self.directory(tgid, stat.alive());
        let cgroup = self.find(&place, "cgroup", cgroup::path);
        let info = ProcessInfo {
            id,
            parent: (stat.parent != 0).then_some(stat.parent),
            name: Some(stat.name),
            executable: self.executable(&place),
            command_line: self.find(&place, "cmdline", command_line),
            uid: self.find(&place, "status", effective_uid),
            container: cgroup.as_deref().and_then(container_id),
            cgroup,
        };
        match self.identity(tgid) {
            Ok(now) if now != id => Err(self.gone(&tgid.to_string())),
            _ => Ok(info),
        }
    }

    /// Without the mark of an executable that was replaced while it runs.
    fn executable(&self, place: &str) -> Option<String> {
        let mut path = self.link(&format!("{place}/exe")).ok()?;
        if path.ends_with(" (deleted)") {
            path.truncate(path.len() - " (deleted)".len());
        }
        Some(path)
    }

    pub(super) fn stat(&self, place: &str) -> Result<Stat, ProcError> {
        self.parse(place, "stat line", Stat::parse)
    }
}

/// What follows `key` in the line that begins with it. The kernel escapes newlines in `Name:`.
pub(super) fn status_field<'a>(status: &'a [u8], key: &str) -> Option<&'a str> {
    let mut lines = status.split(|&byte| byte == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(key.as_bytes()))?;
    str::from_utf8(value).ok()
}

/// `Uid:` is real, effective, saved and file system user.
fn effective_uid(status: &[u8]) -> Option<u32> {
    status_field(status, "Uid:")?
        .split_ascii_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// Arguments end with NUL; a kernel thread has none.
fn command_line(file: &[u8]) -> Option<String> {
    let kept = file.get(..COMMAND_LINE).unwrap_or(file);
    let end = kept.iter().rposition(|&byte| byte != 0)? + 1;
    Some(text(kept.get(..end)?).replace('\0', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::TestProcfs;

    #[test]
    fn hostile_names_are_text() {
        let long = [b'x'; 4096];
        for name in [
            &b"cat"[..],
            b"a) R 2 (b",
            b"two\nlines",
            b"\xff\xfe",
            b"",
            &long,
        ] {
            let tree = TestProcfs::new();
            tree.process(7, name, 'S', 1)
                .file("7/comm", &[name, b"\n"].concat());
            let procfs = tree.procfs();
            let info = procfs.info(7).unwrap();
            assert_eq!(
                info.id,
                ProcessId {
                    tgid: 7,
                    start_ticks: 700
                }
            );
            assert_eq!(info.name.as_deref(), Some(text(name).as_str()));
            assert_eq!(procfs.name(7), info.name);
        }
    }

    #[test]
    fn what_cannot_be_read_is_none() {
        let tree = TestProcfs::new();
        tree.process(7, b"cat", 'S', 0)
            .file("7/status", b"Uid:\tnobody")
            .file("7/cmdline", b"");
        let id = ProcessId {
            tgid: 7,
            start_ticks: 700,
        };
        let expected = ProcessInfo {
            name: Some("cat".to_owned()),
            ..ProcessInfo::unknown(id)
        };
        assert_eq!(tree.procfs().info(7).unwrap(), expected);
    }

    #[test]
    fn everything_that_can_be_read_is_told() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'S', 3)
            .link("7/exe", "/usr/bin/api (deleted)")
            .file("7/cmdline", b"api\0--port\080\0\0\0")
            .file(
                "7/status",
                b"Name:\tUid:\\n\nTgid:\t7\nUid:\t1000\t1001\t1002\t1003\n",
            )
            .file("7/cgroup", b"0::/lxc/web\n");
        let info = tree.procfs().info(7).unwrap();
        assert_eq!(info.parent, Some(3));
        assert_eq!(info.executable.as_deref(), Some("/usr/bin/api"));
        assert_eq!(info.command_line.as_deref(), Some("api --port 80"));
        assert_eq!(info.uid, Some(1001));
        assert_eq!(info.cgroup.as_deref(), Some("/lxc/web"));
        assert_eq!(info.container.as_deref(), Some("web"));
    }

    /// Where the leader has exited, its files are empty, its links dangle, and it has left its v1
    /// cgroup; a thread tells the truth.
    #[test]
    fn a_process_without_leader_is_asked_through_a_thread() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'Z', 3)
            .thread(7, 8, 'X')
            .thread(7, 9, 'S')
            .file("7/cmdline", b"")
            .file("7/task/9/cmdline", b"api\0")
            .file("7/cgroup", b"4:memory:/\n")
            .file("7/task/9/cgroup", b"4:memory:/jobs/9c51\n")
            .link("7/task/9/exe", "/usr/bin/api")
            .file("7/statm", b"0 0 0 0 0 0 0\n")
            .file("7/task/9/statm", b"9 1 1 1 0 1 0\n");
        let procfs = tree.procfs();
        let info = procfs.info(7).unwrap();
        assert_eq!(info.command_line.as_deref(), Some("api"));
        assert_eq!(info.executable.as_deref(), Some("/usr/bin/api"));
        assert_eq!(info.cgroup.as_deref(), Some("/jobs/9c51"));
        assert!(procfs.rss_bytes(7).is_some_and(|bytes| bytes >= 4096));
    }

    #[test]
    fn a_thread_is_no_process() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'S', 1)
            .file("7/status", b"Name:\tapi\nTgid:\t7\nNgid:\t0\n");
        tree.file("8/status", b"Tgid:\t7\n")
            .file("9/status", b"Name:\tTgid:\n");
        let procfs = tree.procfs();
        assert!(procfs.exists(7));
        assert!([8, 9, 10].iter().all(|&pid| !procfs.exists(pid)));
        assert_eq!(procfs.thread_group(8).unwrap(), 7);
        let error = procfs.thread_group(9).unwrap_err().to_string();
        assert!(error.ends_with("/9/status: no Tgid in it"), "{error}");
    }

    #[test]
    fn long_command_lines_are_cut() {
        let line = vec![b'x'; 2 * COMMAND_LINE];
        for (file, expected) in [(&line[..], COMMAND_LINE), (&line[..5], 5)] {
            assert_eq!(command_line(file).map(|line| line.len()), Some(expected));
        }
        assert_eq!(command_line(&[0; 9]), None);
    }

    #[test]
    fn a_process_that_ended_is_gone_and_a_missing_root_is_not() {
        let tree = TestProcfs::new();
        tree.process(7, b"cat", 'S', 1).remove("7");
        assert!(tree.procfs().identity(7).unwrap_err().is_gone());
        assert!(tree.procfs().info(7).unwrap_err().is_gone());
        assert_eq!(tree.procfs().name(7), None);
        let missing = Procfs::new(tree.path("nowhere")).processes().unwrap_err();
        assert!(matches!(missing, ProcError::Io { .. }), "{missing}");
    }
}
