//! Stories of single tables; in `missed`, ends that no record told of; in `histories`, random ones
//! against a naive model of the kernel.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "a model of the kernel counts"
)]

mod histories;
mod missed;

use super::{bitmap::Bitmap, *};
use crate::model::{
    event::{Exited, Forked},
    ids::ProcessId,
    resource::Call,
};

const TABLE: TableId = TableId(0xf00);

fn process(tgid: u32) -> ProcessId {
    ProcessId {
        tgid,
        start_ticks: u64::from(tgid) * 100,
    }
}

fn open(tgid: u32, fd: u32, stamp: u64) -> Event {
    Event::Acquired(Acquired {
        stamp: Stamp(stamp),
        table: TABLE,
        fd,
        process: process(tgid),
        tid: tgid,
        exec_id: 1,
        call: Call::Openat,
        detail: 0,
    })
}

fn close(tgid: u32, fd: u32, stamp: u64) -> Event {
    Event::Released(Released {
        stamp: Stamp(stamp),
        table: TABLE,
        fd,
        process: process(tgid),
    })
}

fn snapshot(tgid: u32, occasion: Occasion, open: &[u32], stamp: u64) -> Event {
    Event::Snapshot(SnapshotPart {
        stamp: Stamp(stamp),
        table: TABLE,
        process: process(tgid),
        occasion,
        first: 0,
        table_bits: 256,
        truncated: false,
        bits: Bitmap::of(open).bytes().to_vec(),
    })
}

fn exit(tgid: u32, stamp: u64, group_dead: bool, last_user: bool) -> Event {
    Event::Exited(Exited {
        stamp: Stamp(stamp),
        process: process(tgid),
        table: TABLE,
        exec_id: 1,
        group_dead,
        group_exit: false,
        users: if last_user { 1 } else { 2 },
        snapshot_lost: false,
        uid: 0,
        status: 0,
        comm: *b"story\0\0\0\0\0\0\0\0\0\0\0",
        space: None,
    })
}

fn death(tgid: u32, open: &[u32], stamp: u64) -> [Event; 2] {
    [
        snapshot(tgid, Occasion::Death, open, stamp),
        exit(tgid, stamp, true, true),
    ]
}

fn ledger(events: impl IntoIterator<Item = Event>) -> Ledger {
    let mut ledger = Ledger::new();
    for event in events {
        ledger.apply(event);
    }
    ledger
}

fn held(ledger: &Ledger) -> Vec<u32> {
    let mut held: Vec<_> = ledger.held().map(|held| held.acquired.fd).collect();
    held.sort_unstable();
    held
}

/// Numbers left by each process judged, in order.
fn judge(ledger: &mut Ledger, cutoff: u64) -> Vec<(u32, Vec<u32>)> {
    let sweep = ledger.begin_sweep();
    let judged = ledger.end_sweep(sweep, Stamp(cutoff));
    let fds = |held: &[HeldFd]| held.iter().map(|held| held.acquired.fd).collect();
    judged
        .iter()
        .map(|judged| (judged.exited.process.tgid, fds(&judged.left)))
        .collect()
}

#[test]
fn a_release_removes_only_what_is_older() {
    for (events, expected, why) in [
        (vec![open(1, 3, 10), close(1, 3, 20)], vec![], "in order"),
        (
            vec![close(1, 3, 20), open(1, 3, 10)],
            vec![],
            "the release came first",
        ),
        (vec![close(1, 3, 20), open(1, 3, 30)], vec![3], "reopened"),
        (
            vec![open(1, 3, 30), close(1, 3, 20)],
            vec![3],
            "reopened, the release came last",
        ),
        (
            vec![open(1, 3, 10), close(1, 3, 10)],
            vec![],
            "taken back with its own stamp",
        ),
        (
            vec![open(1, 3, 30), open(1, 3, 10)],
            vec![3],
            "an older one came last",
        ),
        (
            vec![open(1, 3, 10), close(2, 3, 20)],
            vec![],
            "another process of the table closed it",
        ),
    ] {
        assert_eq!(held(&ledger(events)), expected, "{why}");
    }
}

#[test]
fn at_death_the_bitmap_is_the_truth() {
    let mut ledger = ledger([open(1, 3, 10), open(1, 4, 11)]);
    for event in death(1, &[0, 1, 2, 4], 20) {
        ledger.apply(event);
    }
    ledger.apply(open(1, 5, 12));
    assert_eq!(held(&ledger), [] as [u32; 0], "nothing of the dead is held");
    assert_eq!(judge(&mut ledger, 0), [(1, vec![4])]);
    assert_eq!(judge(&mut ledger, 0), [], "judged once");
}

#[test]
fn a_late_record_of_the_dead_is_not_the_next_ones() {
    let mut events = vec![];
    events.extend(death(1, &[3], 20));
    events.extend([open(2, 3, 30)]);
    events.extend(death(2, &[3], 40));
    events.extend([open(1, 3, 10)]);
    let mut ledger = ledger(events);
    let judged = judge(&mut ledger, 0);
    assert_eq!(judged, [(1, vec![3]), (2, vec![3])]);
}

