//! Ends that no record told of, and what may speak of a process after its end: nothing.

use super::*;
use crate::model::{
    event::Execed,
    memory::{Mapped, SpaceId},
};

/// The table that the process shares with its parent, and the one that is its own.
const SHARED: TableId = TABLE;
const OWN: TableId = TableId(0xf01);
/// The address space that it borrows, and the one that is its own.
const LENT: SpaceId = SpaceId(0xa0);
const SPACE: SpaceId = SpaceId(0xa1);

/// Who gets the number of the first process.
const NEXT: ProcessId = ProcessId {
    tgid: 1,
    start_ticks: 7777,
};

fn fork(stamp: u64, shares: bool) -> Event {
    Event::Forked(Forked {
        stamp: Stamp(stamp),
        parent: process(9),
        child: 1,
        table: SHARED,
        shares_table: shares,
        space: Some(LENT),
        shares_space: shares,
    })
}

fn open_in(table: TableId, stamp: u64) -> Event {
    match open(1, 3, stamp) {
        Event::Acquired(acquired) => Event::Acquired(Acquired { table, ..acquired }),
        other => other,
    }
}

fn map_in(space: SpaceId, stamp: u64) -> Event {
    let range = Range {
        start: 0x1000,
        end: 0x2000,
    };
    Event::Mapped(Mapped {
        stamp: Stamp(stamp),
        space,
        range,
        process: process(1),
        tid: 1,
        call: Call::Mmap,
        protection: 3,
        flags: 0x22,
    })
}

fn exec_as(process: ProcessId, stamp: u64) -> Event {
    Event::Execed(Execed {
        stamp: Stamp(stamp),
        process,
        table: OWN,
        exec_id: 2,
        uid: 0,
        path: Vec::new(),
        args: Vec::new(),
        text_cut: false,
        snapshot_lost: false,
        space: Some(SPACE),
    })
}

fn end_of(process: ProcessId, stamp: u64) -> Event {
    match exit(1, stamp, true, true) {
        Event::Exited(exited) => Event::Exited(Exited {
            process,
            table: OWN,
            space: Some(SPACE),
            ..exited
        }),
        other => other,
    }
}

/// A process that is in every table: it shares and borrows, execs or not, acquires in what is its
/// own and beside it, and one of its threads has ended.
fn busy(execs: bool) -> Ledger {
    let mut events = vec![fork(5, true), open_in(TableId::placeholder(1), 6)];
    if execs {
        events.extend([exec_as(process(1), 10), map_in(SPACE, 12)]);
    }
    events.push(open_in(OWN, 13));
    events.extend(detach(1, 15, &[3]));
    ledger(events)
}

fn sweep(ledger: &mut Ledger, cutoff: u64) -> usize {
    let sweep = ledger.begin_sweep();
    ledger.end_sweep(sweep, Stamp(cutoff)).len()
}

#[test]
fn nothing_speaks_of_a_process_whose_end_was_told() {
    for execs in [false, true] {
        let mut ledger = busy(execs);
        assert!(ledger.mentions(process(1)) > 3, "{execs}");
        ledger.apply(end_of(process(1), 20));
        assert_eq!(sweep(&mut ledger, 30), 1);
        ledger.populations.forget(process(1));
        sweep(&mut ledger, 40);
        assert_eq!(ledger.take_missed_ends(), []);
        assert_eq!(ledger.mentions(process(1)), 0, "execs: {execs}, {ledger:?}");
    }
}

