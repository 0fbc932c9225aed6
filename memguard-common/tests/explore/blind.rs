//! Programs with closes that do not know what they close, and what may be left of that.

use memguard_common::stats::Stat::{
    self, Direct, Evicted, NotOpen, ReleasesSent, Replaced, TakeBacksSent, TakenBack,
};

use super::{
    ghost::{
        Began::{AfterReturn, BeforeRecord, BeforeReturn},
        Saw::{Another, Own},
        Told::{NotOpen as NothingOpen, Paired, Sent, Unseen},
    },
    judge::{
        Fault,
        Oddity::{self, Mistaken, Phantom},
    },
    programs::{
        Case, ONE, OTHERS, SWEEP, THREE, TWO, cases, close, close_blindly, direct, onto,
        onto_blindly, open,
    },
    scenario::{Fill, Role, Scenario},
};

/// Everything that can be left, see the top: *early*, *absorbed*, *late*. The last two want three
/// acquirers and three closers.
pub(crate) const ALL: [Oddity; 10] = [
    Phantom(Sent, BeforeRecord, Own),
    Phantom(NothingOpen, BeforeRecord, Own),
    Phantom(Paired, BeforeRecord, Own),
    Phantom(Sent, BeforeRecord, Another),
    Phantom(NothingOpen, BeforeRecord, Another),
    Phantom(Paired, BeforeReturn, Own),
    Phantom(Paired, AfterReturn, Own),
    Mistaken(Fault::Overtaken),
    Phantom(Paired, BeforeRecord, Another),
    Phantom(Paired, BeforeReturn, Another),
];
const _: () = assert!(TWO_AND_TWO_LEAVE + 2 == ALL.len());
/// How many of them two acquirers and two closers can leave.
pub(crate) const TWO_AND_TWO_LEAVE: usize = 8;
const BOTH: &[Oddity] = ALL.first_chunk::<TWO_AND_TWO_LEAVE>().unwrap();
const PHANTOMS: &[Oddity] = ALL.first_chunk::<7>().unwrap();
const POLLED: &[Oddity] = ALL.first_chunk::<2>().unwrap();
const TWICE: &[Oddity] = ALL.first_chunk::<3>().unwrap();
const LATE: &[Oddity] = &[ALL[7]];
/// *Absorbed*, or *late* and overtaken by `dup2`.
const OVERTAKEN: &[Oddity] = &[ALL[6], Phantom(Unseen, AfterReturn, Another)];

const OPEN: Role = open(0, 1);
const CLOSE: Role = close_blindly(0, 1);
pub(crate) const POLLING: [Role; 3] = [OPEN, CLOSE, SWEEP];
pub(crate) const TWO_OPENS: [Role; 4] = [OPEN, OPEN, CLOSE, SWEEP];
const CLOSED_TWICE: [Role; 5] = [OPEN, close(0, 1, 0), close(0, 1, 0), OPEN, SWEEP];
const TWO_AND_TWO: [Role; 5] = [OPEN, OPEN, CLOSE, CLOSE, SWEEP];
const RACED: &[Stat] = &[TakenBack, TakeBacksSent, NotOpen, ReleasesSent];
const RACED_AGAIN: &[Stat] = &[Replaced, TakenBack, TakeBacksSent];