#[test]
fn deaths_that_come_during_a_sweep_wait_for_the_next() {
    let mut ledger = ledger([open(1, 3, 10)]);
    let sweep = ledger.begin_sweep();
    for event in death(1, &[3], 20) {
        ledger.apply(event);
    }
    assert!(ledger.end_sweep(sweep, Stamp(5)).is_empty());
    assert_eq!(judge(&mut ledger, 0), [(1, vec![3])]);
}

#[test]
fn threads_that_exit_together_are_judged_once() {
    let [bitmap, group] = death(1, &[3], 20);
    let mut ledger = ledger([open(1, 3, 10), bitmap, group, exit(1, 21, false, true)]);
    assert_eq!(judge(&mut ledger, 0), [(1, vec![3])]);
    ledger.apply(exit(1, 22, true, true));
    assert_eq!(judge(&mut ledger, 0), [], "not even after it was judged");
}

#[test]
fn a_table_outlives_a_process_that_shares_it() {
    let fork = Event::Forked(Forked {
        stamp: Stamp(5),
        parent: process(1),
        child: 2,
        table: TABLE,
        shares_table: true,
        space: None,
        shares_space: false,
    });
    let child = [
        snapshot(2, Occasion::Death, &[3], 20),
        exit(2, 20, true, false),
    ];
    let mut ledger = ledger([fork, open(2, 3, 10)].into_iter().chain(child));
    assert_eq!(
        judge(&mut ledger, 0),
        [(2, vec![])],
        "the child ended, its table did not"
    );
    assert_eq!(held(&ledger), [3]);
    for event in death(1, &[3], 30) {
        ledger.apply(event);
    }
    assert_eq!(judge(&mut ledger, 0), [(1, vec![3])]);
}

#[test]
fn a_threads_own_table_is_closed_when_it_ends() {
    let mut ledger = ledger([
        open(1, 3, 10),
        snapshot(1, Occasion::Death, &[3], 20),
        exit(1, 20, false, true),
        open(1, 3, 30),
        snapshot(1, Occasion::Death, &[3], 40),
        exit(1, 40, false, true),
    ]);
    assert_eq!(judge(&mut ledger, 0), [], "the process goes on");
    assert_eq!(held(&ledger), [] as [u32; 0]);
    assert_eq!(
        ledger.state_count(),
        2,
        "the process, and what its threads left"
    );

    let main = Exited {
        table: TableId(0xbeef),
        ..exited(exit(1, 50, true, true))
    };
    ledger.apply(Event::Exited(main));
    let sweep = ledger.begin_sweep();
    let judged = ledger.end_sweep(sweep, Stamp(0));
    let [judged] = &judged[..] else {
        panic!("one process: {judged:?}");
    };
    let left = judged.left_by_threads.iter();
    let stamps: Vec<_> = left.map(|held| held.acquired.stamp).collect();
    assert_eq!(stamps, [Stamp(10), Stamp(30)]);
    assert!(judged.left.is_empty(), "nothing was open any more");
    assert_eq!(ledger.ends.mentions(process(1)), 0);
}

