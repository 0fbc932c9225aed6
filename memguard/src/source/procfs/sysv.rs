//! Shared memory segments of System V: `/proc/sysvipc/shm`, sysvipc(7).
//!
//! They are those of memguard's own IPC namespace: what a container creates in one of its own is
//! not among them.

use std::ops::ControlFlow;

use super::{ProcError, Procfs};
use crate::model::observed::ShmSegment;

/// The most that is read, 200 bytes each: as many segments as the kernel can have without
/// `ipcmni_extend`.
const BYTES: usize = 8 * 1024 * 1024;

/// `SHM_DEST` of `linux/shm.h`: goes as soon as nobody has it attached.
const DESTROYED: u32 = 0o1000;

impl Procfs {
    /// All segments, in the kernel's order; [`ProcError::Gone`] where the kernel has none at all
    /// (`CONFIG_SYSVIPC`).
    pub fn segments(&self) -> Result<Vec<ShmSegment>, ProcError> {
        let mut segments = Vec::new();
        self.each_segment(|segment| {
            segments.push(segment);
            ControlFlow::Continue(())
        })?;
        Ok(segments)
    }

    /// One segment; `None` where there is none of that id.
    pub fn segment(&self, shmid: i32) -> Result<Option<ShmSegment>, ProcError> {
        let mut found = None;
        self.each_segment(|segment| {
            found = (segment.shmid == shmid).then_some(segment);
            if found.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(found)
    }

    /// The head of the table is no segment.
    fn each_segment(
        &self,
        mut each: impl FnMut(ShmSegment) -> ControlFlow<()>,
    ) -> Result<(), ProcError> {
        self.each_line("sysvipc/shm", BYTES, |line| match ShmSegment::parse(line) {
            Some(segment) => each(segment),
            None => ControlFlow::Continue(()),
        })?;
        Ok(())
    }
}

impl ShmSegment {
    /// `key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap`
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = str::from_utf8(line).ok()?.split_ascii_whitespace();
        let mut next = || fields.next();
        let (key, shmid) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let mode = u32::from_str_radix(next()?, 8).ok()?;
        Some(Self {
            shmid,
            key,
            perms: mode & 0o777,
            removed: mode & DESTROYED != 0,
            size: next()?.parse().ok()?,
            creator: next()?.parse().ok()?,
            last: next()?.parse().ok()?,
            attached: next()?.parse().ok()?,
            uid: next()?.parse().ok()?,
            changed: fields.nth(13 - 8)?.parse().ok()?,
            resident_bytes: fields.next().and_then(|rss| rss.parse().ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::TestProcfs;

    const SHM: &[u8] = b"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap
         0          5   600               1048576   700   701      2  1000     1     2     3         10         11 1795000000                 8192                     0
-559038737      32774  1644                     1   800     0      1     0     0     0     0          0          0          9                    0                     0
         7          9     0 nonsense
         7         10   600                    16   800     0      0     0     0     0     0          0          0          9
";

    #[test]
    fn segments_are_told_and_nonsense_is_not() {
        let tree = TestProcfs::new();
        tree.file("sysvipc/shm", SHM);
        let procfs = tree.procfs();
        let expected = ShmSegment {
            shmid: 5,
            key: 0,
            perms: 0o600,
            removed: false,
            size: 1 << 20,
            creator: 700,
            last: 701,
            attached: 2,
            uid: 1000,
            changed: 1_795_000_000,
            resident_bytes: Some(8192),
        };
        let segments = procfs.segments().unwrap();
        let ids: Vec<_> = segments.iter().map(|segment| segment.shmid).collect();
        assert_eq!((ids, segments[0]), (vec![5, 32774, 10], expected));
        assert_eq!(segments[2].resident_bytes, None);
        let removed = procfs.segment(32774).unwrap().unwrap();
        assert_eq!((removed.removed, removed.perms), (true, 0o644));
        assert_eq!(removed.key, -559_038_737);
        assert_eq!(procfs.segment(9).unwrap(), None);
    }

    #[test]
    fn a_kernel_without_segments_says_so() {
        assert!(TestProcfs::new().procfs().segments().unwrap_err().is_gone());
    }
}
