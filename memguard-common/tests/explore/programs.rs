//! The programs that are explored.
//!
//! One way where parties shall meet, two and three where they may miss each other. What a set holds besides
//! is busy for ever.

use memguard_common::stats::Stat::{
    self, Direct, Evicted, NotOpen, Paired, ReleasesSent, Replaced, TakeBacksSent, TakenBack,
};

use super::{
    ghost::{
        Began::{AfterReturn, BeforeRecord, BeforeReturn},
        Saw::{Another, Own},
        Told,
    },
    judge::{
        Age::{Older, Younger},
        Loss,
        Oddity::{self, Lost, Mistaken, Phantom},
    },
    scenario::{
        Fill::{self, Dead, Empty, Missed, Open},
        Role, Scenario,
    },
};

/// A program, what is counted in it by some interleaving, and all that is odd at the end of any.
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    pub(crate) reaches: &'static [Stat],
    pub(crate) odd: &'static [Oddity],
}

pub(crate) const fn open(key: usize, owner: u32) -> Role {
    Role::Open { key, owner }
}

pub(crate) const fn onto(key: usize, owner: u32, after: usize) -> Role {
    let after = Some(after);
    Role::Onto { key, owner, after }
}

/// Closes what the party `after` has opened.
pub(crate) const fn close(key: usize, owner: u32, after: usize) -> Role {
    let after = Some(after);
    Role::Close { key, owner, after }
}

/// Closes whatever is there, at any time. Of a descriptor that is open from the beginning, and whose
/// number nobody opens again, that is as it should be.
pub(crate) const fn close_blindly(key: usize, owner: u32) -> Role {
    let after = None;
    Role::Close { key, owner, after }
}

const SWEEP: Role = Role::Sweep;

/// The closer's program was done with the nursery before the record came into it.
const EARLY: [Oddity; 5] = [
    Phantom(Told::Sent, BeforeRecord, Own),
    Phantom(Told::NotOpen, BeforeRecord, Own),
    Phantom(Told::Paired, BeforeRecord, Own),
    Phantom(Told::Sent, BeforeRecord, Another),
    Phantom(Told::NotOpen, BeforeRecord, Another),
];
/// The closer's program took another record for its own.
const ABSORBED: [Oddity; 2] = [
    Phantom(Told::Paired, BeforeReturn, Own),
    Phantom(Told::Paired, AfterReturn, Own),
];
/// The acquirer whose handle is closed has published after the one whose handle is open.
const LATE: [Oddity; 3] = [
    Mistaken(Younger, Another),
    Mistaken(Older, Another),
    Lost(Loss::Replaced),
];

/// Everything odd that blind closes can lead to.
pub(crate) fn is_known(oddity: &Oddity) -> bool {
    [&EARLY[..], &ABSORBED, &LATE].concat().contains(oddity)
}

const NOTHING: &[Oddity] = &[];
const NUMBER_AGAIN: [Role; 5] = [
    open(0, 1),
    close(0, 1, 0),
    open(0, 1),
    close(0, 1, 2),
    SWEEP,
];
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
const OTHER_TABLE: [Role; 5] = [
    open(0, 2),
    close(0, 2, 0),
    open(1, 2),
    close(1, 2, 2),
    SWEEP,
];
const MISSED: [Role; 3] = [open(0, 1), open(1, 1), SWEEP];
const OTHERS: Fill = Open { key: 2, owner: 1 };
const LEFT: Fill = Dead { key: 0, owner: 1 };

fn case(
    name: &'static str,
    ways: &[Fill],
    parties: &[Role],
    reaches: &'static [Stat],
    odd: &'static [Oddity],
) -> Case {
    Case {
        scenario: Scenario::new(name, ways, parties),
        reaches,
        odd,
    }
}

/// Programs that close what they were given, and nothing else.
pub(crate) fn correct() -> Vec<Case> {
    let all: &[Stat] = &[Paired, Evicted, Direct, ReleasesSent];
    let correct = |name, ways: &[Fill], parties: &[Role], reaches| {
        case(name, ways, parties, reaches, NOTHING)
    };
    let missed = Missed { key: 0, owner: 1 };
    let stranger = Missed { key: 0, owner: 2 };
    vec![
        correct("a number again, 1 way", &[Empty], &NUMBER_AGAIN, &[Paired, ReleasesSent]),
        correct("a number again, 3 ways", &[Empty; 3], &NUMBER_AGAIN, &[Paired, ReleasesSent]),
        correct("a shared table, 1 way", &[Empty], &SHARED_TABLE, &[Evicted, ReleasesSent]),
        correct("a shared table, 3 ways", &[Empty; 3], &SHARED_TABLE, &[Evicted, ReleasesSent]),
        correct("two keys, 1 way", &[Empty], &TWO_KEYS, all),
        correct("two keys, 2 ways", &[Empty; 2], &TWO_KEYS, &[Paired, ReleasesSent]),
        correct("a table's memory again, 1 way", &[LEFT], &OTHER_TABLE, all),
        correct("a release was missed, 1 way", &[missed], &MISSED, &[Replaced, Evicted, Direct]),
        correct("a release was missed, 2 ways", &[missed, Empty], &MISSED, &[Replaced, Evicted]),
        correct("a stranger's was missed, 2 ways", &[stranger, Empty], &MISSED, &[Evicted]),
    ]
}

