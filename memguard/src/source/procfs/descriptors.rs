//! How many descriptors a process has, and which: `/proc/PID/task/TID/fd`, `proc_pid_fd(5)`.

use std::ops::ControlFlow;

use rustix::fs::{AtFlags, PROC_SUPER_MAGIC, fstatfs, statat};

use super::{ProcError, Procfs};

impl Procfs {
    /// Whether `st_size` of a `fd` directory is the number of descriptors in it (from Linux 6.2):
    /// 0.7 µs for all instead of 0.9 µs for each. Found out once, on memguard itself.
    pub fn counts_descriptors(&self) -> bool {
        *self
            .counts_descriptors
            .get_or_init(|| self.size_is_count().unwrap_or(false))
    }

    /// Older kernels say 0, and memguard has at least the root open. Comparing with a list instead
    /// would fail whenever other threads open and close. Directories elsewhere have a size too.
    fn size_is_count(&self) -> Result<bool, ProcError> {
        let system = fstatfs(self.root_fd()?).map_err(|errno| self.fail("", errno))?;
        Ok(system.f_type == PROC_SUPER_MAGIC && self.size("self/fd")? > 0)
    }

    /// How many descriptors the process has open. [`ProcError::Gone`] for a zombie, which holds
    /// nothing any more.
    pub fn descriptor_count(&self, tgid: u32) -> Result<u64, ProcError> {
        if !self.counts_descriptors() {
            return self.of_process(tgid, |place| self.listed(place));
        }
        match self.size(&directory(tgid, tgid))? {
            0 => self.of_process(tgid, |place| self.size(place)),
            count => Ok(count),
        }
    }

    fn size(&self, place: &str) -> Result<u64, ProcError> {
        let stat = statat(self.root_fd()?, place, AtFlags::empty());
        let stat = stat.map_err(|errno| self.fail(place, errno))?;
        Ok(u64::try_from(stat.st_size).unwrap_or(0))
    }

    fn listed(&self, place: &str) -> Result<u64, ProcError> {
        let mut count = 0;
        self.each_number(place, |_| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    /// At most `limit` open descriptors, sorted, and whether there are more. Those of thread `tid`
    /// where one is given, else of the leader, or of any live thread where the leader has exited.
    /// [`ProcError::Gone`] where the thread, or all of them, exited meanwhile.
    pub fn descriptors(
        &self,
        tgid: u32,
        tid: Option<u32>,
        limit: usize,
    ) -> Result<(Vec<u32>, bool), ProcError> {
        let list = |place: &str| self.numbers(place, limit);
        match tid {
            Some(tid) => self.of_thread(tgid, tid, list),
            None => self.of_process(tgid, list),
        }
    }

    /// What `ask` says of a thread's table. A thread that exits gives its table up without a word:
    /// a list ends in the middle, a count is 0. So the answer counts only if it lives on.
    fn of_thread<T>(
        &self,
        tgid: u32,
        tid: u32,
        ask: impl FnOnce(&str) -> Result<T, ProcError>,
    ) -> Result<T, ProcError> {
        let place = directory(tgid, tid);
        let answer = ask(&place)?;
        if self.alive(tgid, tid)? {
            Ok(answer)
        } else {
            Err(self.gone(&place))
        }
    }

    /// The leader's table, or any live thread's where the leader has exited.
    fn of_process<T>(
        &self,
        tgid: u32,
        ask: impl Fn(&str) -> Result<T, ProcError>,
    ) -> Result<T, ProcError> {
        match self.of_thread(tgid, tgid, &ask) {
            Err(error) if error.is_gone() => match self.stand_in(tgid)? {
                Some(tid) => self.of_thread(tgid, tid, ask),
                None => Err(error),
            },
            answer => answer,
        }
    }
}

fn directory(tgid: u32, tid: u32) -> String {
    format!("{tgid}/task/{tid}/fd")
}

#[cfg(test)]
mod tests {
    use crate::source::procfs::testing::TestProcfs;

    #[test]
    fn descriptors_are_sorted_and_limited() {
        let tree = TestProcfs::new();
        tree.process(7, b"cat", 'S', 1);
        for fd in [11, 0, 2, 1] {
            tree.descriptor(7, 7, fd, "pipe:[5]");
        }
        let procfs = tree.procfs();
        assert!(!procfs.counts_descriptors());
        assert_eq!(procfs.descriptor_count(7).unwrap(), 4);
        for (limit, count, more) in [(0, 0, true), (3, 3, true), (4, 4, false), (9, 4, false)] {
            let found = procfs.descriptors(7, None, limit).unwrap();
            assert_eq!((found.0.len(), found.1), (count, more), "{limit}");
        }
        assert_eq!(procfs.descriptors(7, Some(7), 9).unwrap().0, [0, 1, 2, 11]);
    }

    /// The leader has exited: its own directory is empty, the thread's is not.
    #[test]
    fn a_process_without_leader_is_counted_through_a_thread() {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'Z', 1)
            .thread(7, 9, 'S')
            .descriptor(7, 9, 3, "pipe:[5]");
        tree.process(8, b"zombie", 'Z', 1);
        let procfs = tree.procfs();
        assert_eq!(procfs.descriptor_count(7).unwrap(), 1);
        assert_eq!(procfs.descriptors(7, None, 9).unwrap(), (vec![3], false));
        assert_eq!(procfs.descriptors(7, Some(9), 9).unwrap(), (vec![3], false));
        assert!(procfs.descriptors(7, Some(7), 9).unwrap_err().is_gone());
        for tgid in [8, 99] {
            assert!(procfs.descriptor_count(tgid).unwrap_err().is_gone());
            assert!(procfs.descriptors(tgid, None, 9).unwrap_err().is_gone());
        }
    }
}
