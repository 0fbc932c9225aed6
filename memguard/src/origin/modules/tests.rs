//! Who had what mapped, and when.

use super::*;

fn mapping(start: u64, inode: u64) -> Mapping {
    Mapping {
        start,
        end: start + 100,
        file_offset: 0,
        module: Arc::new(Module {
            path: format!("/{inode}").into(),
            build_id: None,
        }),
        device: 1,
        inode,
    }
}

fn mapped(stamp: u64, tgid: u32, start: u64, inode: u64) -> ModuleEvent {
    ModuleEvent::Mapped {
        stamp: Stamp(stamp),
        tgid,
        mapping: mapping(start, inode),
    }
}

fn execed(stamp: u64, tgid: u32) -> ModuleEvent {
    let stamp = Stamp(stamp);
    ModuleEvent::Execed { stamp, tgid }
}

fn forked(stamp: u64, parent: u32, child: u32) -> ModuleEvent {
    ModuleEvent::Forked {
        stamp: Stamp(stamp),
        parent,
        child,
    }
}

fn exited(stamp: u64, tgid: u32) -> ModuleEvent {
    let stamp = Stamp(stamp);
    ModuleEvent::Exited { stamp, tgid }
}

fn modules(events: &[ModuleEvent]) -> Modules {
    let mut modules = Modules::default();
    for event in events {
        modules.take(event.clone());
    }
    modules.settle();
    modules
}

/// Inode of what is mapped at an address.
fn at(modules: &mut Modules, tgid: u32, stamp: u64, address: u64) -> Result<u64, Unknown> {
    let layout = modules.layout(tgid, Stamp(stamp))?;
    Ok(layout
        .find(address)
        .map_or(0, |(mapped, _)| mapped.mapping.inode))
}

/// A shell that forks a program, which loads a library, forks, and unloads it again.
fn family() -> Vec<ModuleEvent> {
    vec![
        execed(10, 1),
        mapped(11, 1, 1000, 1),
        forked(20, 1, 2),
        execed(30, 2),
        mapped(31, 2, 1000, 2),
        mapped(40, 2, 2000, 3),
        forked(50, 2, 3),
        mapped(60, 2, 2000, 4),
        exited(70, 2),
        forked(80, 1, 2),
    ]
}

fn check_family(modules: &mut Modules) {
    for (tgid, stamp, address, expected) in [
        (1, 15, 1000, 1),
        (1, 99, 1050, 1),
        (1, 99, 1100, 0),
        (2, 25, 1000, 1), // before the exec: the shell's
        (2, 35, 1000, 2),
        (2, 35, 2000, 0),
        (2, 45, 2000, 3),
        (2, 65, 2000, 4),
        (2, 75, 2000, 4), // the leader has ended, others may still run
        (3, 55, 2000, 3), // the child has what its parent had then
        (3, 99, 2000, 3),
        (3, 99, 1000, 2),
        (2, 85, 1000, 1), // another process of that number
        (2, 85, 2000, 0),
    ] {
        assert_eq!(
            at(modules, tgid, stamp, address),
            Ok(expected),
            "{tgid} {stamp} {address}"
        );
    }
    assert_eq!(at(modules, 1, 5, 1000), Err(Unknown::Gone));
    let unread = Unknown::Unread(9, Stamp(5));
    assert_eq!(at(modules, 9, 5, 1000), Err(unread));
}

#[test]
fn every_moment_has_its_own_modules() {
    check_family(&mut modules(&family()));
}

proptest::proptest! {
    /// The order in which records come does not matter, nor what was asked in between.
    #[test]
    fn any_order_of_arrival(
        order in proptest::sample::subsequence((0..10_usize).collect::<Vec<_>>(), 0..10),
        asked: Vec<(u8, u8)>,
    ) {
        let mut early = family();
        let mut late = Vec::new();
        for index in order.into_iter().rev() {
            late.push(early.remove(index));
        }
        let mut modules = modules(&early);
        // Nobody asks about a moment before all earlier records are there.
        let first = late.iter().map(stamp).min().unwrap_or(Stamp(100));
        for (tgid, moment) in asked {
            if Stamp(moment.into()) < first {
                let _layout = modules.layout(u32::from(tgid % 4), Stamp(moment.into()));
            }
        }
        for event in late {
            modules.take(event);
        }
        check_family(&mut modules);
    }
}

fn stamp(event: &ModuleEvent) -> Stamp {
    match event {
        ModuleEvent::Mapped { stamp, .. }
        | ModuleEvent::Execed { stamp, .. }
        | ModuleEvent::Forked { stamp, .. }
        | ModuleEvent::Exited { stamp, .. } => *stamp,
        ModuleEvent::Lost { .. } => Stamp(0),
    }
}

#[test]
fn what_ran_before_is_read_once_and_goes_on_from_there() {
    let mut modules = modules(&[mapped(50, 7, 2000, 2)]);
    assert_eq!(
        at(&mut modules, 7, 40, 1000),
        Err(Unknown::Unread(7, Stamp(40)))
    );
    modules.learn(7, Stamp(40), vec![mapping(1000, 1), mapping(2000, 9)]);
    assert_eq!(at(&mut modules, 7, 40, 1000), Ok(1));
    assert_eq!(at(&mut modules, 7, 60, 2000), Ok(2));
    modules.take(forked(70, 7, 8));
    assert_eq!(at(&mut modules, 8, 75, 2000), Ok(2));
}

