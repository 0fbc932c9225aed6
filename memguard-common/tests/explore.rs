//! The nursery protocol, in all interleavings.
//!
//! The actors run the very functions of [`memguard_common::nursery`] over a model of one set,
//! within scripts that mirror the programs around them and the agent's sweep ([`explore::script`]).
//! Steps of the kernel are steps like theirs: a number is given, a slot is emptied. An actor takes
//! one step at a time: it is run again from its beginning, is given the answers that it was given
//! before, and is stopped after one new step ([`explore::actor`]). Two interleavings that lead to
//! one state are one from there on ([`explore::search`]). Once all are through, what is left is
//! swept, and it is judged by stamps, as the ledger does ([`explore::judge`]).
//!
//! Memory is sequentially consistent here. On x86-64 it may be taken for that: every claim,
//! publication, take-back and erasure is a locked instruction, and the rest keeps its order.
//! A stamp is later than every stamp that was taken before it on any CPU.
//!
//! # What holds
//!
//! In programs that close only what they were given, in all interleavings: what is open at the end
//! is held, by its own record; what is closed is not; no record reaches the agent twice, or torn;
//! what was open when its table died reaches the agent; a generation grows by one with every claim
//! and at no other time; both counter identities hold. All but the first two hold in every program.
//!
//! `dup2` onto an open number is such a program, though nobody but its acquirer knows of the close:
//! what it closed was replaced in the nursery, or is released, older than its own record by the
//! least.
//!
//! No open descriptor is lost, in any program that is explored.
//!
//! # What does not
//!
//! **Blind closes**, those that do not wait until user space knows the number (polling, double
//! close, `dup2` at once with another call), may leave three kinds of things behind:
//!
//! * *Early*: the closer's program is done with the nursery before the record is in it, and the
//!   kernel empties the slot only after the acquirer has looked and seen it in use: still by its
//!   own handle, or already by the next. A phantom is left: a record is held of a number that is
//!   not open. The program may have sent a release, older than the record; or seen the slot empty,
//!   before the kernel filled it, and sent nothing; or erased the record of an earlier handle, and
//!   sent nothing.
//! * *Absorbed*: the closer erases the leftover record of an earlier handle of the number, which
//!   was closed early and whose acquirer saw the next handle in its slot; the record of the handle
//!   that it closes has left the nursery already. A phantom as well, though this closer may have
//!   done everything right.
//! * *Late*: an acquirer is overtaken by a close and by the next acquirer of the number before it
//!   reads the clock, and sees the next handle in its slot. Its record is the younger and stands
//!   for the next one's: the number is open and held, but as what it was before. Where it was
//!   `dup2` that overtook it, the record may outlast the next handle, as a phantom.
//!
//! With up to three acquirers and three closers there is nothing else. A phantom is younger than
//! every release that was sent, or the ledger would not hold it, and its slot is empty, so that a
//! look into `/proc` refutes it.
//!
//! An acquirer that is overtaken after it has read the clock finds the younger record of its own
//! number and process, and sends it to the agent instead of replacing it: replaced, the release
//! that was sent in between would remove both, and the open descriptor would be lost
//! (`Change::YoungerReplaced`).
//!
//! Run with `--nocapture` to read the numbers, and the interleavings of what goes wrong. What is
//! larger is for the long tier: `cargo test --release -p memguard-common --test explore --
//! --ignored`.

mod explore {
    pub(crate) mod actor;
    pub(crate) mod blind;
    pub(crate) mod changed;
    pub(crate) mod ghost;
    pub(crate) mod judge;
    pub(crate) mod op;
    pub(crate) mod programs;
    pub(crate) mod report;
    pub(crate) mod scenario;
    pub(crate) mod script;
    pub(crate) mod search;
    pub(crate) mod world;
}

use std::time::Instant;

use explore::{
    blind,
    judge::Oddity,
    programs::{self, Case, LEFT, MEMORY_AGAIN, TWO_KEYS, close_blindly},
    report::{Counterexample, Report},
    scenario::{
        Change,
        Fill::{Empty, Open},
        Scenario,
    },
    search::{Merge, explore},
};

type Outcome = Result<(), Box<Counterexample>>;

const fn anything(_: Oddity) -> bool {
    true
}

