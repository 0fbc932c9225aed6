//! The two threads together.

use std::{sync::mpsc, time::Duration};

use super::{symbolize::Program, *};
use crate::{
    ledger::{AcquisitionId, HandleId},
    model::{
        ids::TableId,
        origin::{Incomplete, Mapping},
    },
    source::procfs::Procfs,
};

/// Asks `/bin/false` for names.
fn start(modules: ModuleSource) -> Origins {
    let program = Program {
        path: "/bin/false".into(),
        arguments: Vec::new(),
    };
    let symbolizer = Symbolizer::with_program("/proc", program);
    Origins::with_symbolizer(modules, "/proc".into(), symbolizer).unwrap()
}

fn own() -> ProcessId {
    Procfs::new("/proc").identity(std::process::id()).unwrap()
}

fn work(fd: u32, process: ProcessId, stamp: u64) -> Work {
    let stamp = Stamp(stamp);
    Work {
        target: UnwindTarget::Acquisition(AcquisitionId::Handle(HandleId {
            table: TableId(1),
            fd,
            stamp,
        })),
        process,
        stamp,
        window: testing::window(1 << 16),
        wide: None,
    }
}

fn next(origins: &mut Origins) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let answer = async { tokio::time::timeout(Duration::from_secs(20), origins.next()).await };
    runtime.block_on(answer).unwrap()
}

fn unwound(answer: Answer) -> (u32, StackId) {
    match answer {
        Answer::Unwound {
            target: UnwindTarget::Acquisition(AcquisitionId::Handle(handle)),
            stack,
            ..
        } => (handle.fd, stack),
        other => panic!("{other:?}"),
    }
}

fn named(answer: Answer) -> (u64, Vec<Arc<NamedStack>>) {
    match answer {
        Answer::Named { ticket, stacks } => (ticket, stacks),
        other => panic!("{other:?}"),
    }
}

#[test]
fn windows_become_stacks_and_barriers_come_in_their_order() {
    let mut origins = start(ModuleSource::asked(|_| {}));
    for fd in 0..3 {
        assert!(origins.unwind(work(fd, own(), 5)));
    }
    let barrier = origins.barrier();
    let stacks: Vec<_> = (0..3).map(|_| unwound(next(&mut origins))).collect();
    assert_eq!(stacks, [(0, StackId(0)), (1, StackId(0)), (2, StackId(0))]);
    assert!(matches!(next(&mut origins), Answer::Barrier(number) if number == barrier));
    assert!(origins.name(7, vec![StackId(0), StackId(9)], own()));
    let (ticket, stacks) = named(next(&mut origins));
    assert_eq!((ticket, stacks.len()), (7, 1));
    assert_eq!(stacks[0].incomplete, None);
    assert!(8 < stacks[0].frames.len());
    let counts = origins.counts();
    assert_eq!((counts.unwound, counts.incomplete), (3, 0));
    assert!(origins.try_next().is_none());
}

/// The reason comes back with the stack.
fn reason(origins: &mut Origins, process: ProcessId, stamp: u64) -> Option<Incomplete> {
    assert!(origins.unwind(work(1, process, stamp)));
    let (_, stack) = unwound(next(origins));
    assert!(origins.name(1, vec![stack], process));
    named(next(origins)).1[0].incomplete.clone()
}

#[test]
fn a_process_that_has_gone_is_known_from_the_side_band_alone() {
    let (sender, events) = mpsc::channel();
    let source = move |take: &mut dyn FnMut(ModuleEvent)| events.try_iter().for_each(take);
    let mut origins = start(ModuleSource::asked(source));
    let gone = ProcessId {
        tgid: u32::MAX,
        start_ticks: 5,
    };
    assert_eq!(reason(&mut origins, gone, 5), Some(Incomplete::ProcessGone));
    // A process that mapped what this one has mapped, and ended.
    let tgid = u32::MAX - 1;
    let stamp = Stamp(10);
    sender.send(ModuleEvent::Execed { stamp, tgid }).unwrap();
    for mapping in Procfs::new("/proc").mappings(std::process::id()).unwrap() {
        let event = ModuleEvent::Mapped {
            stamp: Stamp(11),
            tgid,
            mapping: Mapping { ..mapping },
        };
        sender.send(event).unwrap();
    }
    let ended = ModuleEvent::Exited {
        stamp: Stamp(20),
        tgid,
    };
    sender.send(ended).unwrap();
    let gone = ProcessId { tgid, ..gone };
    assert_eq!(reason(&mut origins, gone, 15), None);
    let early = reason(&mut origins, gone, 9);
    assert_eq!(early, Some(Incomplete::ProcessGone));
    // The number belongs to another process than the one that acquired.
    let mut other = own();
    other.start_ticks += 1;
    assert_eq!(
        reason(&mut origins, other, 5),
        Some(Incomplete::ProcessGone)
    );
}

#[test]
fn a_queue_that_is_full_refuses_and_counts() {
    let (go, wait) = mpsc::channel::<()>();
    let source = move |_: &mut dyn FnMut(ModuleEvent)| {
        // The thread waits here with what it has taken; when the test is over it goes on.
        assert!(wait.recv().is_err());
    };
    let mut origins = start(ModuleSource::asked(source));
    let taken = (0..WINDOWS + 100).filter(|_| origins.unwind(work(1, own(), 5)));
    let taken = taken.count();
    assert_eq!(taken, WINDOWS);
    assert_eq!(origins.counts().dropped, 100);
    drop(go);
    let answers = (0..taken).map(|_| unwound(next(&mut origins)));
    assert!(answers.into_iter().all(|(fd, _)| fd == 1));
    assert!(origins.unwind(work(2, own(), 5)), "there is room again");
    assert_eq!(unwound(next(&mut origins)).0, 2);
}

#[test]
fn dropping_it_ends_the_threads() {
    let (ended, wait) = mpsc::channel::<()>();
    let source = move |_: &mut dyn FnMut(ModuleEvent)| {
        let _kept = &ended;
    };
    let mut origins = start(ModuleSource::asked(source));
    for fd in 0..10 {
        origins.unwind(work(fd, own(), 5));
    }
    drop(origins);
    let end = wait.recv_timeout(Duration::from_secs(10));
    assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected));
}
