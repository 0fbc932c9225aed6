//! Counts that head for their limit: descriptors, threads, mappings, memory, watches, keys.
//!
//! It accuses nobody: it is arithmetic. Told is what reaches its limit within ten minutes at its
//! present pace, or has used four fifths of it and rises; it is over when the count has fallen, or
//! no longer leads anywhere.

mod bounds;
mod course;
mod describe;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use hashbrown::HashMap;

use self::bounds::{Bounds, Heading};
pub use self::{
    course::{Course, Rise},
    describe::{describe, stacks},
};
use crate::{
    judge::question::{CeilingRequest, Ceilings, SurveyedProcess},
    model::{
        finding::Limit,
        ids::{ProcessId, Stamp},
        memory::Ceiling,
        resource::Kind,
    },
};

/// What is reached within this time at the present pace is told; it is also as far as a pace tells
/// anything.
const HORIZON: Duration = Duration::from_mins(10);
/// What was told is over where its limit is farther than this: not at the horizon itself, or it
/// would come and go.
const FAR: Duration = Duration::from_hours(1);
/// A pace is trusted for so many times the time it was seen, below half of the limit: four seconds
/// of a start say nothing of the next ten minutes.
const TRUST: u32 = 60;
/// What is told is over after so many times the time that it rose for, if it rises no more.
const CALM: u32 = 3;
/// But not before, and no later than the horizon.
const SHORTEST_CALM: Duration = Duration::from_secs(30);
/// How long a limit of which nothing was told is not looked up again.
const LOOKED_UP: Duration = Duration::from_secs(30);
/// The count of a limit that is dear to read (`/proc/PID/maps`) is read no more often than this
/// once it is told.
const DEAR: Duration = Duration::from_secs(10);
/// A process with fewer descriptors than this is not asked for its limit unless they rise.
const FEW: u64 = 64;

/// What is known of one count of one process.
#[derive(Clone, Debug, Default)]
struct Watched {
    /// What is cheap to count.
    cheap: Course,
    /// What the limit counts, where that is another number and dear to read.
    exact: Course,
    /// Its limits, and when they were looked up last.
    limits: Option<(Stamp, Vec<Ceiling>)>,
    told: Option<Told>,
}

/// A finding is open.
#[derive(Clone, Copy, Debug)]
struct Told {
    /// By which limit, and what that was.
    name: &'static str,
    value: u64,
    /// The most that there were, but for less than a step.
    peak: u64,
    /// Since when it rises.
    began: Stamp,
    /// When it was first as high.
    risen: Stamp,
}

/// What is said of a count whose limit was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It heads for its limit.
    Nearing(Nearing),
    /// It was told, and does not any more.
    Over,
    /// Nothing is to be said.
    Nothing,
}

/// A count that heads for its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearing {
    /// Which, how much of it is in use, and when it is reached.
    pub limit: Limit,
    /// How the count rises; `None` where it does not, and there is no room left.
    pub rise: Option<Rise>,
    /// The count over time.
    pub course: Course,
}

/// All counts that are limited.
#[derive(Debug, Default)]
pub struct Exhaustion {
    processes: HashMap<ProcessId, BTreeMap<Kind, Watched>>,
}

impl Exhaustion {
    /// Takes what a survey has counted.
    pub fn surveyed(&mut self, found: &SurveyedProcess, now: Stamp) {
        let mut counts = vec![(Kind::AllDescriptors, found.descriptor_count)];
        if let Some(usage) = found.usage {
            counts.push((Kind::AllThreads, usage.threads.map(u64::from)));
            counts.push((Kind::AllMemory, Some(usage.anonymous_bytes)));
            counts.push((Kind::AddressSpace, Some(usage.size_bytes)));
        }
        for (kind, count) in counts {
            if let Some(count) = count {
                self.counted(found.process, kind, now, count);
            }
        }
    }

    /// Takes one count. Of mappings it is how many are known to have been made and not given back:
    /// the kernel joins neighbours.
    pub fn counted(&mut self, process: ProcessId, kind: Kind, now: Stamp, count: u64) {
        let of_process = self.processes.entry(process).or_default();
        of_process.entry(kind).or_default().cheap.record(now, count);
    }

    /// The process has ended.
    pub fn forget(&mut self, process: ProcessId) {
        self.processes.remove(&process);
    }

    /// Whether anything is known of a process; for tests.
    pub fn mentions(&self, process: ProcessId) -> bool {
        self.processes.contains_key(&process)
    }

