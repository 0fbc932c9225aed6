//! Is it a leak? Small structs behind one trait, each with one idea of what is wrong.
//!
//! Pure: everything a detector may know is in the [`GroupSample`] that it is shown.

pub mod accumulation;
pub mod age;
pub mod growth;
pub mod history;
pub mod outliving;
pub mod remainder;
pub mod suspicion;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod turnover;

use std::time::Duration;

pub use self::{
    accumulation::Accumulation, age::Age, history::History, outliving::Outliving,
    remainder::Remainder, suspicion::Suspicion,
};
use crate::{
    ledger::population::Population,
    model::{finding::Verdict, ids::Stamp},
};

/// Handles, or mappings, of one process and kind that have been held for the minimum age, and what
/// else is known of their group.
#[derive(Clone, Copy, Debug)]
pub struct GroupSample<'a> {
    /// When the survivors were acquired, the oldest first.
    pub survivors: &'a [Stamp],
    /// When those were acquired that are held too, but not for as long yet.
    pub young: &'a [Stamp],
    /// What the group acquired and released, and how long the released ones lived.
    pub population: &'a Population,
    /// How many survivors there were before.
    pub history: &'a History,
    /// From when the process is seen: its birth, or memguard's start.
    pub observed_from: Stamp,
    /// When the warm-up ends: what is acquired before and stays is resident.
    pub warm_at: Stamp,
    /// What is acquired after this is none of the program's start: soon, where the warm-up leaves
    /// the start of a server time to finish.
    pub settled_at: Stamp,
    /// What counts as held long.
    pub min_age: Duration,
    /// How long to wait for a first release, or for the next where many come at once.
    pub quiet: Duration,
    /// Many are released at once, as a collector does.
    pub in_bulk: bool,
    /// The process has reached its limit: it can acquire no more.
    pub is_full: bool,
    /// Now.
    pub now: Stamp,
}

impl<'a> GroupSample<'a> {
    /// Survivors that were acquired after the program's start.
    pub fn settled(&self) -> impl Iterator<Item = Stamp> + 'a {
        let settled_at = self.settled_at;
        let survivors = self.survivors.iter().copied();
        survivors.filter(move |stamp| *stamp > settled_at)
    }

    /// Whether something that stays was acquired in each of so many equal parts of the time since
    /// the oldest survivor that [`GroupSample::settled`] has. The last seconds need have none: in
    /// an interpreter the youngest handles are not sorted yet; nor the time since the limit was
    /// reached.
    pub fn comes_evenly(&self, parts: u32) -> bool {
        const LATELY: Duration = Duration::from_secs(5);
        let Some(oldest) = self.settled().next() else {
            return false;
        };
        let all = || self.settled().chain(self.young.iter().copied());
        let newest = all().max().unwrap_or(oldest);
        let end = if self.is_full {
            newest
        } else {
            newest.max(self.now.before(LATELY))
        };
        parts_hit(all(), oldest, end, parts) >= parts
    }

    /// Survivors that were acquired after the warm-up.
    pub fn late(&self) -> impl Iterator<Item = Stamp> + 'a {
        let warm_at = self.warm_at;
        let survivors = self.survivors.iter().copied();
        survivors.filter(move |stamp| *stamp > warm_at)
    }
}

/// In how many of so many equal parts of a time, 32 at most, these moments are.
fn parts_hit(moments: impl Iterator<Item = Stamp>, from: Stamp, to: Stamp, parts: u32) -> u32 {
    let span = to.since(from).as_nanos().max(1);
    let last = u128::from(parts.clamp(1, u32::BITS).saturating_sub(1));
    let part = |moment: Stamp| {
        let at = moment.since(from).as_nanos();
        (at.saturating_mul(u128::from(parts)) / span).min(last) as u32
    };
    let hit = moments.fold(0u32, |hit, moment| hit | 1 << part(moment));
    hit.count_ones()
}

/// What a detector says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nothing is wrong.
    Clear,
    /// Something is, and it amounts to this.
    Suspect(Verdict),
    /// Too early to say.
    Recheck,
}

/// One idea of what is wrong.
pub trait Detector: std::fmt::Debug {
    /// Looks at one group.
    fn check(&self, group: &GroupSample<'_>) -> Check;
}