/// Small enough for every day.
pub(crate) fn usual() -> Vec<Case> {
    const CROWD: &[Stat] = &[Evicted, Direct];
    const TOLD: &[Stat] = &[Replaced, Evicted, TakeBacksSent];
    let past = [direct(0, 1), CLOSE, SWEEP];
    let owners = [OPEN, open(0, 2), CLOSE, SWEEP];
    let crowded = [OPEN, open(1, 1), CLOSE, SWEEP];
    let dup2 = [OPEN, onto_blindly(0, 1), close(0, 1, 1), SWEEP];
    let dup2_twice = [OPEN, onto(1), onto(1), SWEEP];
    let dup2_and_close = [OPEN, onto(1), close(0, 1, 0), OPEN, SWEEP];
    cases! {
        "polling, 1 way": ONE, POLLING, RACED, POLLED;
        "polling, past the nursery": ONE, past, RACED, POLLED;
        "closed twice, 2 ways": TWO, CLOSED_TWICE, &[TakenBack], TWICE;
        "two opens, 1 way": ONE, TWO_OPENS, RACED, LATE;
        "two opens, 2 ways": TWO, TWO_OPENS, RACED, LATE;
        "two owners, 2 ways": TWO, owners, &[Evicted], LATE;
        "two keys, 1 way": ONE, crowded, CROWD, POLLED;
        "dup2, blindly, 1 way": ONE, dup2, TOLD, OVERTAKEN;
        "dup2, blindly, 2 ways": TWO, dup2, TOLD, OVERTAKEN;
        "dup2 twice at once, 1 way": ONE, dup2_twice, TOLD, LATE;
        "dup2 and close at once, 1 way": ONE, dup2_and_close, TOLD, LATE;
        "two and two, 1 way": ONE, TWO_AND_TWO, RACED_AGAIN, BOTH;
    }
}

/// Two acquirers, two releasers and the sweep, in more ways and for two owners; and more of them.
pub(crate) fn large() -> Vec<Case> {
    const CROWD: &[Stat] = &[Evicted, Direct];
    const ONE_FULL: &[Fill] = &[OTHERS, Fill::Empty];
    let owners = [OPEN, open(0, 2), CLOSE, close_blindly(0, 2), SWEEP];
    let keys = [OPEN, open(1, 1), CLOSE, close_blindly(1, 1), SWEEP];
    // One polls, the others do nothing wrong.
    let bystanders = [OPEN, close(0, 1, 0), OPEN, close(0, 1, 2), CLOSE, SWEEP];
    let three_and_two = [OPEN, OPEN, OPEN, CLOSE, CLOSE, SWEEP];
    let two_and_three = [OPEN, OPEN, CLOSE, CLOSE, CLOSE, SWEEP];
    let three_and_three = [OPEN, OPEN, OPEN, CLOSE, CLOSE, CLOSE];
    cases! {
        "two and two, 2 ways": TWO, TWO_AND_TWO, RACED_AGAIN, BOTH;
        "two and two, 3 ways": THREE, TWO_AND_TWO, RACED_AGAIN, BOTH;
        "two and two, 2 ways, one full": ONE_FULL, TWO_AND_TWO, RACED_AGAIN, BOTH;
        "two and two of two owners, 1 way": ONE, owners, &[Evicted], BOTH;
        "two and two of two owners, 2 ways": TWO, owners, &[Evicted], BOTH;
        "two and two of two owners, 3 ways": THREE, owners, &[Evicted], BOTH;
        "two and two of two keys, 1 way": ONE, keys, CROWD, POLLED;
        "bystanders, 1 way": ONE, bystanders, RACED_AGAIN, PHANTOMS;
        "bystanders, 2 ways": TWO, bystanders, RACED_AGAIN, PHANTOMS;
        "three and two, 1 way": ONE, three_and_two, RACED_AGAIN, LATE;
        "two and three, 1 way": ONE, two_and_three, RACED_AGAIN, BOTH;
        "three and three, 1 way, no sweep": ONE, three_and_three, RACED_AGAIN, &ALL;
    }
}

/// Where what two and two can leave is found; the smaller first.
pub(crate) fn examples() -> Vec<Scenario> {
    let programs = [
        &[OPEN, CLOSE][..],
        &[OPEN, close(0, 1, 0), close(0, 1, 0), OPEN],
        &[OPEN, OPEN, CLOSE],
        &[OPEN, OPEN, CLOSE, CLOSE],
    ];
    programs
        .map(|actors| Scenario::new("an example", ONE, actors))
        .into()
}
