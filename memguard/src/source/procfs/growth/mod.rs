//! The real `/proc`: memory and counts that grow because this process makes them, and what it costs
//! to see that.

mod area;
mod costs;

use std::{
    process::{Command, Stdio, id},
    ptr::{null, null_mut},
    time::{Duration, Instant},
};

use rustix::{
    fs::{MemfdFlags, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap},
    process::{Resource, getrlimit},
};

use self::area::Area;
use super::{parity::Cat, testing::real};
use crate::model::{
    memory::{PAGE, Range},
    observed::UsageDetail,
};

const MIB: usize = 1 << 20;

#[test]
fn what_is_touched_is_resident_to_the_page() {
    let area = Area::reserve(10 * MIB);
    area.open(MIB, 8 * MIB);
    area.touch(MIB, 4 * MIB);
    let asked = [
        area.range(0, MIB),
        area.range(MIB, 8 * MIB),
        area.range(9 * MIB, MIB),
    ];
    let found = real().residency(id(), &asked).unwrap();
    let [before, inside, after] = &found[..] else {
        panic!("{found:?}");
    };
    for guard in [before, after] {
        let sizes = [
            guard.mapped_bytes,
            guard.accessible_bytes,
            guard.resident_bytes,
        ];
        assert_eq!(sizes, [MIB as u64, 0, 0]);
    }
    let sizes = [inside.mapped_bytes, inside.accessible_bytes];
    assert_eq!(sizes, [8 * MIB as u64; 2]);
    assert_eq!(inside.resident_bytes + inside.swap_bytes, 4 * MIB as u64);
    assert_eq!((inside.estimated, inside.noreserve_bytes), (false, 0));
    assert_eq!((&inside.name, inside.huge_bytes), (&None, 0));
}

#[test]
fn part_of_a_mapping_is_known_by_its_pages() {
    let area = Area::reserve(10 * MIB);
    area.open(MIB, 8 * MIB);
    area.touch(MIB, 3 * MIB);
    let asked = [area.range(MIB, 2 * MIB), area.range(3 * MIB, 6 * MIB)];
    let found = real().residency(id(), &asked).unwrap();
    let resident = |at: usize| found[at].resident_bytes + found[at].swap_bytes;
    assert_eq!((resident(0), resident(1)), (2 * MIB as u64, MIB as u64));
    assert!(found.iter().all(|found| !found.estimated));
}

/// More than the kernel gives in a few hundred reads.
#[test]
fn all_mappings_of_large_processes_are_seen() {
    const PAGES: usize = 36_000;
    let area = Area::reserve(PAGES * PAGE as usize);
    for page in (0..PAGES).step_by(2) {
        area.open(page * PAGE as usize, PAGE as usize);
    }
    let mapped = real().mapped_ranges(id()).unwrap();
    let whole = area.range(0, area.length);
    let inside = mapped
        .iter()
        .filter(|mapped| mapped.range.common(whole).is_some());
    assert!(inside.count() >= PAGES);
    let last = area.range(area.length - 2 * PAGE as usize, 2 * PAGE as usize);
    let found = real().residency(id(), &[last]).unwrap().remove(0);
    assert_eq!(
        [found.mapped_bytes, found.accessible_bytes],
        [2 * PAGE, PAGE]
    );
}

/// A process of which only a second thread is left, killed at the end.
struct Leaderless(libc::pid_t);

impl Leaderless {
    fn start() -> Self {
        // SAFETY: the child only makes a thread and ends its own.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            let mut thread = 0;
            // SAFETY: the pointer is to a local, and the function needs nothing.
            unsafe {
                libc::pthread_create(&raw mut thread, null(), wait, null_mut());
            }
            // SAFETY: ends this thread, and nothing of it is used by the other.
            unsafe {
                libc::syscall(libc::SYS_exit, 0);
            }
        }
        Self(pid)
    }

    fn tgid(&self) -> u32 {
        self.0.cast_unsigned()
    }
}

impl Drop for Leaderless {
    fn drop(&mut self) {
        // SAFETY: a child of our own that nobody has waited for.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
        }
        // SAFETY: nothing is written.
        unsafe {
            libc::waitpid(self.0, null_mut(), 0);
        }
    }
}