#[test]
fn what_is_read_after_an_exec_is_not_taken_for_what_was_before() {
    let mut modules = Modules::default();
    assert!(at(&mut modules, 7, 40, 1000).is_err());
    modules.take(execed(50, 7));
    modules.learn(7, Stamp(40), vec![mapping(1000, 1)]);
    assert_eq!(at(&mut modules, 7, 40, 1000), Err(Unknown::Gone));
    assert_eq!(at(&mut modules, 7, 60, 1000), Ok(0));
}

#[test]
fn a_child_of_an_unknown_parent_asks_for_the_parent_as_of_the_fork() {
    let mut modules = modules(&[forked(20, 7, 8), forked(30, 8, 9)]);
    let unread = Unknown::Unread(7, Stamp(20));
    assert_eq!(at(&mut modules, 9, 40, 1000), Err(unread));
    modules.learn(7, Stamp(20), vec![mapping(1000, 1)]);
    assert_eq!(at(&mut modules, 9, 40, 1000), Ok(1));
    // The parent has gone: what the child itself has must do.
    modules.take(forked(50, 17, 18));
    modules.learn(18, Stamp(60), vec![mapping(1000, 2)]);
    assert_eq!(at(&mut modules, 18, 60, 1000), Ok(2));
    assert_eq!(at(&mut modules, 18, 45, 1000), Err(Unknown::Gone));
}

#[test]
fn after_a_loss_only_what_is_read_again_is_believed() {
    let mut modules = modules(&[execed(10, 7), mapped(11, 7, 1000, 1)]);
    modules.take(mapped(50, 7, 2000, 2));
    modules.take(execed(55, 8));
    modules.take(ModuleEvent::Lost { count: 3 });
    modules.settle();
    assert_eq!(modules.losses.sideband_lost, 3);
    assert_eq!(at(&mut modules, 7, 10, 1000), Ok(0), "long before");
    let unread = Unknown::Unread(7, Stamp(60));
    assert_eq!(at(&mut modules, 7, 60, 1000), Err(unread));
    modules.learn(7, Stamp(60), vec![mapping(1000, 5)]);
    assert_eq!(at(&mut modules, 7, 60, 1000), Ok(5));
    assert_eq!(at(&mut modules, 7, 60, 2000), Ok(2));
    // What came with the loss is believed up to there.
    assert_eq!(at(&mut modules, 8, 54, 1000), Err(Unknown::Gone));
    assert_eq!(
        at(&mut modules, 8, 60, 1000),
        Err(Unknown::Unread(8, Stamp(60)))
    );
}

#[test]
fn losses_in_a_row_leave_one_mark() {
    let mut modules = modules(&[execed(10, 7)]);
    for stamp in 20..30 {
        modules.take(ModuleEvent::Lost { count: 1 });
        modules.take(execed(stamp, 8));
        modules.settle();
    }
    assert_eq!(modules.histories[&7].changes.len(), 2);
}

#[test]
fn processes_are_forgotten_some_time_after_their_end() {
    let late = KEPT.as_nanos() as u64 + 100;
    let mut modules = modules(&[execed(10, 7), exited(20, 7), execed(30, 8)]);
    assert!(modules.histories.contains_key(&7));
    modules.take(execed(late, 9));
    modules.settle();
    let mut left: Vec<_> = modules.histories.keys().copied().collect();
    left.sort_unstable();
    assert_eq!(left, [8, 9]);
    modules.learn(11, Stamp(late), vec![mapping(1, 1)]);
    modules.forget(11);
    modules.forget(8);
    assert!(!modules.histories.contains_key(&11) && modules.histories.contains_key(&8));
}

#[test]
fn processes_and_changes_are_bounded() {
    let mut modules = Modules::default();
    for tgid in 0..2 * PROCESSES as u32 {
        modules.take(execed(u64::from(tgid), tgid));
    }
    assert!(modules.histories.len() <= PROCESSES);
    let evicted = 2 * PROCESSES - modules.histories.len();
    assert_eq!(modules.losses.processes_evicted, evicted as u64);
    let last = 2 * PROCESSES as u32 - 1;
    let start = u64::from(last) + 1;
    let changes = 5 * MAPPINGS as u64;
    for change in 0..changes {
        modules.take(mapped(
            start + change,
            last,
            1000 * (change % 10),
            change + 1,
        ));
    }
    assert!(modules.histories[&last].changes.len() <= 2 * MAPPINGS + 1);
    assert_eq!(at(&mut modules, last, start + changes, 9000), Ok(changes));
    assert_eq!(at(&mut modules, last, start, 0), Err(Unknown::Gone));
}

#[test]
fn a_line_of_forks_may_be_long_but_not_endless() {
    let mut modules = modules(&[execed(1, 1), mapped(2, 1, 1000, 1)]);
    for child in 2..=60 {
        modules.take(forked(u64::from(child) + 1, child - 1, child));
    }
    assert_eq!(at(&mut modules, 60, 100, 1000), Ok(1));
    // Two that claim to be each other's parent.
    let mut modules = Modules::default();
    modules.take(forked(10, 3, 2));
    modules.take(forked(10, 2, 3));
    assert!(at(&mut modules, 2, 10, 1000).is_err());
}