/// Explores, and finds exactly what the case says.
fn check(case: &Case) -> Result<Report, Box<Counterexample>> {
    let report = explore(&case.scenario, Merge::Yes, &anything)?;
    let name = case.scenario.name;
    for stat in case.reaches {
        assert!(
            report.reaches(*stat),
            "{name}: {} is never counted",
            stat.name()
        );
    }
    let mut expected = case.odd.to_vec();
    expected.sort_unstable();
    let found: Vec<Oddity> = report.oddities.keys().copied().collect();
    assert_eq!(found, expected, "{name}");
    Ok(report)
}

#[test]
fn correct_programs_lose_nothing_and_leave_nothing() -> Outcome {
    for case in programs::usual() {
        println!("{}", check(&case)?);
    }
    Ok(())
}

#[test]
fn what_dup2_overwrites_is_closed() -> Outcome {
    for case in programs::overwriting() {
        println!("{}", check(&case)?);
    }
    Ok(())
}

#[test]
fn blind_closes_leave_what_is_known() -> Outcome {
    for case in blind::usual() {
        println!("{}", check(&case)?);
    }
    Ok(())
}

#[test]
#[ignore = "long: two minutes with --release, and 2 GB"]
fn at_large() -> Outcome {
    for case in programs::large().into_iter().chain(blind::large()) {
        let start = Instant::now();
        println!("{}\n    {} s", check(&case)?, start.elapsed().as_secs());
    }
    Ok(())
}

/// The smallest program that shows it, and one interleaving to read.
#[test]
fn every_oddity_has_an_example() {
    let programs = blind::examples();
    for oddity in blind::ALL.iter().take(blind::TWO_AND_TWO_LEAVE) {
        let is_another = |other: Oddity| other != *oddity;
        let example = programs
            .iter()
            .find_map(|program| explore(program, Merge::Yes, &is_another).err());
        println!("{}", example.expect("an example"));
    }
}

/// Where each change of the protocol must show.
fn broken() -> [(Change, Scenario); 12] {
    let polling = Scenario::new("polling", &[Empty], &blind::POLLING);
    let two_opens = Scenario::new("two opens", &[Empty], &blind::TWO_OPENS);
    let two_keys = Scenario::new("two keys", &[Empty], &TWO_KEYS);
    let memory_again = Scenario::new("a table's memory again", &[LEFT], &MEMORY_AGAIN);
    let dup2 = programs::overwriting().remove(0).scenario;
    [
        (Change::NoLook, polling.clone()),
        (Change::StampBeforeScan, polling),
        (Change::TakesBackAnything, two_opens.clone()),
        (Change::YoungerReplaced, two_opens),
        (Change::EarlyPublication, two_keys.clone()),
        (Change::AnyIdentity, two_keys.clone()),
        (Change::ReleaseStores, two_keys.clone()),
        (Change::SweepReadsLate, two_keys.clone()),
        (Change::SweepStores, two_keys.clone()),
        (Change::NoGenerations, two_keys.within_a_unit()),
        (Change::StrangerReplaced, memory_again),
        (Change::DupTellsNobody, dup2),
    ]
}

/// An exploration that finds nothing wrong with a wrong protocol would prove nothing. Without the
/// change, the same programs are as they should be: see above.
#[test]
fn a_broken_protocol_is_found_out() {
    for (change, scenario) in broken() {
        let is_blind = scenario.is_blind();
        let is_known = |oddity: Oddity| is_blind && blind::ALL.contains(&oddity);
        match explore(&scenario.with(change), Merge::Yes, &is_known) {
            Ok(report) => panic!("{change:?} is not found out: {report}"),
            Err(counterexample) => println!("{change:?}, {counterexample}"),
        }
    }
}

/// Merging states, and taking twins for each other, changes nothing but the time it takes.
#[test]
fn merging_loses_nothing() -> Outcome {
    let close = close_blindly(0, 1);
    let opened = Open { key: 0, owner: 1 };
    let twice = Scenario::new("closed twice at once", &[opened], &[close, close]);
    let polling = Scenario::new("polling", &[Empty], &blind::POLLING);
    for scenario in [twice, polling] {
        let merged = explore(&scenario, Merge::Yes, &anything)?;
        let whole = explore(&scenario, Merge::No, &anything)?;
        println!("{merged}\n{whole}");
        assert_eq!(merged.paths, whole.paths);
        assert!(merged.oddities.keys().eq(whole.oddities.keys()));
        assert!((whole.paths.all - whole.ends as f64).abs() < 0.5);
    }
    Ok(())
}