    /// Counts whose limits are to be looked up now, in order. A limit is looked up while its count
    /// rises, and once in a while where there is much of it: it may be full, or have been lowered.
    pub fn due(&self, now: Stamp) -> Vec<(ProcessId, Kind)> {
        let all = self.processes.iter().flat_map(|(process, kinds)| {
            let due = kinds.iter().filter(|(kind, it)| it.is_due(**kind, now));
            due.map(|(kind, _)| (*process, *kind))
        });
        let mut due: Vec<_> = all.collect();
        due.sort_unstable();
        due
    }

    /// Processes that have hardly a descriptor left to open: at their limit, as far as it was
    /// looked up.
    pub fn full(&self) -> impl Iterator<Item = ProcessId> {
        let full = self.processes.iter().filter(|(_, kinds)| {
            let watched = kinds.get(&Kind::AllDescriptors);
            watched.is_some_and(Watched::is_full)
        });
        full.map(|(process, _)| *process)
    }

    /// Judges a count by its limits, as they are now.
    pub fn judge(
        &mut self,
        process: ProcessId,
        kind: Kind,
        found: &Ceilings,
        now: Stamp,
    ) -> Judged {
        let ceilings = ceilings(kind, found);
        let watched = self.processes.get_mut(&process);
        let watched = watched.and_then(|kinds| kinds.get_mut(&kind));
        watched.map_or(Judged::Nothing, |watched| {
            watched.judge(kind, &ceilings, now)
        })
    }

    /// When the limit on descriptors is reached at the pace of the whole table; as it was where the
    /// table has not been counted for long enough.
    pub fn forecast(&self, process: ProcessId, limit: Limit) -> Limit {
        let kinds = self.processes.get(&process);
        let watched = kinds.and_then(|kinds| kinds.get(&Kind::AllDescriptors));
        let pace = watched.and_then(|it| it.cheap.overall(2 * bounds::STEADY, HORIZON));
        let Some(pace) = pace else {
            return limit;
        };
        Limit {
            exhausted_in: pace.until(limit.value.saturating_sub(limit.used)),
            ..limit
        }
    }
}

impl Watched {
    fn is_full(&self) -> bool {
        /// In percent of the limit.
        const FULL: u64 = 95;
        let used = self.cheap.last().unwrap_or_default();
        let limits = self.limits.iter().flat_map(|(_, limits)| limits);
        let least = limits.map(|limit| limit.value).min();
        least.is_some_and(|least| used.saturating_mul(100) >= least.saturating_mul(FULL))
    }

    fn is_due(&self, kind: Kind, now: Stamp) -> bool {
        let Some((at, limits)) = &self.limits else {
            return self.is_many(kind) || self.rise(kind).is_some();
        };
        let since = now.since(*at);
        if self.told.is_some() {
            return kind != Kind::AllMappings || since >= DEAR;
        }
        let rested = since >= LOOKED_UP;
        if let Some(rise) = self.rise(kind) {
            return rested || limits.iter().any(|it| Self::is_soon(*it, rise));
        }
        let near = limits.iter().copied().any(bounds::is_near);
        (near || rested) && self.is_many(kind)
    }

    fn is_many(&self, kind: Kind) -> bool {
        kind == Kind::AllDescriptors && self.cheap.last() >= Some(FEW)
    }

    fn rise(&self, kind: Kind) -> Option<Rise> {
        self.cheap.rise(bounds::least(kind))
    }

    /// Whether it may be told by this limit, as that was when it was looked up last.
    fn is_soon(limit: Ceiling, rise: Rise) -> bool {
        let left = rise.until(room(limit));
        left.is_some_and(|left| left <= HORIZON) || bounds::is_near(limit)
    }

    fn course(&self, kind: Kind) -> &Course {
        if kind == Kind::AllMappings {
            &self.exact
        } else {
            &self.cheap
        }
    }

    fn judge(&mut self, kind: Kind, ceilings: &[Ceiling], now: Stamp) -> Judged {
        if kind == Kind::AllMappings
            && let Some(ceiling) = ceilings.first()
        {
            self.exact.record(now, ceiling.used);
        }
        let judged = match self.told {
            Some(told) => self.judge_told(told, kind, ceilings, now),
            None => self.judge_new(kind, ceilings, now),
        };
        self.limits = Some((now, ceilings.to_vec()));
        judged
    }

    fn judge_new(&mut self, kind: Kind, ceilings: &[Ceiling], now: Stamp) -> Judged {
        let course = self.course(kind);
        let heading =
            ceilings
                .iter()
                .filter_map(|ceiling| match Bounds::of(kind, *ceiling).rise(course) {
                    Heading::Elsewhere => None,
                    Heading::Rises(rise) => Some((*ceiling, Some(rise))),
                    Heading::Full(rise) => Some((*ceiling, rise)),
                });
        let nearest = heading.min_by_key(|(ceiling, rise)| left(*ceiling, *rise));
        let (Some((ceiling, rise)), Some(peak)) = (nearest, course.last()) else {
            return Judged::Nothing;
        };
        let window = rise.map_or(Duration::ZERO, |rise| rise.window);
        self.told = Some(Told {
            name: ceiling.name,
            value: ceiling.value,
            peak,
            began: now.before(window),
            risen: now,
        });
        Judged::Nearing(self.nearing(kind, ceiling, rise))
    }