/// The same, with more ways and records.
pub(crate) fn correct_and_large() -> Vec<Case> {
    let all: &[Stat] = &[Paired, Evicted, Direct, ReleasesSent];
    let some: &[Stat] = &[Paired, Evicted, ReleasesSent];
    let correct = |name, ways: &[Fill], parties: &[Role], reaches| {
        case(name, ways, parties, reaches, NOTHING)
    };
    let shared = [OTHERS, Open { key: 1, owner: 2 }];
    let mut cases = vec![
        correct("two keys, 3 ways", &[Empty; 3], &TWO_KEYS, &[Paired, ReleasesSent]),
        correct("three keys, 1 way", &[OTHERS], &THREE_KEYS, all),
        correct("three keys, 2 ways", &[OTHERS, Empty], &THREE_KEYS, some),
        correct("three keys, 3 ways", &[OTHERS, Empty, Empty], &THREE_KEYS, &[Paired, ReleasesSent]),
        correct("a shared table, 2 full ways", &shared, &SHARED_TABLE, &[Evicted, ReleasesSent]),
        correct("a table's memory again, 2 ways", &[LEFT, Empty], &OTHER_TABLE, some),
        correct("a table's memory again, 3 ways", &[LEFT, Empty, Empty], &OTHER_TABLE, some),
    ];
    for (name, ways) in [
        ("three keys, 1 way, one age", &[OTHERS][..]),
        ("three keys, 2 ways, one age", &[OTHERS, Empty]),
    ] {
        let mut case = correct(name, ways, &THREE_KEYS, some);
        case.scenario = case.scenario.within_a_unit();
        cases.push(case);
    }
    cases
}

/// Programs that replace a descriptor by `dup2`. The number is free for no moment, and no program sees
/// the close.
pub(crate) fn overwriting() -> Vec<Case> {
    const UNSEEN: &[Oddity] = &[Phantom(Told::Unseen, AfterReturn, Own)];
    let own = [open(0, 1), onto(0, 1, 0), close(0, 1, 1), SWEEP];
    let crowded = [open(0, 1), onto(0, 1, 0), close(0, 1, 1), open(1, 1), SWEEP];
    let shared = [open(0, 1), onto(0, 2, 0), close(0, 2, 1), SWEEP];
    vec![
        case("dup2, 1 way", &[Empty], &own, &[Replaced], UNSEEN),
        case("dup2, 2 ways", &[Empty; 2], &own, &[Replaced], UNSEEN),
        case("dup2, crowded", &[Empty], &crowded, &[Replaced, Evicted, Direct], UNSEEN),
        case("dup2, shared table", &[Empty], &shared, &[Evicted], UNSEEN),
    ]
}

/// Programs with closes that do not know what they close: polling, or twice.
pub(crate) fn blind() -> Vec<Case> {
    const POLLED: &[Oddity] = &[EARLY[0], EARLY[1]];
    const TWICE: &[Oddity] = &[EARLY[0], EARLY[1], EARLY[2]];
    const STRANGERS: &[Oddity] = &[LATE[0]];
    let [first, second] = [close_blindly(0, 1), close_blindly(0, 2)];
    let polled = [open(0, 1), first, SWEEP];
    let twice = [open(0, 1), close(0, 1, 0), close(0, 1, 0), open(0, 1), SWEEP];
    let once = [open(0, 1), open(0, 1), first, SWEEP];
    let strangers = [open(0, 1), open(0, 2), first, SWEEP];
    let crowded = [open(0, 1), open(1, 1), first, second, SWEEP];
    let all: &[Stat] = &[TakenBack, TakeBacksSent, NotOpen, ReleasesSent];
    vec![
        case("polled", &[Empty], &polled, all, POLLED),
        case("closed twice", &[Empty; 2], &twice, &[TakenBack], TWICE),
        case("two opens, 1 way", &[Empty], &once, all, &LATE),
        case("two opens, 2 ways", &[Empty; 2], &once, all, &LATE),
        case("two owners, 2 ways", &[Empty; 2], &strangers, &[Evicted], STRANGERS),
        case("crowded", &[Empty], &crowded, &[Evicted, Direct], POLLED),
        two_and_two("two and two, 1 way", &[Empty]),
    ]
}

fn two_and_two(name: &'static str, ways: &[Fill]) -> Case {
    const ALL: [Oddity; 10] = {
        let [a, b, c, d, e] = EARLY;
        let [f, g] = ABSORBED;
        let [h, i, j] = LATE;
        [a, b, c, d, e, f, g, h, i, j]
    };
    let close = close_blindly(0, 1);
    let parties = [open(0, 1), open(0, 1), close, close, SWEEP];
    case(name, ways, &parties, &[Replaced, TakenBack, TakeBacksSent], &ALL)
}

/// The same, larger.
pub(crate) fn blind_and_large() -> Vec<Case> {
    const OWNERS: [Oddity; 8] = {
        let [a, b, c, d, e] = EARLY;
        let [f, g] = ABSORBED;
        [a, b, c, d, e, f, g, LATE[0]]
    };
    let [first, second] = [close_blindly(0, 1), close_blindly(0, 2)];
    let owners = [open(0, 1), open(0, 2), first, second, SWEEP];
    vec![
        two_and_two("two and two, 2 ways", &[Empty; 2]),
        two_and_two("two and two, 3 ways", &[Empty; 3]),
        two_and_two("two and two, 2 ways, one full", &[OTHERS, Empty]),
        case("two owners, 1 way", &[Empty], &owners, &[Evicted], &OWNERS),
        case("two owners, 2 full ways", &[Empty; 2], &owners, &[Evicted], &OWNERS),
        case("two owners, 3 ways", &[Empty; 3], &owners, &[Evicted], &OWNERS),
    ]
}
