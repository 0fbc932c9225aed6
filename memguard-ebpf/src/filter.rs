//! Do we care? The first lines of every program.

use aya_ebpf::helpers::{bpf_get_current_ancestor_cgroup_id, bpf_get_current_comm};
use memguard_common::{
    settings::{FILTERS, Scope, Settings},
    stats::Stat,
};

use crate::{
    emit::count,
    kernel::Task,
    maps,
    memory::{clear_bits, peek, poke, set_bits},
};

/// The settings, unless the programs are told to keep still.
#[inline(always)]
pub(crate) fn running() -> Option<&'static Settings> {
    let settings = maps::settings()?;
    // The agent may write it at any time.
    (peek(&raw const settings.stopped) == 0).then_some(settings)
}

/// The current task, if it is watched.
#[inline(always)]
pub(crate) fn watched(settings: &Settings) -> Option<Task> {
    let task = Task::current();
    is_watched(settings, task.tgid).then_some(task)
}

/// The agent never is: it would feed itself.
#[inline(always)]
fn is_watched(settings: &Settings, tgid: u32) -> bool {
    if tgid == settings.agent {
        return false;
    }
    if settings.scope == Scope::All as u32 {
        return true;
    }
    if settings.scope == Scope::Cgroups as u32 {
        return in_cgroup() != 0;
    }
    group(tgid).is_some_and(|(word, bit)| peek(word) & bit != 0)
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
extern "C" fn in_cgroup() -> u32 {
    let Some(settings) = maps::settings() else {
        return 0;
    };
    for index in 0..FILTERS {
        if index as u32 >= settings.cgroup_count {
            return 0;
        }
        let filter = &settings.cgroups[index];
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
pub(crate) fn watch_by_name(settings: &Settings) {
    if settings.comm_count == 0 || settings.scope != Scope::Pids as u32 {
        return;
    }
    let Ok(comm) = bpf_get_current_comm() else {
        return;
    };
    let mut next = 0;
    loop {
        // Loaded anew, so that the very number is compared with the bound: the compiler would count
        // another one down to zero, and the verifier of Linux 6.1 does not see that this ends.
        let index: usize = peek(&raw const next);
        if index >= FILTERS || index as u32 >= settings.comm_count {
            return;
        }
        if settings.comms[index] == comm {
            watch(Task::current().tgid);
            return;
        }
        poke(&raw mut next, index + 1);
    }
}
