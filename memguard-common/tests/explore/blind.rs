//! Programs with closes that do not know what they close, and what may be left of that.

use memguard_common::stats::Stat::{
    self, Direct, Evicted, NotOpen, ReleasesSent, Replaced, TakeBacksSent, TakenBack,
};

use super::{
    ghost::{
        Began::{AfterReturn, BeforeRecord, BeforeReturn},
        Saw::{Another, Own},
        Told::{NotOpen as NothingOpen, Paired, Sent},
    },
    judge::{
        Fault,
        Oddity::{self, Lost, Mistaken, Phantom},
    },
    programs::{Case, OTHERS, SWEEP, case, close, close_blindly, open},
    scenario::{
        Fill::{self, Empty},
        Role, Scenario,
    },
};

/// Everything that can be left: five kinds of *early*, two of *absorbed*, three of *late*. See the
/// top.
pub(crate) const ALL: [Oddity; 10] = [
    Phantom(Sent, BeforeRecord, Own),
    Phantom(NothingOpen, BeforeRecord, Own),
    Phantom(Paired, BeforeRecord, Own),
    Phantom(Sent, BeforeRecord, Another),
    Phantom(NothingOpen, BeforeRecord, Another),
    Phantom(Paired, BeforeReturn, Own),
    Phantom(Paired, AfterReturn, Own),
    Mistaken(Fault::Overtaken),
    Mistaken(Fault::Replaced),
    Lost(Fault::Replaced),
];
const POLLED: &[Oddity] = &[ALL[0], ALL[1]];
const TWICE: &[Oddity] = &[ALL[0], ALL[1], ALL[2]];
const LATE: &[Oddity] = &[ALL[7], ALL[8], ALL[9]];
/// Of the same kinds, where three and three meet.
const MORE: [Oddity; 2] = [
    Phantom(Paired, BeforeRecord, Another),
    Phantom(Paired, BeforeReturn, Another),
];
const PHANTOMS: &[Oddity] = &[ALL[0], ALL[1], ALL[2], ALL[3], ALL[4], ALL[5], ALL[6]];
const EVEN_MORE: [Oddity; 12] = {
    let [a, b, c, d, e, f, g, h, i, j] = ALL;
    let [k, l] = MORE;
    [a, b, c, d, e, f, g, h, i, j, k, l]
};
/// Nobody replaces the record of another owner.
const OWNERS: &[Oddity] = &[
    ALL[0], ALL[1], ALL[2], ALL[3], ALL[4], ALL[5], ALL[6], ALL[7],
];

const CLOSE: Role = close_blindly(0, 1);
pub(crate) const POLLING: [Role; 3] = [open(0, 1), CLOSE, SWEEP];
pub(crate) const TWO_OPENS: [Role; 4] = [open(0, 1), open(0, 1), CLOSE, SWEEP];
pub(crate) const CLOSED_TWICE: [Role; 5] = [
    open(0, 1),
    close(0, 1, 0),
    close(0, 1, 0),
    open(0, 1),
    SWEEP,
];
const TWO_AND_TWO: [Role; 5] = [open(0, 1), open(0, 1), CLOSE, CLOSE, SWEEP];

/// Small enough for every day.
pub(crate) fn usual() -> Vec<Case> {
    const RACED: &[Stat] = &[TakenBack, TakeBacksSent, NotOpen, ReleasesSent];
    let owners = [open(0, 1), open(0, 2), CLOSE, SWEEP];
    let crowded = [open(0, 1), open(1, 1), CLOSE, SWEEP];
    vec![
        case("polling, 1 way", &[Empty], &POLLING, RACED, POLLED),
        case(
            "closed twice, 2 ways",
            &[Empty; 2],
            &CLOSED_TWICE,
            &[TakenBack],
            TWICE,
        ),
        case("two opens, 1 way", &[Empty], &TWO_OPENS, RACED, LATE),
        case("two opens, 2 ways", &[Empty; 2], &TWO_OPENS, RACED, LATE),
        case(
            "two owners, 2 ways",
            &[Empty; 2],
            &owners,
            &[Evicted],
            &[ALL[7]],
        ),
        case(
            "crowded, 1 way",
            &[Empty],
            &crowded,
            &[Evicted, Direct],
            POLLED,
        ),
        two_and_two("two and two, 1 way", &[Empty]),
    ]
}

fn two_and_two(name: &'static str, ways: &[Fill]) -> Case {
    const RACED: &[Stat] = &[Replaced, TakenBack, TakeBacksSent];
    case(name, ways, &TWO_AND_TWO, RACED, &ALL)
}

/// Two acquirers, two releasers and the sweep, in more ways and for two owners.
pub(crate) fn large() -> Vec<Case> {
    let other = close_blindly(0, 2);
    let owners = [open(0, 1), open(0, 2), CLOSE, other, SWEEP];
    // One that polls, and others that do nothing wrong.
    let bystander = [
        open(0, 1),
        close(0, 1, 0),
        open(0, 1),
        close(0, 1, 2),
        CLOSE,
        SWEEP,
    ];
    let three_and_two = [open(0, 1), open(0, 1), open(0, 1), CLOSE, CLOSE, SWEEP];
    let two_and_three = [open(0, 1), open(0, 1), CLOSE, CLOSE, CLOSE, SWEEP];
    let three_and_three = [open(0, 1), open(0, 1), open(0, 1), CLOSE, CLOSE, CLOSE];
    let keys = [open(0, 1), open(1, 1), CLOSE, close_blindly(1, 1), SWEEP];
    vec![
        two_and_two("two and two, 2 ways", &[Empty; 2]),
        two_and_two("two and two, 3 ways", &[Empty; 3]),
        two_and_two("two and two, 2 ways, one full", &[OTHERS, Empty]),
        case("two owners, 1 way", &[Empty], &owners, &[Evicted], OWNERS),
        case(
            "two owners, 2 ways of two and two",
            &[Empty; 2],
            &owners,
            &[Evicted],
            OWNERS,
        ),
        case(
            "two owners, 3 ways",
            &[Empty; 3],
            &owners,
            &[Evicted],
            OWNERS,
        ),
        case(
            "two keys, 1 way",
            &[Empty],
            &keys,
            &[Evicted, Direct],
            POLLED,
        ),
    ]
}

/// Where each of [`ALL`] is found; the smaller first.
pub(crate) fn examples() -> Vec<Scenario> {
    let programs = [
        &[open(0, 1), CLOSE][..],
        &[open(0, 1), close(0, 1, 0), close(0, 1, 0), open(0, 1)],
        &[open(0, 1), open(0, 1), CLOSE],
        &[open(0, 1), open(0, 1), CLOSE, CLOSE],
    ];
    programs
        .map(|parties| Scenario::new("an example", &[Empty], parties))
        .into()
}
