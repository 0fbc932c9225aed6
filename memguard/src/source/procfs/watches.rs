//! What is watched through inotify: the lines of `/proc/PID/fdinfo/FD`, `proc_pid_fdinfo(5)`.

use std::ops::ControlFlow;

use super::{Procfs, look::descriptor};
use crate::model::{memory::Ceiling, observed::InotifyWatches};

/// What the link of an inotify descriptor says.
const INOTIFY: &str = "anon_inode:inotify";

/// Descriptors of a process that are looked at, 1.5 µs each, the lowest first: who watches files
/// begins with it.
const LOOKED_AT: usize = 1024;

/// The most that is read of one descriptor, some 120 bytes a watch: 70 000 of them. What is beyond
/// is not counted.
const BYTES: usize = 8 * 1024 * 1024;

impl Procfs {
    /// The watches of a process, in all of its inotify descriptors; `None` where it has gone.
    pub fn inotify_watches(&self, tgid: u32) -> Option<InotifyWatches> {
        let tid = self.live_thread(tgid, tgid).ok()??;
        let (numbers, _) = self.descriptors(tgid, Some(tid), LOOKED_AT).ok()?;
        let mut found = InotifyWatches::default();
        for fd in numbers {
            let target = self.link(&descriptor(tgid, tid, fd));
            if target.is_ok_and(|target| target == INOTIFY) {
                found.descriptors += 1;
                found.watches += self.watches_in(tgid, tid, fd);
            }
        }
        Some(found)
    }

    fn watches_in(&self, tgid: u32, tid: u32, fd: u32) -> u64 {
        let mut count = 0;
        let place = format!("{tgid}/task/{tid}/fdinfo/{fd}");
        // Closed meanwhile: it watches nothing.
        let _closed = self.each_line(&place, BYTES, |line| {
            count += u64::from(line.starts_with(b"inotify wd:"));
            ControlFlow::Continue(())
        });
        count
    }

    /// `fs.inotify.max_user_watches`, which is of a user; what is in use is known of the process
    /// alone.
    pub fn watch_ceiling(&self, tgid: u32) -> Option<Ceiling> {
        Some(Ceiling {
            name: "fs.inotify.max_user_watches",
            value: self.sysctl("fs/inotify/max_user_watches")?,
            used: self.inotify_watches(tgid)?.watches,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::{TestProcfs, real};

    const INFO: &[u8] = b"pos:\t0\nflags:\t02004000\nmnt_id:\t15\nino:\t1061\n\
        inotify wd:2 ino:1a3 sdev:fe00001 mask:fc6 ignored_mask:0 fhandle-bytes:8\n\
        inotify wd:1 ino:1a2 sdev:fe00001 mask:fc6 ignored_mask:0 fhandle-bytes:8\n";

    #[test]
    fn watches_of_all_inotify_descriptors_are_counted() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'S', 1)
            .descriptor(7, 7, 3, INOTIFY)
            .descriptor(7, 7, 4, "pipe:[5]")
            .descriptor(7, 7, 5, INOTIFY)
            .file("7/task/7/fdinfo/3", INFO)
            .file("7/task/7/fdinfo/4", INFO)
            .file("7/task/7/fdinfo/5", b"pos:\t0\n")
            .file("sys/fs/inotify/max_user_watches", b"8192\n");
        let procfs = tree.procfs();
        let expected = InotifyWatches {
            descriptors: 2,
            watches: 2,
        };
        assert_eq!(procfs.inotify_watches(7), Some(expected));
        let ceiling = procfs.watch_ceiling(7).unwrap();
        assert_eq!((ceiling.value, ceiling.used), (8192, 2));
        assert_eq!(procfs.inotify_watches(8), None);
    }

    #[test]
    fn the_kernel_writes_them_like_that() {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let count = || real().inotify_watches(std::process::id()).unwrap().watches;
        let before = count();
        let watcher = init(CreateFlags::CLOEXEC).unwrap();
        for folder in ["/proc", "/dev", "/tmp"] {
            add_watch(&watcher, folder, WatchFlags::CREATE).unwrap();
        }
        assert!(before + 3 <= count(), "{before} before");
    }
}
