//! Programs that close what they were given, and nothing else.
//!
//! One way, where parties have to meet; two and three, where they may miss each other. All other
//! ways of the set are busy for ever.

use memguard_common::stats::Stat::{
    self, Direct, Evicted, Paired, ReleasesPaired, ReleasesSent, Replaced,
};

use super::{
    ghost::{Began::AfterReturn, Saw::Own, Told},
    judge::Oddity::{self, Phantom},
    scenario::{
        Fill::{self, Dead, Empty, Missed, Open},
        Role, Scenario,
    },
};

/// A program, what some interleaving of it counts, and all oddities that one or another ends in.
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    pub(crate) reaches: &'static [Stat],
    pub(crate) odd: &'static [Oddity],
}

pub(crate) fn case(
    name: &'static str,
    ways: &[Fill],
    parties: &[Role],
    reaches: &'static [Stat],
    odd: &'static [Oddity],
) -> Case {
    let scenario = Scenario::new(name, ways, parties);
    Case {
        scenario,
        reaches,
        odd,
    }
}

/// Opens a descriptor.
pub(crate) const fn open(key: usize, owner: u32) -> Role {
    Role::Open { key, owner }
}

/// The same, past the nursery.
pub(crate) const fn direct(key: usize, owner: u32) -> Role {
    Role::Direct { key, owner }
}

/// Closes what the party `after` has opened.
pub(crate) const fn close(key: usize, owner: u32, after: usize) -> Role {
    let after = Some(after);
    Role::Close { key, owner, after }
}

/// Closes whatever is there, at any time. Of a descriptor that is open from the beginning, and
/// whose number nobody opens again, that is as it should be.
pub(crate) const fn close_blindly(key: usize, owner: u32) -> Role {
    let after = None;
    Role::Close { key, owner, after }
}

pub(crate) const SWEEP: Role = Role::Sweep;
/// The record of an open descriptor that takes no part.
pub(crate) const OTHERS: Fill = Open { key: 2, owner: 1 };
/// The record of what was open when the table died.
pub(crate) const LEFT: Fill = Dead { key: 0, owner: 1 };

const NUMBER_AGAIN: [Role; 5] = [
    open(0, 1),
    close(0, 1, 0),
    open(0, 1),
    close(0, 1, 2),
    SWEEP,
];
/// Each closes what the other has opened: their releases never find their partners.
const SHARED_TABLE: [Role; 5] = [
    open(0, 1),
    close(0, 2, 0),
    open(0, 2),
    close(0, 1, 2),
    SWEEP,
];
pub(crate) const TWO_KEYS: [Role; 5] = [
    open(0, 1),
    close(0, 1, 0),
    open(1, 1),
    close(1, 1, 2),
    SWEEP,
];
/// The third key can be read where the record of the first gives way to that of the second.
const THREE_KEYS: [Role; 5] = [
    open(0, 1),
    close(0, 1, 0),
    open(1, 1),
    close_blindly(2, 1),
    SWEEP,
];
pub(crate) const MEMORY_AGAIN: [Role; 5] = [
    open(0, 2),
    close(0, 2, 0),
    open(1, 2),
    close(1, 2, 2),
    SWEEP,
];

const PAIRED: &[Stat] = &[Paired, ReleasesPaired, ReleasesSent];
const STRANGE: &[Stat] = &[Evicted, ReleasesSent];
const EVICTED: &[Stat] = &[Paired, Evicted, ReleasesSent];
const ALL: &[Stat] = &[Paired, Evicted, Direct, ReleasesSent];

fn correct(name: &'static str, ways: &[Fill], parties: &[Role], reaches: &'static [Stat]) -> Case {
    case(name, ways, parties, reaches, &[])
}

