//! Giving up what a process does not need, before it reads anything.

use std::io;

use rustix::{
    io::Errno,
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
    process::{DumpableBehavior, Gid, Resource, Rlimit, Signal, Uid},
    thread::{CapabilitySet, CapabilitySets},
};

use super::{
    Role,
    filter::{self, Rule},
    trap,
};

/// Address space: files of 2 GiB can be mapped.
const ADDRESS_SPACE: u64 = 4 << 30;

/// Memory for what is built from them, or unpacked.
const MEMORY: u64 = 2 << 30;

/// Stack of the parser: blazesym follows nested entries by recursion.
const STACK: u64 = 16 << 20;

/// Open files: the parser keeps up to 32, each of which blazesym opens up to three times.
const OPEN_FILES: u64 = 256;

/// Processor time, seconds. A process that has used it up is replaced.
const PROCESSOR_TIME: u64 = 120;

/// The user and the group `nobody`, which the kernel also shows for those that it cannot map.
const NOBODY: u32 = 65534;

/// Most capabilities that there may be; the bounding set has a bit for each.
const CAPABILITIES: u64 = 64;

/// What both processes give up, and what could outlive the agent.
pub(super) fn begin(role: Role) -> io::Result<()> {
    rustix::thread::set_name(match role {
        Role::Opener => c"memguard-opener",
        Role::Parser => c"memguard-names",
    })?;
    // Ctrl-C and its like are for the agent, which may want names before it ends.
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: a signal disposition of this process alone.
        unsafe {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
    // SAFETY: nothing has been opened yet but the standard descriptors.
    if unsafe { libc::close_range(3, libc::c_uint::MAX, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    rustix::process::nice(5)?;
    for (resource, limit) in [
        (Resource::As, ADDRESS_SPACE),
        (Resource::Data, MEMORY),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Cpu, PROCESSOR_TIME),
    ] {
        limit_to(resource, limit)?;
    }
    // Where memory is short this process is the first that may go. Limits bound what it uses in
    // any case.
    optional(std::fs::write("/proc/self/oom_score_adj", "1000"));
    Ok(())
}

/// What the opener gives up: all rights but those to see processes and to read files.
pub(super) fn keep_reading(rules: &[Rule]) -> io::Result<()> {
    let held = rustix::thread::capabilities(None)?.permitted;
    // `/proc/PID/map_files` wants one of two.
    let links = if held.contains(CapabilitySet::CHECKPOINT_RESTORE) {
        CapabilitySet::CHECKPOINT_RESTORE
    } else {
        CapabilitySet::SYS_ADMIN
    };
    let kept = CapabilitySet::DAC_READ_SEARCH | CapabilitySet::SYS_PTRACE | links;
    empty_bounding_set()?;
    // What it may read it may then read by these rights alone, and it may write nothing.
    rustix::thread::set_keep_capabilities(true)?;
    become_nobody()?;
    keep(held & kept)?;
    die_with_the_agent()?;
    rustix::thread::set_no_new_privs(true)?;
    filter::enforce(rules)
}

/// What the parser gives up: everything.
pub(super) fn give_up_everything(rules: &[Rule]) -> io::Result<()> {
    grow_stack();
    limit_to(Resource::Nproc, 0)?;
    limit_to(Resource::Memlock, 0)?;
    // Without the right to change its root: the filter lets nobody look anything up.
    optional(enter_empty_root());
    empty_bounding_set()?;
    become_nobody()?;
    keep(CapabilitySet::empty())?;
    // Nobody else may look into it, nor anybody's debugger.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // A change of user takes this away, so it comes late.
    die_with_the_agent()?;
    rustix::thread::set_no_new_privs(true)?;
    trap::install()?;
    filter::enforce(rules)
}

/// A step that may fail without harm; where it is taken stands why.
fn optional<T, E>(_: Result<T, E>) {}

fn limit_to(resource: Resource, limit: u64) -> io::Result<()> {
    let limit = Some(limit);
    let limit = Rlimit {
        current: limit,
        maximum: limit,
    };
    Ok(rustix::process::setrlimit(resource, limit)?)
}

/// As far as the limit that was inherited lets it.
fn grow_stack() {
    let Rlimit { maximum, .. } = rustix::process::getrlimit(Resource::Stack);
    let most = maximum.map_or(STACK, |maximum| maximum.min(STACK));
    // A file with deeper nesting than the stack takes ends the process, and is named without its
    // debug information.
    optional(limit_to(Resource::Stack, most));
}

/// A file system of its own with nothing in it, mounted nowhere.
fn enter_empty_root() -> rustix::io::Result<()> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV;
    let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    rustix::process::fchdir(&root)?;
    rustix::process::chroot(".")?;
    // The mount goes with its descriptor, and whoever closes that waits for the kernel to take it
    // apart: better at the end.
    std::mem::forget(root);
    rustix::process::chdir("/")
}

/// Of the bounding set, which an exec draws from, and the ambient one.
fn empty_bounding_set() -> io::Result<()> {
    for number in 0..CAPABILITIES {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // There are no more; or it has no right to drop any, and with that none to gain any.
            Err(Errno::INVAL | Errno::PERM) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(rustix::thread::clear_ambient_capability_set()?)
}

/// Another user, if there is a right to become one, and if the agent may end this process then.
fn become_nobody() -> io::Result<()> {
    let needed = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::KILL;
    let held = rustix::thread::capabilities(None)?.effective;
    if !held.contains(needed) {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    let changed = rustix::thread::set_thread_groups(&[])
        .and_then(|()| rustix::thread::set_thread_res_gid(group, group, group))
        .and_then(|()| rustix::thread::set_thread_res_uid(user, user, user));
    match changed {
        // A user namespace may know no such user, or may not allow groups to be changed.
        Ok(()) | Err(Errno::INVAL | Errno::PERM) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn keep(kept: CapabilitySet) -> io::Result<()> {
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

fn die_with_the_agent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(
        Signal::KILL,
    ))?)
}
