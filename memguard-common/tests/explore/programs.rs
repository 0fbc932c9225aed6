//! Programs that close what they were given, and nothing else.
//!
//! One way, where actors have to meet; two and three, where they may miss each other. All other
//! ways of the set are busy for ever.

use memguard_common::stats::Stat::{
    self, Direct, Evicted, Paired, ReleasesSent, Replaced, TakeBacksSent,
};

use super::{
    judge::Oddity,
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

/// Name, ways, actors, what is reached, what is odd.
macro_rules! cases {
    ($($name:literal: $ways:expr, $actors:expr, $reaches:expr, $odd:expr;)*) => {
        vec![$(Case {
            scenario: Scenario::new($name, $ways, &$actors),
            reaches: $reaches,
            odd: $odd,
        }),*]
    };
}
pub(crate) use cases;

/// Opens a descriptor.
pub(crate) const fn open(key: usize, owner: u32) -> Role {
    Role::Open { key, owner }
}

/// The same, past the nursery.
pub(crate) const fn direct(key: usize, owner: u32) -> Role {
    Role::Direct { key, owner }
}

/// Closes what the actor `after` has opened.
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

/// `dup2` onto what the first actor has opened.
pub(crate) const fn onto(owner: u32) -> Role {
    let (key, after) = (0, Some(0));
    Role::Onto { key, owner, after }
}

/// `dup2` onto whatever is there, at any time.
pub(crate) const fn onto_blindly(key: usize, owner: u32) -> Role {
    let after = None;
    Role::Onto { key, owner, after }
}

pub(crate) const SWEEP: Role = Role::Sweep;
pub(crate) const ONE: &[Fill] = &[Empty];
pub(crate) const TWO: &[Fill] = &[Empty; 2];
pub(crate) const THREE: &[Fill] = &[Empty; 3];
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

const NONE: &[Oddity] = &[];
const PAIRED: &[Stat] = &[Paired, ReleasesSent];
const STRANGE: &[Stat] = &[Evicted, ReleasesSent];
const EVICTED: &[Stat] = &[Paired, Evicted, ReleasesSent];
const SENT: &[Stat] = &[Paired, Direct, ReleasesSent];
const ALL: &[Stat] = &[Paired, Evicted, Direct, ReleasesSent];

/// Nothing is odd.
pub(crate) fn usual() -> Vec<Case> {
    const OPENS: [Role; 3] = [open(0, 1), open(1, 1), SWEEP];
    const MISSED: &[Fill] = &[Missed { key: 0, owner: 1 }];
    const MISSED_OF_2: &[Fill] = &[Missed { key: 0, owner: 1 }, Empty];
    const STRANGERS: &[Fill] = &[Missed { key: 0, owner: 2 }, Empty];
    const REPLACED: &[Stat] = &[Replaced, Evicted];
    let [_, first, again, second, _] = NUMBER_AGAIN;
    let past = [direct(0, 1), first, again, second, SWEEP];
    let mut cases = cases! {
        "two keys of one age, 1 way": ONE, TWO_KEYS, ALL, NONE;
        "a number again, 1 way": ONE, NUMBER_AGAIN, PAIRED, NONE;
        "a number again, 3 ways": THREE, NUMBER_AGAIN, PAIRED, NONE;
        "past the nursery, and again": ONE, past, SENT, NONE;
        "a shared table, 1 way": ONE, SHARED_TABLE, STRANGE, NONE;
        "a shared table, 3 ways": THREE, SHARED_TABLE, STRANGE, NONE;
        "two keys, 1 way": ONE, TWO_KEYS, ALL, NONE;
        "two keys, 2 ways": TWO, TWO_KEYS, PAIRED, NONE;
        "a table's memory again, 1 way": &[LEFT], MEMORY_AGAIN, ALL, NONE;
        "a release was missed, 1 way": MISSED, OPENS, REPLACED, NONE;
        "a release was missed, 2 ways": MISSED_OF_2, OPENS, REPLACED, NONE;
        "a stranger's was missed": STRANGERS, OPENS, &[Evicted], NONE;
    };
    cases[0].scenario = cases[0].scenario.clone().within_a_unit();
    cases
}

/// The same with more ways and more records, and with records of one age.
pub(crate) fn large() -> Vec<Case> {
    const LEFT_OF_2: &[Fill] = &[LEFT, Empty];
    const LEFT_OF_3: &[Fill] = &[LEFT, Empty, Empty];
    const OTHERS_OF_2: &[Fill] = &[OTHERS, Empty];
    const OTHERS_OF_3: &[Fill] = &[OTHERS, Empty, Empty];
    const CROWD: &[Stat] = &[Replaced, Evicted, Direct, TakeBacksSent];
    let full = [OTHERS, Open { key: 1, owner: 2 }];
    let crowded = [open(0, 1), onto(1), close(0, 1, 1), open(1, 1), SWEEP];
    let mut of_one_age = cases! {
        "three keys of one age, 1 way": &[OTHERS], THREE_KEYS, ALL, NONE;
        "three keys of one age, 2 ways": OTHERS_OF_2, THREE_KEYS, EVICTED, NONE;
    };
    for case in &mut of_one_age {
        case.scenario = case.scenario.clone().within_a_unit();
    }
    let others = cases! {
        "two keys, 3 ways": THREE, TWO_KEYS, PAIRED, NONE;
        "three keys, 1 way": &[OTHERS], THREE_KEYS, ALL, NONE;
        "three keys, 2 ways": OTHERS_OF_2, THREE_KEYS, EVICTED, NONE;
        "three keys, 3 ways": OTHERS_OF_3, THREE_KEYS, PAIRED, NONE;
        "a shared table, 2 full ways": &full, SHARED_TABLE, STRANGE, NONE;
        "a table's memory again, 2 ways": LEFT_OF_2, MEMORY_AGAIN, EVICTED, NONE;
        "a table's memory again, 3 ways": LEFT_OF_3, MEMORY_AGAIN, EVICTED, NONE;
        "dup2, crowded": ONE, crowded, CROWD, NONE;
    };
    of_one_age.into_iter().chain(others).collect()
}

/// With a `dup2` onto an open number: it is free for no moment, and only the acquirer's program
/// knows of the close. Nothing is odd.
pub(crate) fn overwriting() -> Vec<Case> {
    const RACED: &[Stat] = &[Replaced, TakeBacksSent];
    let own = [open(0, 1), onto(1), close(0, 1, 1), SWEEP];
    let past = [direct(0, 1), onto(1), close(0, 1, 1), SWEEP];
    let shared = [open(0, 1), onto(2), close(0, 2, 1), SWEEP];
    cases! {
        "dup2, 1 way": ONE, own, RACED, NONE;
        "dup2, 2 ways": TWO, own, RACED, NONE;
        "dup2, past the nursery": ONE, past, &[Paired, Direct, TakeBacksSent], NONE;
        "dup2, a shared table": ONE, shared, &[Evicted, TakeBacksSent], NONE;
    }
}
