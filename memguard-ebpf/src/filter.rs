//! Do we care? The first lines of every program.

use aya_ebpf::helpers::{bpf_get_current_ancestor_cgroup_id, bpf_get_current_comm};
use memguard_common::{
    settings::{FILTERS, Scope, Selector, Settings, TARGET_SLOTS},
    stats::Stat,
};

use crate::{
    emit::count,
    kernel::Task,
    maps,
    memory::{clear_bits, read_volatile, set_bits, write_volatile},
};

/// The settings, as one run of a program sees them.
#[derive(Clone, Copy)]
pub(crate) struct Running {
    settings: &'static Settings,
    /// Read once: the agent may write another at any time.
    selector: Selector,
}

/// The settings, unless the programs are told to keep still.
#[inline(always)]
pub(crate) fn running() -> Option<Running> {
    let settings = maps::settings()?;
    let selector = read_volatile(&raw const settings.selector);
    (!selector.is(Scope::Stopped)).then_some(Running { settings, selector })
}

impl Running {
    /// Whether the set of process ids says who is watched.
    #[inline(always)]
    pub(crate) fn follows_pids(self) -> bool {
        self.selector.is(Scope::Pids)
    }

    /// The agent never is watched: it would feed itself.
    #[inline(always)]
    fn watches(self, tgid: u32) -> bool {
        if tgid == self.settings.agent {
            return false;
        }
        if self.selector.is(Scope::All) {
            return true;
        }
        if self.selector.is(Scope::Cgroups) {
            return in_cgroup(self.selector.slot()) != 0;
        }
        group(tgid).is_some_and(|(word, bit)| read_volatile(word) & bit != 0)
    }
}

/// The current task, if it is watched.
#[inline(always)]
pub(crate) fn watched(running: Running) -> Option<Task> {
    let task = Task::current();
    running.watches(task.tgid).then_some(task)
}

/// Where a thread group is in the set of those that are watched; `None` where its number is larger
/// than any was when memguard began.
#[inline(always)]
fn group(tgid: u32) -> Option<(*mut u64, u64)> {
    let word = maps::WATCHED.get_ptr_mut(tgid / u64::BITS)?;
    Some((word, 1 << (tgid % u64::BITS)))
}

/// cgroup v2 ids are inode numbers of the directories; ancestors cover everything below.
///
/// A function of its own to the verifier, which looks at it once and takes its result for any
/// number; inside its callers, each way out would be followed to their end.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn in_cgroup(slot: u32) -> u32 {
    let Some(settings) = maps::settings() else {
        return 0;
    };
    let target = &settings.targets[slot as usize & (TARGET_SLOTS - 1)];
    for index in 0..FILTERS {
        if index as u32 >= target.cgroup_count {
            return 0;
        }
        let filter = &target.cgroups[index];
        // SAFETY: no preconditions; a level deeper than the task's gives zero.
        let id = unsafe { bpf_get_current_ancestor_cgroup_id(filter.level as i32) };
        if id == filter.id {
            return 1;
        }
    }
    0
}

/// Starts to watch a thread group.
#[inline(always)]
pub(crate) fn watch(tgid: u32) {
    match group(tgid) {
        Some((word, bit)) => set_bits(word, bit),
        None => count(Stat::PidSetFull),
    }
}

/// Ends the watch over a thread group.
#[inline(always)]
pub(crate) fn forget(tgid: u32) {
    if let Some((word, bit)) = group(tgid) {
        clear_bits(word, bit);
    }
}

/// Watches the current process where its command name is one of those asked for.
#[inline(always)]
pub(crate) fn watch_by_name(running: Running) {
    let slot = running.selector.slot() as usize;
    let target = &running.settings.targets[slot & (TARGET_SLOTS - 1)];
    if target.comm_count == 0 || !running.follows_pids() {
        return;
    }
    let Ok(comm) = bpf_get_current_comm() else {
        return;
    };
    let mut next = 0;
    loop {
        // Loaded anew, so that the very number is compared with the bound: the compiler would count
        // another one down to zero, and the verifier of Linux 6.1 does not see that this ends.
        let index: usize = read_volatile(&raw const next);
        if index >= FILTERS || index as u32 >= target.comm_count {
            return;
        }
        if target.comms[index] == comm {
            watch(Task::current().tgid);
            return;
        }
        write_volatile(&raw mut next, index + 1);
    }
}