extern "C" fn wait(_: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: takes nothing; only the signal that ends the process ends it.
    unsafe {
        libc::pause();
    }
    null_mut()
}

#[test]
fn a_process_whose_leader_has_exited_still_uses_memory() {
    let process = Leaderless::start();
    let (procfs, tgid) = (real(), process.tgid());
    let deadline = Instant::now() + Duration::from_secs(10);
    while procfs.stat(&format!("{tgid}/stat")).unwrap().state != b'Z' {
        assert!(Instant::now() < deadline, "the leader does not exit");
    }
    for detail in [UsageDetail::LEAST, UsageDetail::ALL] {
        assert!(procfs.usage(tgid, detail).unwrap().anonymous_bytes > 0);
    }
    assert_eq!(
        procfs.usage(tgid, UsageDetail::ALL).unwrap().threads,
        Some(2)
    );
    assert!(procfs.map_count(tgid).unwrap() > 10);
    let all = procfs.residency(tgid, &[Range::ALL]).unwrap().remove(0);
    assert!(all.resident_bytes > 0 && procfs.page_map(tgid).is_some());
    assert!(!procfs.is_zombie(procfs.identity(tgid).unwrap()));
    assert!(procfs.limits(tgid).unwrap().nofile.is_some());
}

#[test]
fn every_protection_is_a_mapping() {
    let area = Area::reserve(256 * PAGE as usize);
    let procfs = real();
    for page in (0..256).step_by(2) {
        area.open(page * PAGE as usize, PAGE as usize);
    }
    // Other tests map and unmap in this process meanwhile.
    let count = procfs.map_count(id()).unwrap();
    assert!(count > 200, "{count}");
    let whole = area.range(0, area.length);
    let mapped = procfs.mapped_ranges(id()).unwrap();
    let inside = mapped
        .iter()
        .filter(|mapped| mapped.range.common(whole) == Some(mapped.range));
    let readable = inside.filter(|mapped| mapped.protection == 3 && !mapped.shared);
    assert_eq!(readable.count(), 128);
}

#[test]
fn statm_and_status_agree() {
    let cat = Cat::start();
    let (procfs, tgid) = (real(), cat.0.id());
    let least = procfs.usage(tgid, UsageDetail::LEAST).unwrap();
    let all = procfs.usage(tgid, UsageDetail::ALL).unwrap();
    assert_eq!(least.size_bytes, all.size_bytes);
    // From 6.2 on the counters are per CPU, and not every file of every version sums them up.
    let near = |one: u64, other: u64| one.abs_diff(other) < MIB as u64;
    assert!(
        near(least.resident_bytes, all.resident_bytes),
        "{least:?} {all:?}"
    );
    assert!(
        near(least.anonymous_bytes, all.anonymous_bytes),
        "{least:?} {all:?}"
    );
    assert_eq!((all.threads, all.timers), (Some(1), Some(0)));
    assert!(all.shmem_bytes.is_some() && all.anonymous_bytes > 0);
    let kernel_thread = 2;
    if procfs.name(kernel_thread).as_deref() == Some("kthreadd") {
        assert_eq!(procfs.usage(kernel_thread, UsageDetail::LEAST), None);
        assert_eq!(procfs.usage(kernel_thread, UsageDetail::ALL), None);
    }
}

#[test]
fn a_mapped_memfd_that_grows_is_shared_memory() {
    let memfd = memfd_create("grows", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&memfd, 8 * MIB as u64).unwrap();
    let (length, shared) = (8 * MIB, MapFlags::SHARED);
    // SAFETY: new memory at an address that the kernel chooses.
    let at = unsafe {
        mmap(
            null_mut(),
            length,
            ProtFlags::READ | ProtFlags::WRITE,
            shared,
            &memfd,
            0,
        )
    };
    let area = Area {
        at: at.unwrap(),
        length,
    };
    let shmem = || {
        real()
            .usage(id(), UsageDetail::ALL)
            .unwrap()
            .shmem_bytes
            .unwrap()
    };
    let before = shmem();
    area.touch(0, length);
    let grown = shmem().saturating_sub(before);
    assert!(grown >= 7 * MIB as u64, "{grown}");
    let found = real()
        .residency(id(), &[area.range(0, length)])
        .unwrap()
        .remove(0);
    assert_eq!(found.resident_bytes, length as u64);
    assert_eq!(found.name.as_deref(), Some(&b"/memfd:grows (deleted)"[..]));
}

