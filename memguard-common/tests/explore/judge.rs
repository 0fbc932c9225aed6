//! What holds once all actors are through and what is left in the nursery was swept.

use memguard_common::{
    nursery::Phase,
    stats::Stat::{
        self, Direct, Evicted, NotOpen, Paired, Releases, ReleasesPaired, ReleasesSent, Replaced,
        Seen, TakenBack,
    },
};

use super::{
    ghost::{Began, Closing, Handle, Saw, Told},
    op::{Record, owner_of},
    scenario::Scenario,
    world::World,
};

/// A number of which the ledger does not hold what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Oddity {
    /// The number is not open, and a record is held: what the closer of that handle told, when it
    /// began, and what the handle's acquirer saw.
    Phantom(Told, Began, Saw),
    /// The number is open, and held is the record of a handle that was closed before.
    Mistaken(Fault),
    /// The number is open, and nothing is held.
    Lost(Fault),
}

/// Why what is open is not held, or not by its own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// What is held is younger: its acquirer was overtaken before it read the clock.
    Overtaken,
    /// Another record was written over its own, which was not sent.
    Overwritten,
    /// None of these.
    Unknown,
}

/// Everything that is wrong at an end.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) oddities: Vec<Oddity>,
    /// What must not be in any program.
    pub(crate) broken: Vec<String>,
}

/// See the module.
pub(crate) fn judge(scenario: &Scenario, world: &World) -> Verdict {
    let left = world.ways.iter().filter(|way| way.phase() == Phase::Live);
    let left: Vec<Record> = left.map(|way| way.record).collect();
    let told: Vec<Record> = world.told.iter().chain(&left).copied().collect();
    let mut broken = counters(world, left.len());
    if world.ways.iter().any(|way| way.phase() == Phase::Busy) {
        broken.push("a way is left busy".into());
    }
    if world.is_generation_broken {
        broken.push("a generation shrank, or a claim did not take the next".into());
    }
    for (at, record) in told.iter().enumerate() {
        if told[..at].contains(record) {
            broken.push(format!("a record reaches the agent twice: {record:x?}"));
        }
    }
    let handles: Vec<_> = told
        .iter()
        .map(|record| writer(scenario, world, record))
        .collect();
    for (record, _) in told
        .iter()
        .zip(&handles)
        .filter(|(_, handle)| handle.is_none())
    {
        broken.push(format!(
            "a record reaches the agent that nobody wrote: {record:x?}"
        ));
    }
    let handles: Vec<usize> = handles.into_iter().flatten().collect();
    let keys = 0..scenario.keys.len();
    let oddities = keys.filter_map(|key| held(world, key, &handles)).collect();
    broken.extend(deaths(world, &handles));
    Verdict { oddities, broken }
}

/// The identities of `memguard_common::stats`. What reached the agent and was neither evicted nor
/// sent past the nursery, a sweep took.
fn counters(world: &World, left: usize) -> Vec<String> {
    let count = |stat: Stat| usize::from(world.counters[stat as usize]);
    let sum = |stats: &[Stat]| stats.iter().map(|stat| count(*stat)).sum::<usize>();
    let swept = world.told.len().saturating_sub(sum(&[Evicted, Direct]));
    let acquisitions = sum(&[Paired, Replaced, TakenBack, Evicted, Direct]) + left + swept;
    let releases = sum(&[ReleasesPaired, NotOpen, ReleasesSent]);
    let identities = [(Seen, acquisitions), (Releases, releases)];
    let wrong = identities.iter().filter(|(seen, sum)| count(*seen) != *sum);
    wrong
        .map(|(seen, sum)| format!("{}: {}, accounted for: {sum}", seen.name(), count(*seen)))
        .collect()
}

/// Whose record it is.
fn writer(scenario: &Scenario, world: &World, record: &Record) -> Option<usize> {
    world.handles.iter().position(|handle| {
        let key = scenario.keys[handle.key];
        let whole = [
            [key.table, handle.stamp],
            [key.handle, owner_of(handle.owner)],
        ];
        whole == *record
    })
}

/// What the ledger holds of a key in the present life of its table is the youngest record, if it is
/// younger than every release. The order in which they come is nothing to it: an older record never
/// replaces a younger one, and releases leave marks.
fn held(world: &World, key: usize, told: &[usize]) -> Option<Oddity> {
    let present = |handle: &&Handle| handle.key == key && !world.is_before_death(handle.stamp);
    let told = told.iter().map(|handle| &world.handles[*handle]);
    let youngest = told.filter(present).max_by_key(|handle| handle.stamp);
    let held = youngest.filter(|handle| handle.stamp > world.marks[key]);
    let open = world.slots[key].map(|handle| &world.handles[handle]);
    match (held, open) {
        (None, None) => None,
        (Some(held), None) => {
            let closing = held.closed.unwrap_or(Closing::UNSEEN);
            Some(Oddity::Phantom(closing.told, closing.began(), held.saw))
        }
        (Some(held), Some(open)) if held.stamp == open.stamp => None,
        (Some(held), Some(open)) => Some(Oddity::Mistaken(fault(Some(held), open))),
        (None, Some(open)) => Some(Oddity::Lost(fault(None, open))),
    }
}

fn fault(held: Option<&Handle>, open: &Handle) -> Fault {
    let is_younger = |held: &Handle| held.stamp > open.stamp && held.saw == Saw::Another;
    if held.is_some_and(is_younger) {
        Fault::Overtaken
    } else if open.is_overwritten {
        Fault::Overwritten
    } else {
        Fault::Unknown
    }
}

/// What was open when its table died, the agent must be told.
fn deaths(world: &World, told: &[usize]) -> Vec<String> {
    let handles = world.handles.iter().enumerate();
    let dead =
        handles.filter(|(_, handle)| handle.stamp > 0 && world.is_before_death(handle.stamp));
    let lost = dead.filter(|(index, _)| !told.contains(index));
    lost.map(|(index, _)| format!("handle {index} was open when its table died, and is lost"))
        .collect()
}
