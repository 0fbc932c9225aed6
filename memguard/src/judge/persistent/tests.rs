//! What is looked for, when, and what is said of it.

use std::sync::Arc;

use super::*;
use crate::{
    judge::testing::{context, second},
    model::{evidence::Evidence, persistent::SharedFileId, process::ProcessInfo, resource::Call},
};

fn process(tgid: u32) -> ProcessId {
    ProcessId {
        tgid,
        start_ticks: 1,
    }
}

fn id(inode: u64) -> ObjectId {
    ObjectId::File(SharedFileId { device: 39, inode })
}

fn made(files: &mut PersistentObjects, tgid: u32, inode: u64) {
    files.created(CreatedObject {
        stamp: second(2),
        id: id(inode),
        process: process(tgid),
        call: Call::Openat,
        outlives: true,
    });
}

fn key_made(objects: &mut PersistentObjects, serial: u32, outlives: bool) {
    objects.created(CreatedObject {
        stamp: second(2),
        id: ObjectId::Key(serial),
        process: process(7),
        call: Call::AddKey,
        outlives,
    });
}

fn valid(serial: u32) -> FoundObject {
    FoundObject {
        id: ObjectId::Key(serial),
        name: format!("user: {serial}"),
        size: 0,
        used_bytes: 0,
        held: Some(false),
    }
}

fn named(inode: u64, held: Option<bool>) -> FoundObject {
    FoundObject {
        id: id(inode),
        name: format!("segment{inode}"),
        size: 8192,
        used_bytes: 4096,
        held,
    }
}

fn end(tgid: u32, at: u64) -> End {
    End {
        info: Arc::new(ProcessInfo {
            name: Some("worker".to_owned()),
            ..ProcessInfo::unknown(process(tgid))
        }),
        verified: true,
        evidence: Evidence::default(),
        stamp: second(at),
    }
}

/// A process that made two files and ended at 10 s.
fn ended(is_run: bool) -> PersistentObjects {
    let mut files = PersistentObjects::default();
    for inode in [1, 2] {
        made(&mut files, 7, inode);
    }
    files.ended(&end(7, 10), is_run);
    files
}

/// Everything that is told.
fn told(files: &mut PersistentObjects) -> Vec<Finding> {
    let mut told = Vec::new();
    while files.next_stacks().is_some() {
        told.extend(files.describe_next(&context()));
    }
    told
}

#[test]
fn what_still_has_a_name_a_while_later_and_nobody_holds_is_left() {
    let mut files = ended(false);
    assert!(files.request(second(15)).is_none(), "it may be removed yet");
    let request = files.request(second(20)).unwrap();
    assert_eq!(request.left, BTreeSet::from([id(1), id(2)]));
    assert!(files.request(second(20)).is_none(), "it is asked already");
    files.found(Some(vec![named(2, Some(false))]), second(20));
    let told = told(&mut files);
    let [finding] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(
        (finding.kind, finding.verdict),
        (Kind::PosixShm, Verdict::Left)
    );
    assert_eq!((finding.open_count, finding.open_bytes), (1, Some(8192)));
    assert_eq!(finding.resident_bytes, Some(4096));
    let target = finding.samples[0].target.as_deref();
    assert_eq!(target, Some("/dev/shm/segment2"));
    assert!(!files.mentions(process(7)) && !files.is_busy());
}

#[test]
fn what_was_unlinked_is_not_told() {
    let mut files = ended(false);
    files.request(second(20)).unwrap();
    files.found(Some(Vec::new()), second(20));
    assert!(told(&mut files).is_empty());
    assert!(files.request(second(900)).is_none(), "nor looked for again");
}

#[test]
fn what_another_holds_is_told_when_that_has_ended() {
    let mut files = ended(false);
    files.request(second(20)).unwrap();
    let held = |held| Some(vec![named(1, Some(held))]);
    files.found(held(true), second(20));
    assert!(told(&mut files).is_empty());
    assert!(files.request(second(40)).is_none());
    let again = files.request(second(50)).unwrap();
    assert_eq!(again.left, BTreeSet::from([id(1)]), "the other has gone");
    files.found(held(false), second(50));
    assert_eq!(told(&mut files).len(), 1);
}

#[test]
fn under_run_it_is_looked_for_at_the_end_of_the_command() {
    let mut files = ended(true);
    assert!(files.request(second(500)).is_none());
    files.hurry();
    files.request(second(500)).unwrap();
    assert!(files.is_busy());
    files.found(
        Some(vec![named(1, Some(false)), named(2, Some(true))]),
        second(500),
    );
    assert_eq!(told(&mut files).len(), 1, "one is in use");
    assert!(files.request(second(900)).is_none());
}

#[test]
fn where_nobody_could_look_it_is_asked_again() {
    let mut files = ended(false);
    files.request(second(20)).unwrap();
    files.found(None, second(20));
    assert!(told(&mut files).is_empty());
    assert_eq!(files.request(second(25)).unwrap().left.len(), 2);
}