    fn judge_told(&mut self, told: Told, kind: Kind, ceilings: &[Ceiling], now: Stamp) -> Judged {
        let course = self.course(kind);
        let (last, rise) = (course.last().unwrap_or(0), course.rise(1));
        let steps = ceilings.iter().map(|it| Bounds::of(kind, *it).step());
        let told = told.seen(last, steps.min().unwrap_or(0), now);
        let still = ceilings.iter().filter(|it| !is_over(**it, course, told));
        let nearest = still.min_by_key(|ceiling| left(**ceiling, rise)).copied();
        // Where no limit can be read, nothing is known to have changed.
        let gone = told.has_fallen(last) || ceilings.iter().any(|it| told.is_raised(*it));
        if gone || (nearest.is_none() && !ceilings.is_empty()) {
            self.told = None;
            return Judged::Over;
        }
        self.told = Some(told);
        nearest.map_or(Judged::Nothing, |ceiling| {
            Judged::Nearing(self.nearing(kind, ceiling, rise))
        })
    }

    fn nearing(&self, kind: Kind, ceiling: Ceiling, rise: Option<Rise>) -> Nearing {
        Nearing {
            limit: Limit {
                name: ceiling.name,
                value: ceiling.value,
                used: ceiling.used,
                exhausted_in: rise.and_then(|rise| rise.until(room(ceiling))),
                uncertainty: None,
            },
            rise,
            course: self.course(kind).clone(),
        }
    }
}

impl Told {
    /// It rises as long as it climbs by a step: what creeps has stopped.
    fn seen(self, count: u64, step: u64, now: Stamp) -> Self {
        if count <= self.peak.saturating_add(step) {
            return self;
        }
        Self {
            peak: count,
            risen: now,
            ..self
        }
    }

    /// Its limit is a higher one by now.
    fn is_raised(&self, ceiling: Ceiling) -> bool {
        ceiling.name == self.name && ceiling.value > self.value
    }

    /// A clear fall: a fourth of the most that there were.
    fn has_fallen(self, count: u64) -> bool {
        count <= self.peak / 4 * 3
    }
}

/// Whether a count that was told, and has not fallen, leads to this ceiling no more. Near it, it
/// always may.
fn is_over(ceiling: Ceiling, course: &Course, told: Told) -> bool {
    let rose = told.risen.since(told.began);
    let calm = (rose * CALM).clamp(SHORTEST_CALM, HORIZON);
    let Some(lately) = course.more_than(calm) else {
        return false;
    };
    let left = lately.until(room(ceiling));
    !bounds::is_near(ceiling) && left.is_none_or(|left| left > FAR)
}

fn room(ceiling: Ceiling) -> u64 {
    ceiling.value.saturating_sub(ceiling.used)
}

/// When it is reached; where nothing rises, after all those that are.
fn left(ceiling: Ceiling, rise: Option<Rise>) -> Duration {
    let left = rise.and_then(|rise| rise.until(room(ceiling)));
    left.unwrap_or(Duration::MAX)
}

/// Which limits are looked up for a count.
pub fn wanted(kind: Kind) -> CeilingRequest {
    CeilingRequest {
        descriptors: kind == Kind::AllDescriptors,
        memory: matches!(kind, Kind::AllMemory | Kind::AddressSpace),
        threads: kind == Kind::AllThreads,
        mappings: kind == Kind::AllMappings,
        watches: kind == Kind::AllWatches,
        keys: kind == Kind::AllKeys,
        ..CeilingRequest::default()
    }
}

fn ceilings(kind: Kind, found: &Ceilings) -> Vec<Ceiling> {
    let is_space = |ceiling: &Ceiling| ceiling.name == "RLIMIT_AS";
    let memory = found.memory.iter().copied();
    match kind {
        Kind::AllDescriptors => found.descriptors.into_iter().collect(),
        Kind::AllThreads => found.threads.clone(),
        Kind::AllMappings => found.mappings.into_iter().collect(),
        Kind::AllWatches => found.watches.into_iter().collect(),
        Kind::AllKeys => found.keys.into_iter().collect(),
        Kind::AllMemory => memory.filter(|it| !is_space(it)).collect(),
        Kind::AddressSpace => memory.filter(is_space).collect(),
        _ => Vec::new(),
    }
}
