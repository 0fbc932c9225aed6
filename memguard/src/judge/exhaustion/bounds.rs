//! From when on a rise towards a limit is told.

use std::time::Duration;

use super::{Course, HORIZON, Rise, TRUST};
use crate::model::{memory::Ceiling, resource::Kind};

/// So much of a limit is most of it, in percent: where it rises, it is told whatever its pace.
const NEAR: u64 = 80;
/// Half of it: a start is over by then, and somebody should hear of it soon.
const HALF: u64 = 50;
/// So much is all: the next call may be refused, and there is no room left to rise.
const FULL: u64 = 99;
/// A limit below this is one that was set to be reached.
const SMALL: u64 = 64;
/// So long must a count have been full.
pub(super) const STEADY: Duration = Duration::from_millis(3_500);

/// So many more are a rise: a start opens a few at a time.
const MORE: u64 = 16;
/// Of a limit of a million that is not a share of it.
const IN_USE: u64 = 4096;
const MIB: u64 = 1 << 20;

/// Where a count leads to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Heading {
    /// To no limit.
    Elsewhere,
    /// To this one.
    Rises(Rise),
    /// It is there; it may still rise a little.
    Full(Option<Rise>),
}

/// What a count must be, and by how much it must have risen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    ceiling: Ceiling,
    /// The limit is this process's own: its being full tells of this process.
    own: bool,
    /// Below, nothing is told.
    in_use: u64,
    /// A rise, below half of the limit.
    rise: u64,
    /// From half of it on.
    rise_from_half: u64,
}

/// The least rise for which limits are looked up at all.
pub(super) fn least(kind: Kind) -> u64 {
    if kind.is_size() { MIB } else { 3 }
}

/// Most of it is in use.
pub(super) fn is_near(ceiling: Ceiling) -> bool {
    share(ceiling) >= NEAR
}

fn share(ceiling: Ceiling) -> u64 {
    let share = u128::from(ceiling.used) * 100 / u128::from(ceiling.value).max(1);
    u64::try_from(share).unwrap_or(u64::MAX)
}

impl Bounds {
    /// | | in use | rise | rise from half on |
    /// |---|---|---|---|
    /// | counts | 5 %, 4096 at most | 16 | 1 %, between 3 and 16 |
    /// | memory of the process or its group | 10 % | 5 % | 1 % |
    /// | memory of the host | 10 % | 10 % | 2 % |
    ///
    /// Sizes go up and down with what runs, those of a host with everything that runs on it.
    pub(super) fn of(kind: Kind, ceiling: Ceiling) -> Self {
        let percent = |percent: u64| ceiling.value / 100 * percent;
        let host = matches!(ceiling.name, "MemTotal" | "CommitLimit");
        let [in_use, rise, rise_from_half] = match (kind.is_size(), host) {
            (true, true) => [percent(10), percent(10), percent(2)].map(|it| it.max(MIB)),
            (true, false) => [percent(10), percent(5), percent(1)].map(|it| it.max(MIB)),
            (false, _) => {
                let few = (ceiling.value / 100).clamp(3, MORE);
                [(ceiling.value / 20).min(IN_USE), MORE, few]
            }
        };
        Self {
            ceiling,
            own: kind == Kind::AllDescriptors,
            in_use,
            rise,
            rise_from_half,
        }
    }

    /// A rise that matters at all.
    pub(super) fn step(&self) -> u64 {
        self.rise_from_half
    }

    /// How a count heads for the limit.
    pub(super) fn rise(&self, course: &Course) -> Heading {
        if self.is_full(course) {
            return Heading::Full(course.rise(1));
        }
        let share = share(self.ceiling);
        if self.ceiling.used < self.in_use {
            return Heading::Elsewhere;
        }
        let least = if share >= HALF {
            self.rise_from_half
        } else {
            self.rise
        };
        let room = self.ceiling.value.saturating_sub(self.ceiling.used);
        let heads = |rise: &Rise| {
            let trusted = if share >= HALF {
                HORIZON
            } else {
                HORIZON.min(rise.window * TRUST)
            };
            share >= NEAR || rise.until(room).is_some_and(|left| left <= trusted)
        };
        let rise = course.rises(least).find(heads);
        rise.map_or(Heading::Elsewhere, Heading::Rises)
    }

    fn is_full(&self, course: &Course) -> bool {
        let before = course.count_before(STEADY).unwrap_or(0);
        let all = |used| {
            share(Ceiling {
                used,
                ..self.ceiling
            }) >= FULL
        };
        self.own && self.ceiling.value >= SMALL && all(self.ceiling.used) && all(before)
    }
}