#[test]
fn nothing_speaks_of_a_process_whose_end_was_missed() {
    type Way = (&'static str, fn(&mut Ledger));
    let ways: [Way; 5] = [
        ("/proc", |ledger| ledger.missed_end(process(1), Stamp(20))),
        ("its number was forked", |ledger| {
            ledger.apply(fork(20, false));
        }),
        ("forked, and shares", |ledger| ledger.apply(fork(20, true))),
        ("its number became another program", |ledger| {
            ledger.apply(exec_as(NEXT, 20));
        }),
        ("its number ended", |ledger| ledger.apply(end_of(NEXT, 20))),
    ];
    for (why, way) in ways {
        for execs in [false, true] {
            let mut ledger = busy(execs);
            way(&mut ledger);
            // Records of it that were in the nursery.
            ledger.apply(open_in(OWN, 16));
            ledger.apply(map_in(SpaceId(0xa2), 17));
            assert_eq!(ledger.take_missed_ends(), [process(1)], "{why}");
            assert_eq!(ledger.take_missed_ends(), [], "{why}: told once");
            sweep(&mut ledger, 30);
            sweep(&mut ledger, 40);
            assert_eq!(ledger.mentions(process(1)), 0, "{why}: {ledger:?}");
            assert_eq!(ledger.anomalies.ends_missed, 1, "{why}");
        }
    }
    let mut ledger = busy(true);
    ledger.missed_end(process(1), Stamp(20));
    ledger.apply(end_of(process(1), 20));
    assert_eq!(ledger.take_missed_ends(), [process(1)]);
    assert_eq!(sweep(&mut ledger, 30), 0, "it is not told a second time");
    sweep(&mut ledger, 40);
    assert_eq!(ledger.state_count(), ledger_of_parent().state_count());
}

/// What remains: the parent, known by its address space alone.
fn ledger_of_parent() -> Ledger {
    let mut ledger = ledger([fork(5, true)]);
    ledger.missed_end_of_number(1);
    sweep(&mut ledger, 30);
    ledger
}

#[test]
fn the_next_process_of_the_number_keeps_what_it_shares_and_borrows() {
    let mut ledger = busy(true);
    ledger.apply(fork(20, true));
    assert_eq!(ledger.shared.get(&1), Some(&SHARED));
    assert!(ledger.memory.is_borrower(1));
    let epochs = &ledger.tables[&SHARED];
    assert!(epochs.iter().any(|epoch| epoch.is_shared_by(1)));
}

#[test]
fn who_is_known_by_birth_alone_can_be_missed_too() {
    let mut ledger = ledger([fork(5, true)]);
    ledger.missed_end_of_number(1);
    ledger.missed_end_of_number(1);
    assert_eq!(ledger.anomalies.ends_missed, 1);
    assert!(!ledger.shared.contains_key(&1) && !ledger.memory.is_borrower(1));
    // But not a process of which more is known.
    let mut ledger = busy(false);
    ledger.missed_end_of_number(1);
    assert_eq!(ledger.anomalies.ends_missed, 0);
}

/// The record of a birth that is read after the process was found in `/proc`.
#[test]
fn a_late_birth_is_not_an_end() {
    let mut ledger = Ledger::new();
    let seed = |ledger: &mut Ledger| {
        let open = [7].into_iter().collect();
        ledger.processes.seed(process(1), Some(9), open);
    };
    seed(&mut ledger);
    ledger.apply(fork(5, false));
    assert_eq!(ledger.take_missed_ends(), []);
    let known = ledger.processes.get(process(1)).unwrap();
    assert!(known.preexisting.contains(&7) && known.born == Some(Stamp(5)));
    ledger.apply(fork(50, false));
    assert_eq!(ledger.take_missed_ends(), [process(1)], "the second is");
}

/// What a process left in a table that lives on is released by another: its counts stay away.
#[test]
fn a_release_after_the_end_brings_no_counts_back() {
    let mut ledger = ledger([fork(5, true), open_in(SHARED, 6)]);
    ledger.apply(exit(1, 10, true, false));
    assert_eq!(sweep(&mut ledger, 20), 1);
    ledger.populations.forget(process(1));
    ledger.apply(close(9, 3, 30));
    sweep(&mut ledger, 40);
    assert_eq!(ledger.mentions(process(1)), 0, "{ledger:?}");
}
