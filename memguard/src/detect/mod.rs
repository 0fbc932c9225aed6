//! Is it a leak? Small structs behind one trait, each with one idea of what is wrong.
//!
//! Pure: everything a detector may know is in the [`Subject`] that it is shown.

pub mod accumulation;
pub mod age;
pub mod growth;
pub mod history;
pub mod remainder;
#[cfg(test)]
mod turnover;

use std::time::Duration;

pub use self::{accumulation::Accumulation, age::Age, history::History, remainder::Remainder};
use crate::{
    ledger::population::Population,
    model::{finding::Verdict, ids::Stamp},
};

/// Handles, or mappings, of one process and kind that have been held for the minimum age, and what
/// else is known of their group.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
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
    /// What counts as held long.
    pub min_age: Duration,
    /// Now.
    pub now: Stamp,
}

impl<'a> Subject<'a> {
    /// Survivors that were acquired after the warm-up.
    pub fn late(&self) -> impl Iterator<Item = Stamp> + 'a {
        let warm_at = self.warm_at;
        let survivors = self.survivors.iter().copied();
        survivors.filter(move |stamp| *stamp > warm_at)
    }
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
    fn check(&self, subject: &Subject<'_>) -> Check;
}

/// All detectors, the gravest first.
pub fn all() -> Vec<Box<dyn Detector>> {
    vec![Box::new(Accumulation), Box::new(Age)]
}

/// The gravest suspicion, or clear; too early only where no detector can say more.
pub fn check(detectors: &[Box<dyn Detector>], subject: &Subject<'_>) -> Check {
    let mut result = Check::Clear;
    for detector in detectors {
        match detector.check(subject) {
            Check::Suspect(verdict) => return Check::Suspect(verdict),
            Check::Recheck => result = Check::Recheck,
            Check::Clear => {}
        }
    }
    result
}
