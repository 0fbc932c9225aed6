//! Which tasks are watched: said once at the beginning, or anew at any time.

use std::sync::atomic::{AtomicU64, Ordering};

use memguard_common::settings::{CgroupFilter, FILTERS, Scope, TargetList};

use super::{Kernel, KernelError};

/// Which tasks to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Those that [`Kernel::watch`] names, their descendants, and what is called like this on exec.
    #[default]
    Pids,
    /// Those in these cgroups v2, given by id and level, and below.
    Cgroups(Vec<(u64, u32)>),
    /// All.
    All,
}

impl Target {
    /// As the programs have it; an error where there are more than they have room for.
    pub(super) fn list(&self, comms: &[String]) -> Result<(Scope, TargetList), KernelError> {
        let (scope, cgroups) = match self {
            Self::Pids => (Scope::Pids, [].as_slice()),
            Self::Cgroups(cgroups) => (Scope::Cgroups, cgroups.as_slice()),
            Self::All => (Scope::All, [].as_slice()),
        };
        if cgroups.len() > FILTERS || comms.len() > FILTERS {
            return Err(KernelError::Filters);
        }
        let mut list = TargetList {
            cgroup_count: cgroups.len() as u32,
            comm_count: comms.len() as u32,
            ..TargetList::default()
        };
        for (place, (id, level)) in list.cgroups.iter_mut().zip(cgroups) {
            *place = CgroupFilter {
                id: *id,
                level: *level,
                pad: 0,
            };
        }
        for (place, comm) in list.comms.iter_mut().zip(comms) {
            *place = command_name(comm);
        }
        Ok((scope, list))
    }
}

/// As the kernel has it: what does not fit before the last NUL is cut off.
fn command_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    bytes
}

impl Kernel {
    /// Says which tasks to watch, instead of those said before; from now on they are. Programs see
    /// all of a change or nothing of it. A second change waits until no program can be reading what
    /// it writes, some milliseconds. Who is watched by [`Self::watch`] stays so.
    pub fn target(&mut self, target: &Target, comms: &[String]) -> Result<(), KernelError> {
        let (scope, list) = target.list(comms)?;
        self.settings.target(scope, &list);
        Ok(())
    }

    /// Watches a process and what it will fork.
    pub fn watch(&mut self, tgid: u32) -> Result<(), KernelError> {
        let (word, bit) = self.watched(tgid)?;
        word.fetch_or(bit, Ordering::Relaxed);
        Ok(())
    }

    /// Ends the watch over a process; its children, which are watched for themselves, stay so. A
    /// fork that is under way may still make a watched child: whoever unwatches a family does so
    /// until its forks name nobody new. What the process has in the nursery comes with the next
    /// sweep.
    pub fn unwatch(&mut self, tgid: u32) -> Result<(), KernelError> {
        let (word, bit) = self.watched(tgid)?;
        word.fetch_and(!bit, Ordering::Relaxed);
        Ok(())
    }

    /// Where a thread group is in the set of those that are watched.
    pub(super) fn watched(&self, tgid: u32) -> Result<(&AtomicU64, u64), KernelError> {
        let word = self.watched.words().get((tgid / u64::BITS) as usize);
        let word = word.ok_or(KernelError::Map("WATCHED"))?;
        Ok((word, 1 << (tgid % u64::BITS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_what_was_asked_for_and_nothing_else() {
        let names = ["a-very-long-command-name", "sh"].map(str::to_owned);
        let (scope, list) = Target::Pids.list(&names).unwrap();
        assert_eq!((scope, list.comm_count), (Scope::Pids, 2));
        assert_eq!(list.comms[0], *b"a-very-long-com\0");
        assert_eq!(list.comms[1], *b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        let (scope, list) = Target::Cgroups(vec![(7, 2)]).list(&[]).unwrap();
        assert_eq!(
            (scope, list.cgroup_count, list.comm_count),
            (Scope::Cgroups, 1, 0)
        );
        assert_eq!((list.cgroups[0].id, list.cgroups[0].level), (7, 2));
        assert_eq!(list.comms, [[0; 16]; FILTERS]);
    }

    #[test]
    fn more_than_there_is_room_for_is_refused() {
        let names = vec!["sh".to_owned(); FILTERS + 1];
        assert!(matches!(
            Target::All.list(&names),
            Err(KernelError::Filters)
        ));
        let cgroups = Target::Cgroups(vec![(1, 1); FILTERS + 1]);
        assert!(matches!(cgroups.list(&[]), Err(KernelError::Filters)));
        assert!(Target::All.list(&names[1..]).is_ok());
    }
}
