//! What one descriptor is: the links in `/proc/PID/task/TID/fd`, `proc_pid_fd(5)`.
//!
//! A thread may have a descriptor table of its own (`unshare(CLONE_FILES)`), so what is asked about
//! one descriptor goes through a thread.

use rustix::fs::{AtFlags, Statx, StatxFlags, makedev, statx};

use super::{ProcError, Procfs};
use crate::model::observed::OpenFile;

impl Procfs {
    /// What descriptor `fd` of a thread is; `None` where it is not open.
    ///
    /// [`ProcError::Gone`] where the thread has exited: its table may live on in others, so that
    /// says nothing about the descriptor. Ask through [`Procfs::live_thread`].
    pub fn look(&self, tgid: u32, tid: u32, fd: u32) -> Result<Option<OpenFile>, ProcError> {
        let place = descriptor(tgid, tid, fd);
        match self.see(&place) {
            Err(error) if error.is_gone() => self.absent(tgid, tid, &place, error),
            seen => seen.map(Some),
        }
    }

    /// No link means closed, if the thread lives on. A link without file is the file system's
    /// error.
    fn absent(
        &self,
        tgid: u32,
        tid: u32,
        place: &str,
        error: ProcError,
    ) -> Result<Option<OpenFile>, ProcError> {
        let closed = self.link(place).is_err_and(|error| error.is_gone());
        if closed && self.alive(tgid, tid)? {
            Ok(None)
        } else {
            Err(error)
        }
    }

    fn see(&self, place: &str) -> Result<OpenFile, ProcError> {
        let target = self.link(place)?;
        let stat = self.status(place)?;
        Ok(OpenFile {
            target,
            dev: makedev(stat.stx_dev_major, stat.stx_dev_minor),
            ino: stat.stx_ino,
            mode: u32::from(stat.stx_mode),
        })
    }

    pub(super) fn mode(&self, place: &str) -> Result<u32, ProcError> {
        Ok(u32::from(self.status(place)?.stx_mode))
    }

    /// The file may be on a network file system: what is cached of it is enough.
    fn status(&self, place: &str) -> Result<Statx, ProcError> {
        let mask = StatxFlags::TYPE | StatxFlags::MODE | StatxFlags::INO;
        statx(self.root_fd()?, place, AtFlags::STATX_DONT_SYNC, mask)
            .map_err(|errno| self.fail(place, errno))
    }
}

pub(super) fn descriptor(tgid: u32, tid: u32, fd: u32) -> String {
    format!("{tgid}/task/{tid}/fd/{fd}")
}

#[cfg(test)]
mod tests {
    use crate::{
        model::resource::Kind,
        source::procfs::testing::{TestProcfs, target},
    };

    #[test]
    fn looking_tells_closed_from_gone() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'Z', 1)
            .thread(7, 9, 'S')
            .descriptor(7, 9, 3, "pipe:[5]");
        let procfs = tree.procfs();
        let seen = procfs.look(7, 9, 3).unwrap().unwrap();
        assert_eq!(
            (seen.target.as_str(), seen.kind()),
            ("pipe:[5]", Kind::Pipe)
        );
        assert_eq!(procfs.look(7, 9, 4).unwrap(), None);
        assert!(
            procfs.look(7, 7, 3).unwrap_err().is_gone(),
            "the leader is a zombie"
        );
        assert!(
            procfs.look(7, 8, 3).unwrap_err().is_gone(),
            "there is no such thread"
        );
    }

    #[test]
    fn a_file_is_named_by_device_and_inode() {
        let tree = TestProcfs::new();
        let file = tree.path("two\nlines");
        tree.process(7, b"cat", 'S', 1)
            .file("two\nlines", b"")
            .descriptor(7, 7, 3, target(&file));
        let seen = tree.procfs().look(7, 7, 3).unwrap().unwrap();
        let stat = rustix::fs::stat(&file).unwrap();
        assert_eq!(
            (seen.dev, seen.ino, seen.mode),
            (stat.st_dev, stat.st_ino, stat.st_mode)
        );
        assert_eq!(
            (seen.target.as_str(), seen.kind()),
            (target(&file), Kind::File)
        );
    }
}