/// Nothing is odd.
pub(crate) fn usual() -> Vec<Case> {
    const TWO_OPENS: [Role; 3] = [open(0, 1), open(1, 1), SWEEP];
    const ITS_OWN: Fill = Missed { key: 0, owner: 1 };
    const STRANGERS: Fill = Missed { key: 0, owner: 2 };
    const REPLACED: &[Stat] = &[Replaced, Evicted];
    const SENT: &[Stat] = &[Direct, Paired, ReleasesSent];
    let past = [direct(0, 1), close(0, 1, 0), open(0, 1), close(0, 1, 2), SWEEP];
    vec![
        correct("a number again, 1 way", &[Empty], &NUMBER_AGAIN, PAIRED),
        correct("a number again, 3 ways", &[Empty; 3], &NUMBER_AGAIN, PAIRED),
        correct("a shared table, 1 way", &[Empty], &SHARED_TABLE, STRANGE),
        correct(
            "a shared table, 3 ways",
            &[Empty; 3],
            &SHARED_TABLE,
            STRANGE,
        ),
        correct("two keys, 1 way", &[Empty], &TWO_KEYS, ALL),
        correct("two keys, 2 ways", &[Empty; 2], &TWO_KEYS, PAIRED),
        correct("a table's memory again, 1 way", &[LEFT], &MEMORY_AGAIN, ALL),
        correct(
            "a release was missed, 1 way",
            &[ITS_OWN],
            &TWO_OPENS,
            REPLACED,
        ),
        correct(
            "a release was missed, 2 ways",
            &[ITS_OWN, Empty],
            &TWO_OPENS,
            REPLACED,
        ),
        correct(
            "a stranger's was missed",
            &[STRANGERS, Empty],
            &TWO_OPENS,
            &[Evicted],
        ),
    ]
}

/// The same with more ways and more records, and with records of one age.
pub(crate) fn large() -> Vec<Case> {
    let full = [OTHERS, Open { key: 1, owner: 2 }];
    let mut cases = vec![
        correct("three keys, 1 way", &[OTHERS], &THREE_KEYS, ALL),
        correct("three keys, 2 ways", &[OTHERS, Empty], &THREE_KEYS, EVICTED),
    ];
    for (case, name) in cases.iter_mut().zip(["one age, 1 way", "one age, 2 ways"]) {
        case.scenario = Scenario {
            name,
            ..case.scenario.clone().within_a_unit()
        };
    }
    cases.extend([
        correct("two keys, 3 ways", &[Empty; 3], &TWO_KEYS, PAIRED),
        correct("three keys, 1 way", &[OTHERS], &THREE_KEYS, ALL),
        correct("three keys, 2 ways", &[OTHERS, Empty], &THREE_KEYS, EVICTED),
        correct(
            "three keys, 3 ways",
            &[OTHERS, Empty, Empty],
            &THREE_KEYS,
            PAIRED,
        ),
        correct("a shared table, 2 full ways", &full, &SHARED_TABLE, STRANGE),
        correct(
            "a table's memory again, 2 ways",
            &[LEFT, Empty],
            &MEMORY_AGAIN,
            EVICTED,
        ),
        correct(
            "a table's memory again, 3 ways",
            &[LEFT, Empty, Empty],
            &MEMORY_AGAIN,
            EVICTED,
        ),
    ]);
    cases
}

/// What is left where `dup2` closed a handle that the agent holds.
pub(crate) const OVERWRITTEN: Oddity = Phantom(Told::Unseen, AfterReturn, Own);

/// With a `dup2` onto an open number: it is free for no moment, and no program sees the close.
pub(crate) fn overwriting() -> Vec<Case> {
    const ODD: &[Oddity] = &[OVERWRITTEN];
    const fn onto(owner: u32) -> Role {
        let (key, after) = (0, Some(0));
        Role::Onto { key, owner, after }
    }
    let own = [open(0, 1), onto(1), close(0, 1, 1), SWEEP];
    let crowded = [open(0, 1), onto(1), close(0, 1, 1), open(1, 1), SWEEP];
    let shared = [open(0, 1), onto(2), close(0, 2, 1), SWEEP];
    let all: &[Stat] = &[Replaced, Evicted, Direct];
    vec![
        case("dup2, 1 way", &[Empty], &own, &[Replaced], ODD),
        case("dup2, 2 ways", &[Empty; 2], &own, &[Replaced], ODD),
        case("dup2, crowded", &[Empty], &crowded, all, ODD),
        case("dup2, a shared table", &[Empty], &shared, &[Evicted], ODD),
    ]
}
