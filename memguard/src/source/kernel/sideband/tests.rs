//! The side-band of the running kernel; `cargo xtask test` runs this as root.

use std::{
    collections::BTreeSet,
    env, fs,
    process::{Command, id},
    ptr::null_mut,
};

use rustix::{
    mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap},
    thread::{CpuSet, sched_setaffinity},
};

use super::{super::now, *};
use crate::model::{
    ids::Stamp,
    origin::{BuildId, Mapping},
};

/// `None` where this kernel does not let us, which is a failure in CI.
fn open() -> Option<Sideband> {
    match Sideband::open() {
        Ok(sideband) => Some(sideband),
        Err(error) => {
            let in_ci = env::var_os("CI").is_some_and(|value| value == "true");
            assert!(!in_ci, "this test may not be skipped in CI: {error}");
            println!("SKIPPED: {error}");
            None
        }
    }
}

impl Sideband {
    fn events(&mut self) -> Vec<ModuleEvent> {
        let mut events = Vec::new();
        self.drain(&mut |event| events.push(event));
        events
    }
}

/// Stamp and process; a loss has neither.
fn place(event: &ModuleEvent) -> Option<(Stamp, u32)> {
    match *event {
        ModuleEvent::Mapped { stamp, tgid, .. } => Some((stamp, tgid)),
        ModuleEvent::Execed { stamp, tgid } => Some((stamp, tgid)),
        ModuleEvent::Forked { stamp, child, .. } => Some((stamp, child)),
        ModuleEvent::Exited { stamp, tgid } => Some((stamp, tgid)),
        ModuleEvent::Lost { .. } => None,
    }
}

/// What happened to a process, in the order of stamps.
fn of(events: &[ModuleEvent], tgid: u32) -> Vec<ModuleEvent> {
    let own = |event: &&ModuleEvent| place(event).is_some_and(|(_, whose)| whose == tgid);
    let mut own: Vec<_> = events.iter().filter(own).cloned().collect();
    own.sort_by_key(place);
    own
}

fn mappings(events: &[ModuleEvent]) -> Vec<&Mapping> {
    let mut mappings = Vec::new();
    for event in events {
        if let ModuleEvent::Mapped { mapping, .. } = event {
            mappings.push(mapping);
        }
    }
    mappings
}

/// What `readelf -n` says.
fn build_id(path: &str) -> BuildId {
    let output = Command::new("readelf").args(["-n", path]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let hex = text.split("Build ID: ").nth(1).unwrap();
    let hex = hex.split_whitespace().next().unwrap();
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let bytes: Vec<_> = (0..hex.len()).step_by(2).map(byte).collect();
    BuildId::new(&bytes).unwrap()
}

/// Runs `true` and returns what the side-band tells of it.
fn run_true(sideband: &mut Sideband) -> Vec<ModuleEvent> {
    let mut child = Command::new("/bin/true").spawn().unwrap();
    let tgid = child.id();
    assert!(child.wait().unwrap().success());
    of(&sideband.events(), tgid)
}

#[test]
#[ignore = "needs root"]
fn a_process_is_told_from_its_birth_to_its_end() {
    let before = now();
    let Some(mut sideband) = open() else {
        return;
    };
    let events = run_true(&mut sideband);
    println!("{events:#?}");
    let stamps: Vec<_> = events.iter().filter_map(place).collect();
    assert!(stamps.iter().all(|(at, _)| before < *at && *at < now()));
    let ModuleEvent::Forked { parent, .. } = events[0] else {
        panic!("born first");
    };
    assert_eq!(parent, id());
    assert!(matches!(events[1], ModuleEvent::Execed { .. }));
    assert!(matches!(events.last(), Some(ModuleEvent::Exited { .. })));

    let mappings = mappings(&events[2..events.len() - 1]);
    assert_eq!(mappings.len(), events.len() - 3, "and nothing in between");
    let program = fs::canonicalize("/bin/true").unwrap();
    let mut paths = BTreeSet::new();
    for mapping in mappings {
        let path = &*mapping.module.path;
        let expected = (path != "[vdso]").then(|| build_id(path));
        assert_eq!(mapping.module.build_id, expected, "{path}");
        assert!(mapping.start < mapping.end);
        paths.insert(path);
    }
    assert!(paths.contains(program.to_str().unwrap()));
    assert!(paths.contains("[vdso]"));
    assert!(paths.iter().any(|path| path.ends_with("/libc.so.6")));
}

#[test]
#[ignore = "needs root"]
fn a_library_is_told_when_it_is_loaded() {
    let Some(mut sideband) = open() else {
        return;
    };
    let mapped = fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!mapped.contains("libBrokenLocale"));
    // SAFETY: the name is a C string, and the library does nothing when it is loaded.
    let library = unsafe { libc::dlopen(c"libBrokenLocale.so.1".as_ptr(), libc::RTLD_NOW) };
    assert_ne!(library, null_mut());
    let events = of(&sideband.events(), id());
    let found = mappings(&events);
    let found = found
        .iter()
        .find(|mapping| mapping.module.path.contains("libBrokenLocale"));
    let Mapping {
        start,
        file_offset,
        module,
        ..
    } = found.unwrap();
    assert_eq!(module.build_id, Some(build_id(&module.path)));
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| {
        line.starts_with(&format!("{start:x}-"))
            && line.contains(&format!("{file_offset:08x}"))
            && line.ends_with(&*module.path)
    });
    println!("{line:?}");
    assert!(line.is_some(), "{maps}");
}

/// Records of no interest fill the ring; what follows is whole again.
#[test]
#[ignore = "needs root"]
fn an_overflow_is_told_and_forgotten() {
    const TIMES: u64 = 10_000;
    let Some(mut sideband) = open() else {
        return;
    };
    stay_on_one_cpu();
    make_executable(TIMES);
    let first = sideband.events();
    // The next record to find room brings the number.
    make_executable(1);
    let second = sideband.events();
    let lost = |events: &[ModuleEvent]| -> u64 {
        let count = |event: &ModuleEvent| match event {
            ModuleEvent::Lost { count } => *count,
            _ => 0,
        };
        events.iter().map(count).sum()
    };
    println!("lost: {} and then {}", lost(&first), lost(&second));
    assert_eq!(lost(&first), 0);
    assert!(lost(&second) > TIMES / 2);
    let events = run_true(&mut sideband);
    assert_eq!(lost(&events), 0);
    assert!(mappings(&events).len() >= 4, "{events:?}");
}

fn stay_on_one_cpu() {
    let mut cpus = CpuSet::new();
    cpus.set(0);
    sched_setaffinity(None, &cpus).unwrap();
}

/// Each time is one record, of memory that is of no file.
fn make_executable(times: u64) {
    let page = rustix::param::page_size();
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let memory =
        unsafe { mmap_anonymous(null_mut(), page, ProtFlags::READ, MapFlags::PRIVATE) }.unwrap();
    for _ in 0..times {
        for flags in [
            MprotectFlags::READ | MprotectFlags::EXEC,
            MprotectFlags::READ,
        ] {
            // SAFETY: nobody but this function knows the memory.
            unsafe { mprotect(memory, page, flags) }.unwrap();
        }
    }
    // SAFETY: as above.
    unsafe { munmap(memory, page) }.unwrap();
}

#[test]
fn it_may_live_in_another_thread() {
    const fn needs_send<T: Send>() {}
    needs_send::<Sideband>();
}
