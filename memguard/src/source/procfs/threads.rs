//! Through which thread a process is asked: `/proc/PID/task`, proc(5).
//!
//! A process whose leader has exited (`pthread_exit` in `main`) runs on in its other threads, but
//! `/proc/PID/fd`, `statm` and `maps` are empty: only `/proc/PID/task/TID` still tells.

use super::{ProcError, Procfs};

impl Procfs {
    /// A thread of the process that is neither zombie nor dead: `preferred`, else the leader, else
    /// any other; `None` where all have exited and nobody has waited for the process yet.
    pub fn live_thread(&self, tgid: u32, preferred: u32) -> Result<Option<u32>, ProcError> {
        for tid in [preferred, tgid] {
            if self.alive(tgid, tid)? {
                return Ok(Some(tid));
            }
        }
        for tid in self.numbers(&format!("{tgid}/task"), usize::MAX)?.0 {
            if self.alive(tgid, tid)? {
                return Ok(Some(tid));
            }
        }
        Ok(None)
    }

    /// The thread to ask where the leader says nothing because it has exited.
    pub(super) fn stand_in(&self, tgid: u32) -> Result<Option<u32>, ProcError> {
        Ok(self.live_thread(tgid, tgid)?.filter(|&tid| tid != tgid))
    }

    pub(super) fn alive(&self, tgid: u32, tid: u32) -> Result<bool, ProcError> {
        match self.stat(&format!("{tgid}/task/{tid}/stat")) {
            Ok(stat) => Ok(stat.alive()),
            Err(error) if error.is_gone() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Directory of the process, or of a live thread where the leader has exited.
    pub(super) fn directory(&self, tgid: u32, leader_alive: bool) -> String {
        let other = if leader_alive {
            Ok(None)
        } else {
            self.stand_in(tgid)
        };
        let other = other.ok().flatten();
        other.map_or_else(|| tgid.to_string(), |tid| format!("{tgid}/task/{tid}"))
    }

    /// What `parse` finds in a file of a process or thread.
    pub(super) fn find<T>(
        &self,
        directory: &str,
        file: &str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        self.read(&format!("{directory}/{file}"), parse).ok()?
    }

    /// The same for files in which a leader that has exited says nothing; only then a live thread
    /// is asked.
    pub(super) fn ask<T>(
        &self,
        tgid: u32,
        file: &str,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let found = self.find(&tgid.to_string(), file, &parse);
        found.or_else(|| {
            let tid = self.stand_in(tgid).ok()??;
            self.find(&format!("{tgid}/task/{tid}"), file, &parse)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::source::procfs::testing::TestProcfs;

    #[test]
    fn the_live_thread_is_the_preferred_one_else_the_leader_else_any() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'S', 3)
            .thread(7, 8, 'S')
            .thread(7, 9, 'Z');
        tree.process(17, b"api", 'Z', 3)
            .thread(17, 18, 'X')
            .thread(17, 19, 'D');
        tree.process(27, b"zombie", 'Z', 3);
        let procfs = tree.procfs();
        for (tgid, preferred, expected) in [
            (7, 8, Some(8)),
            (7, 7, Some(7)),
            (7, 9, Some(7)),
            (7, 17, Some(7)),
            (17, 18, Some(19)),
            (17, 19, Some(19)),
            (17, 7, Some(19)),
            (27, 27, None),
        ] {
            let found = procfs.live_thread(tgid, preferred).unwrap();
            assert_eq!(found, expected, "{tgid} {preferred}");
        }
        assert!(procfs.live_thread(99, 99).unwrap_err().is_gone());
    }
}
