//! Do we care? The first lines of every program.

use aya_ebpf::helpers::{
    bpf_get_current_ancestor_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid,
};
use memguard_common::{
    settings::{FILTERS, Scope, Settings},
    stats::Stat,
};

use crate::{emit::count, maps, memory::peek};

/// The settings, unless the programs are told to keep still.
#[inline(always)]
pub(crate) fn running() -> Option<&'static Settings> {
    let settings = maps::settings()?;
    // The agent may write it at any time.
    (peek(&raw const settings.stopped) == 0).then_some(settings)
}

/// Whether the current task is watched. The agent never is: it would feed itself.
#[inline(always)]
pub(crate) fn watched(settings: &Settings) -> bool {
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    if tgid == settings.agent {
        return false;
    }
    if settings.scope == Scope::All as u32 {
        return true;
    }
    if settings.scope == Scope::Cgroups as u32 {
        return in_cgroup(settings);
    }
    // SAFETY: the value is not looked at.
    unsafe { maps::PIDS.get(tgid) }.is_some()
}

/// cgroup v2 ids are inode numbers of the directories; ancestors cover everything below.
#[inline(always)]
fn in_cgroup(settings: &Settings) -> bool {
    for index in 0..FILTERS {
        if index as u32 >= settings.cgroup_count {
            return false;
        }
        let filter = &settings.cgroups[index];
        // SAFETY: no preconditions; a level deeper than the task's gives zero.
        let id = unsafe { bpf_get_current_ancestor_cgroup_id(filter.level as i32) };
        if id == filter.id {
            return true;
        }
    }
    false
}

/// Starts to watch a thread group.
#[inline(always)]
pub(crate) fn watch(tgid: u32) {
    if maps::PIDS.insert(tgid, 0, 0).is_err() {
        count(Stat::PidSetFull);
    }
}

/// Ends the watch over a thread group; one that is not in the set is none to end.
#[inline(always)]
pub(crate) fn forget(tgid: u32) {
    if maps::PIDS.remove(tgid).is_err() {
        // Another thread of the group was faster, on a kernel where several may read the group as
        // dead.
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
    for index in 0..FILTERS {
        if index as u32 >= settings.comm_count {
            return;
        }
        if settings.comms[index] == comm {
            watch((bpf_get_current_pid_tgid() >> 32) as u32);
            return;
        }
    }
}