fn exited(event: Event) -> Exited {
    match event {
        Event::Exited(exited) => exited,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_threads_own_table_held_is_left_when_all_end_together() {
    let mut together = exit(1, 20, false, true);
    if let Event::Exited(exited) = &mut together {
        exited.group_exit = true;
    }
    let mut events = vec![
        open(1, 3, 10),
        snapshot(1, Occasion::Death, &[3], 20),
        together,
    ];
    let main = Event::Exited(Exited {
        table: TableId(0xbeef),
        ..exited(exit(1, 21, true, true))
    });
    events.push(main);
    assert_eq!(judge(&mut ledger(events), 0), [(1, vec![3])]);
}

/// A thread that reads two users of its table while its process is ending.
fn detach(tgid: u32, stamp: u64, open: &[u32]) -> [Event; 2] {
    let mut detach = exit(tgid, stamp, false, false);
    if let Event::Exited(exited) = &mut detach {
        exited.group_exit = true;
    }
    [snapshot(tgid, Occasion::Death, open, stamp), detach]
}

/// The end of a process whose last thread uses a table that nothing else is said of.
fn end_elsewhere(tgid: u32, stamp: u64) -> Event {
    match exit(tgid, stamp, true, true) {
        Event::Exited(exited) => Event::Exited(Exited {
            table: TableId(0xbeef),
            ..exited
        }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_table_ends_with_its_process_although_each_thread_saw_another() {
    for late in [false, true] {
        let mut events = vec![open(1, 3, 10), open(1, 4, 11), open(1, 5, 21)];
        let detaches = [detach(1, 20, &[3]), detach(1, 22, &[3, 5])].concat();
        let end = end_elsewhere(1, if late { 19 } else { 23 });
        if late {
            events.push(end);
            events.extend(detaches);
        } else {
            events.extend(detaches);
            events.push(end);
        }
        let mut ledger = ledger(events);
        assert_eq!(judge(&mut ledger, 30), [(1, vec![3, 5])], "late: {late}");
        assert_eq!(ledger.state_count(), 0);
    }
}

#[test]
fn who_shares_a_parted_table_keeps_it_unless_all_its_users_have_parted() {
    let shared = Event::Forked(Forked {
        stamp: Stamp(5),
        parent: process(1),
        child: 2,
        table: TABLE,
        shares_table: true,
        space: None,
        shares_space: false,
    });
    for detaches in [1, 2] {
        let mut events = vec![shared.clone(), open(1, 3, 10)];
        for index in 0..detaches {
            events.extend(detach(1, 20 + index, &[3]));
        }
        events.push(end_elsewhere(1, 23));
        let left = if detaches == 2 { vec![3] } else { vec![] };
        assert_eq!(judge(&mut ledger(events), 0), [(1, left)]);
    }
}

#[test]
fn who_gets_the_memory_of_a_parted_table_is_not_charged() {
    let mut events = vec![open(1, 3, 10)];
    events.extend(detach(1, 19, &[3]));
    events.extend(detach(1, 20, &[3]));
    events.extend([open(2, 4, 21), end_elsewhere(1, 23)]);
    let mut ledger = ledger(events);
    assert_eq!(judge(&mut ledger, 0), [(1, vec![3])]);
    assert_eq!(held(&ledger), [4]);
    for event in death(2, &[4], 30) {
        ledger.apply(event);
    }
    assert_eq!(judge(&mut ledger, 0), [(2, vec![4])]);
}

#[test]
fn a_record_from_before_an_exec_does_not_change_the_baseline() {
    let exec = snapshot(1, Occasion::Exec, &[3, 4], 20);
    let mut ledger = ledger([open(1, 9, 5), exec, close(1, 3, 15), open(1, 3, 16)]);
    for event in death(1, &[3, 4, 5], 30) {
        ledger.apply(event);
    }
    let sweep = ledger.begin_sweep();
    let judged = ledger.end_sweep(sweep, Stamp(0));
    assert_eq!(judged[0].unknown, [5], "3 has a record, 4 was there");
}

#[test]
fn exec_closes_what_is_close_on_exec() {
    let mut ledger = ledger([open(1, 3, 10), open(1, 4, 11)]);
    ledger.apply(snapshot(1, Occasion::Exec, &[0, 4], 20));
    ledger.apply(open(1, 5, 12));
    ledger.apply(open(1, 6, 21));
    assert_eq!(
        held(&ledger),
        [4, 6],
        "5 was opened before, came after, and is closed"
    );
}

#[test]
fn marks_go_once_no_late_record_can_need_them() {
    let mut ledger = ledger([close(1, 3, 20)]);
    let sweep = ledger.begin_sweep();
    assert!(ledger.end_sweep(sweep, Stamp(19)).is_empty());
    ledger.apply(open(1, 3, 10));
    assert_eq!(held(&ledger), [] as [u32; 0]);
    let sweep = ledger.begin_sweep();
    assert!(ledger.end_sweep(sweep, Stamp(20)).is_empty());
    assert_eq!((ledger.marks.len(), ledger.tables.len()), (0, 0));
}

#[test]
fn the_next_process_may_have_the_number_before_the_first_is_judged() {
    let mut events = vec![open(1, 3, 10)];
    events.extend(death(1, &[3], 20));
    let fork = Forked {
        stamp: Stamp(30),
        parent: process(9),
        child: 1,
        table: TableId(1),
        shares_table: false,
        space: None,
        shares_space: false,
    };
    events.push(Event::Forked(fork));
    let mut ledger = ledger(events);
    assert_eq!(ledger.anomalies.ends_missed, 0);
    assert_eq!(judge(&mut ledger, 0), [(1, vec![3])]);
    assert_eq!(ledger.processes.running().count(), 1, "the next one runs");
}

#[test]
fn what_no_record_explains_is_of_unknown_origin() {
    let mut events = vec![
        snapshot(1, Occasion::Exec, &[0, 1, 2, 7], 5),
        open(1, 3, 10),
    ];
    events.extend(death(1, &[0, 1, 2, 3, 7, 8], 20));
    let mut ledger = ledger(events);
    let sweep = ledger.begin_sweep();
    let judged = ledger.end_sweep(sweep, Stamp(0));
    assert_eq!(judged[0].unknown, [8]);
}

#[test]
fn a_process_that_vanished_is_counted_not_judged() {
    let mut ledger = ledger([open(1, 3, 10)]);
    let fork = Forked {
        stamp: Stamp(50),
        parent: process(9),
        child: 1,
        table: TableId(1),
        shares_table: false,
        space: None,
        shares_space: false,
    };
    ledger.apply(Event::Forked(fork));
    assert_eq!(
        (ledger.anomalies.ends_missed, ledger.anomalies.unjudged),
        (1, 1)
    );
    assert_eq!(held(&ledger), [] as [u32; 0]);
}