#[test]
fn files_of_who_runs_are_counted_and_those_without_a_name_forgotten() {
    let mut files = PersistentObjects::default();
    for inode in 1..=4 {
        made(&mut files, 7, inode);
    }
    let request = files.request(second(20)).unwrap();
    assert_eq!((request.made.len(), request.left.len()), (4, 0));
    let three = (1..=3).map(|inode| named(inode, None)).collect();
    let counts = files.found(Some(three), second(20));
    assert_eq!(counts, BTreeMap::from([((process(7), Kind::PosixShm), 3)]));
    let ranked = files.ranked(process(7), Kind::PosixShm);
    assert_eq!(ranked[0].2.count, 3);
    assert!(files.request(second(22)).is_none(), "not so soon");
    assert_eq!(files.request(second(25)).unwrap().made.len(), 3);
    let counts = files.found(Some(Vec::new()), second(25));
    assert_eq!(counts, BTreeMap::from([((process(7), Kind::PosixShm), 0)]));
    assert!(!files.mentions(process(7)));
}

#[test]
fn the_end_of_one_process_is_no_count_of_others() {
    let mut files = PersistentObjects::default();
    made(&mut files, 8, 3);
    files.request(second(20)).unwrap();
    files.found(Some(vec![named(3, None)]), second(20));
    made(&mut files, 7, 1);
    files.ended(&end(7, 11), false);
    let request = files.request(second(21)).unwrap();
    assert!(request.made.is_empty(), "only who ended is asked about");
    assert!(files.found(Some(Vec::new()), second(21)).is_empty());
    assert!(files.mentions(process(8)));
}

/// One process after the other leaves a file at the same place; every `kept`th stays.
fn workers(count: u32, kept: u64) -> Vec<Verdict> {
    let mut files = PersistentObjects::default();
    let mut verdicts = Vec::new();
    let mut there: BTreeMap<u64, FoundObject> = BTreeMap::new();
    for tgid in 100..100 + count {
        let (inode, at) = (u64::from(tgid), u64::from(tgid) * 20);
        made(&mut files, tgid, inode);
        files.ended(&end(tgid, at), false);
        there.retain(|inode, _| inode % kept == 0);
        there.insert(inode, named(inode, Some(false)));
        let request = files.request(second(at + 10)).unwrap();
        assert_eq!(
            request.made.is_empty(),
            tgid == 100,
            "what stood is looked at"
        );
        files.found(Some(there.values().cloned().collect()), second(at + 10));
        verdicts.extend(told(&mut files).iter().map(|finding| finding.verdict));
    }
    verdicts
}

#[test]
fn what_many_leave_at_one_place_is_a_leak() {
    let verdicts = workers(30, 1);
    let leaks = verdicts.iter().enumerate();
    let leaks = leaks.filter(|(_, verdict)| **verdict == Verdict::Leak);
    let leaks: Vec<_> = leaks.map(|(at, _)| at + 1).collect();
    assert_eq!(leaks, [12, 24], "told again when it has doubled");
    let removed = workers(30, 1_000);
    assert!(removed.iter().all(|verdict| *verdict == Verdict::Left));
}

#[test]
fn files_beyond_the_bound_are_counted() {
    let mut files = PersistentObjects::default();
    for inode in 0..OBJECTS as u64 + 3 {
        made(&mut files, 7, inode);
    }
    assert_eq!(files.dropped(), 3);
}

#[test]
fn keys_are_counted_beside_files_and_told_beside_them() {
    let mut objects = PersistentObjects::default();
    made(&mut objects, 7, 1);
    for serial in 1..=3 {
        key_made(&mut objects, serial, true);
    }
    // The same again, with another payload.
    key_made(&mut objects, 3, true);
    objects.request(second(20)).unwrap();
    let found = [named(1, None), valid(1), valid(3)];
    let counts = objects.found(Some(found.to_vec()), second(20));
    let expected = [
        ((process(7), Kind::PosixShm), 1),
        ((process(7), Kind::Key), 2),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
    assert_eq!(objects.ranked(process(7), Kind::Key)[0].2.count, 2);
    objects.ended(&end(7, 30), false);
    objects.request(second(40)).unwrap();
    let found = [named(1, Some(false)), valid(1), valid(3)];
    objects.found(Some(found.to_vec()), second(40));
    let findings = told(&mut objects);
    let kinds = findings
        .iter()
        .map(|it| (it.kind, it.open_count, it.open_bytes));
    let kinds: Vec<_> = kinds.collect();
    let expected = [(Kind::PosixShm, 1, Some(8192)), (Kind::Key, 2, None)];
    assert_eq!(kinds, expected);
    let key = findings.last().unwrap();
    assert_eq!(key.samples[0].target.as_deref(), Some("user: 1"));
}

#[test]
fn a_key_of_a_session_is_not_left_by_who_made_it() {
    let mut objects = PersistentObjects::default();
    key_made(&mut objects, 1, false);
    objects.ended(&end(7, 30), false);
    assert!(objects.request(second(60)).is_none());
}
