//! What an exploration found, and how it reads.

use std::{
    collections::BTreeMap,
    fmt::{Debug, Display, Formatter, Result},
};

use memguard_common::stats::Stat;

use super::{
    ghost::{Began, Saw, Told},
    judge::{Fault, Oddity},
};

/// How many interleavings there are from a state to the ends, and how many of them end oddly. They
/// are more than can be counted exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Paths {
    pub(crate) all: f64,
    pub(crate) odd: f64,
}

impl Paths {
    pub(crate) fn one(is_odd: bool) -> Self {
        let odd = if is_odd { 1.0 } else { 0.0 };
        Self { all: 1.0, odd }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.all += other.all;
        self.odd += other.odd;
    }
}

/// See the module.
#[derive(Debug, PartialEq)]
pub(crate) struct Report {
    name: &'static str,
    pub(crate) states: u64,
    /// How often a state was met again.
    pub(crate) merged: u64,
    /// States in which all actors are through.
    pub(crate) ends: u64,
    pub(crate) paths: Paths,
    /// In how many ends each is found.
    pub(crate) oddities: BTreeMap<Oddity, u64>,
    /// The largest value of each counter at an end.
    counters: [u8; Stat::COUNT as usize],
}

impl Report {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            states: 0,
            merged: 0,
            ends: 0,
            paths: Paths::default(),
            oddities: BTreeMap::new(),
            counters: [0; Stat::COUNT as usize],
        }
    }

    /// Another end.
    pub(crate) fn end(&mut self, oddities: &[Oddity], counters: &[u8]) {
        self.ends += 1;
        for oddity in oddities {
            *self.oddities.entry(*oddity).or_default() += 1;
        }
        for (most, count) in self.counters.iter_mut().zip(counters) {
            *most = (*most).max(*count);
        }
    }

    /// Whether some interleaving counted this.
    pub(crate) fn reaches(&self, stat: Stat) -> bool {
        self.counters[stat as usize] > 0
    }
}

impl Display for Report {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let Self {
            name,
            states,
            merged,
            ends,
            paths,
            ..
        } = self;
        write!(
            formatter,
            "{name}: {states} states, met again {merged} times, {ends} ends, {:.1e} interleavings, {:.1e} odd",
            paths.all, paths.odd
        )?;
        let reached = Stat::ALL.iter().filter(|(stat, _)| self.reaches(*stat));
        write!(formatter, "\n    reached:")?;
        for (_, name) in reached {
            write!(formatter, " {name}")?;
        }
        for (oddity, ends) in &self.oddities {
            write!(formatter, "\n    {ends} ends: {oddity}")?;
        }
        Ok(())
    }
}

/// An interleaving that ends as none should.
pub(crate) struct Counterexample {
    pub(crate) name: &'static str,
    pub(crate) wrong: Vec<String>,
    pub(crate) steps: Vec<String>,
}

impl Display for Counterexample {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        writeln!(formatter, "{}:", self.name)?;
        for step in &self.steps {
            writeln!(formatter, "    {step}")?;
        }
        for wrong in &self.wrong {
            writeln!(formatter, "  wrong: {wrong}")?;
        }
        Ok(())
    }
}

/// As a test shows it that ends in one.
impl Debug for Counterexample {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        Display::fmt(self, formatter)
    }
}

impl Display for Oddity {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Self::Phantom(told, began, saw) => write!(
                formatter,
                "phantom: its closer {told}, having begun {began}; its acquirer saw {saw}"
            ),
            Self::Mistaken(fault) => write!(formatter, "mistaken for another: {fault}"),
            Self::Lost(fault) => write!(formatter, "lost: {fault}"),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str(match self {
            Self::Overtaken => "the other's acquirer was overtaken and has the younger stamp",
            Self::Overwritten => "another record was written over its own",
            Self::Unknown => "nobody knows why",
        })
    }
}

impl Display for Told {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str(match self {
            Self::Paired => "erased a record",
            Self::NotOpen => "found nothing open",
            Self::Sent => "sent a release",
            Self::Unseen => "was not seen",
        })
    }
}

impl Display for Began {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str(match self {
            Self::BeforeRecord => "before the record was there",
            Self::BeforeReturn => "before user space knew the number",
            Self::AfterReturn => "in time",
        })
    }
}

impl Display for Saw {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str(match self {
            Self::NotLooked => "nothing, for it did not look",
            Self::Own => "its own handle",
            Self::Another => "the next handle",
            Self::Empty => "an empty slot",
        })
    }
}