#[test]
fn timers_are_counted_until_they_are_deleted() {
    let count = || real().usage(id(), UsageDetail::ALL).unwrap().timers;
    let before = count().unwrap();
    // SAFETY: all zeros are a valid value.
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    event.sigev_notify = libc::SIGEV_NONE;
    let mut timer: libc::timer_t = null_mut();
    // SAFETY: both pointers are to locals.
    let made = unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
    assert_eq!((made, count()), (0, Some(before + 1)));
    assert!(
        real()
            .timer_ceiling(id())
            .is_none_or(|ceiling| ceiling.used > 0)
    );
    // SAFETY: the timer exists.
    assert_eq!(unsafe { libc::timer_delete(timer) }, 0);
    assert_eq!(count(), Some(before));
}

#[test]
fn threads_are_counted() {
    let count = || {
        real()
            .usage(id(), UsageDetail::ALL)
            .unwrap()
            .threads
            .unwrap()
    };
    assert!(count() >= 2 && real().thread_count(id()).unwrap() >= 2);
}

#[test]
fn a_child_that_nobody_waited_for_is_a_zombie() {
    let mut child = Command::new("true").stdin(Stdio::null()).spawn().unwrap();
    let procfs = real();
    let process = procfs.identity(child.id()).unwrap();
    assert_eq!(procfs.parent(process), Some(id()));
    let deadline = Instant::now() + Duration::from_secs(10);
    while !procfs.is_zombie(process) {
        assert!(Instant::now() < deadline, "true does not end");
    }
    assert_eq!(procfs.usage(process.tgid, UsageDetail::LEAST), None);
    assert!(!procfs.is_zombie(procfs.identity(id()).unwrap()));
    child.wait().unwrap();
    assert!(!procfs.is_zombie(process));
    assert_eq!(procfs.parent(process), None);
}

#[test]
fn a_segment_is_seen_until_it_is_removed() {
    // SAFETY: takes numbers and returns one.
    let shmid = unsafe { libc::shmget(libc::IPC_PRIVATE, 3 * MIB, 0o640 | libc::IPC_CREAT) };
    assert!(shmid >= 0);
    let seen = real().segment(shmid).unwrap().unwrap();
    assert_eq!(
        (seen.size, seen.creator, seen.attached),
        (3 * MIB as u64, id(), 0)
    );
    assert_eq!((seen.perms, seen.removed), (0o640, false));
    assert!(real().segments().unwrap().contains(&seen));
    // SAFETY: removing takes no structure.
    let removed = unsafe { libc::shmctl(shmid, libc::IPC_RMID, null_mut()) };
    assert_eq!(removed, 0);
    assert_eq!(real().segment(shmid).unwrap(), None);
}

#[test]
fn ceilings_are_those_that_bind_this_process() {
    let procfs = real();
    let memory = procfs.memory_ceilings(id());
    assert!(
        memory.iter().any(|ceiling| ceiling.name == "MemTotal"),
        "{memory:?}"
    );
    for ceiling in memory.iter().chain(&procfs.thread_ceilings(id())) {
        assert!(
            ceiling.used > 0 && ceiling.used < ceiling.value,
            "{ceiling:?}"
        );
    }
    let limits = procfs.limits(id()).unwrap();
    assert_eq!(limits.address_space, getrlimit(Resource::As).current);
    assert_eq!(limits.data, getrlimit(Resource::Data).current);
    assert_eq!(limits.processes, getrlimit(Resource::Nproc).current);
    assert!(procfs.map_ceiling(id()).unwrap().used > 10);
    assert!(procfs.boot_id().is_some_and(|id| id.len() == 36));
}
