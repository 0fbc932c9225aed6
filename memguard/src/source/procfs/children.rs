//! Whose child a process is, and whether it waits for its parent: `proc_pid_stat(5)`.

use super::{Procfs, stat::Stat};
use crate::model::ids::ProcessId;

impl Procfs {
    /// Whether this very process is there, as a zombie at least.
    pub fn is_alive(&self, process: ProcessId) -> bool {
        self.identity(process.tgid)
            .is_ok_and(|found| found == process)
    }

    /// Whether this very process has ended and nobody has waited for it. One whose leader has ended
    /// but other threads run is none, though its state is the same.
    pub fn is_zombie(&self, process: ProcessId) -> bool {
        let tgid = process.tgid;
        let ended = self.stat_of(process).is_some_and(|stat| stat.state == b'Z');
        ended && self.live_thread(tgid, tgid).is_ok_and(|tid| tid.is_none())
    }

    /// Thread group of this very process's parent; `None` where the process has gone, or its parent
    /// is in no PID namespace that memguard sees.
    pub fn parent(&self, process: ProcessId) -> Option<u32> {
        let parent = self.stat_of(process)?.parent;
        (parent != 0).then_some(parent)
    }

    fn stat_of(&self, process: ProcessId) -> Option<Stat> {
        let stat = self.stat(&format!("{}/stat", process.tgid)).ok()?;
        (stat.start_ticks == process.start_ticks).then_some(stat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::TestProcfs;

    #[test]
    fn only_the_very_process_is_a_zombie_or_has_a_parent() {
        let tree = TestProcfs::new();
        tree.process(7, b"zombie", 'Z', 3)
            .process(8, b"runs", 'S', 0)
            .process(9, b"no leader", 'Z', 3)
            .thread(9, 10, 'S')
            .process(11, b"dead", 'X', 3);
        let procfs = tree.procfs();
        for (tgid, start_ticks, expected) in [
            (7, 700, (true, Some(3))),
            (7, 701, (false, None)),
            (8, 800, (false, None)),
            (9, 900, (false, Some(3))),
            (11, 1100, (false, Some(3))),
            (12, 1200, (false, None)),
        ] {
            let process = ProcessId { tgid, start_ticks };
            let found = (procfs.is_zombie(process), procfs.parent(process));
            assert_eq!(found, expected, "{process:?}");
        }
    }
}
