//! Close looks at suspected processes: names and facts of a process are had in one pass, and judged
//! when both are there.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    detect::growth::Growth,
    judge::{
        cgroups::GrowingCgroup,
        descriptors::Candidate,
        mappings::Site,
        question::{CeilingRequest, Inspect, Inspected, Purpose},
    },
    ledger::{HeldFd, population::GroupId},
    model::{
        ids::{ProcessId, Stamp},
        memory::Range,
        origin::StackId,
        resource::Kind,
    },
};

/// Most handles looked at in one judgement, 2.5 µs each.
pub(super) const LOOKS: usize = 20_000;
/// Most ranges of one process that the kernel is asked about.
const RANGES: usize = 20_000;
/// Older facts are asked for anew, once: names may have taken long.
const STALE: Duration = Duration::from_secs(2);
/// So long are names waited for where a limit is about to be reached.
const URGENT: Duration = Duration::from_secs(1);

/// What is to be judged of one process.
#[derive(Debug)]
pub(super) struct Pass {
    /// Groups of descriptors.
    pub(super) descriptors: Vec<Candidate>,
    /// Sites of mappings.
    pub(super) sites: Vec<(GroupId, Site)>,
    /// What grows.
    pub(super) growths: Vec<(GroupId, Growth)>,
    /// Control groups of which the process is the largest member.
    pub(super) cgroups: Vec<(GroupId, GrowingCgroup)>,
    /// What it holds although the command of `run` has ended.
    pub(super) leftovers: Vec<Candidate>,
    /// Counts that may head for their limits.
    pub(super) limits: Vec<Kind>,
    /// What to ask.
    pub(super) inspect: Inspect,
    /// Stacks whose names are wanted.
    pub(super) stacks: Vec<StackId>,
    answer: Option<(Stamp, Inspected)>,
    asked_again: bool,
}

/// A pass that is complete.
#[derive(Debug)]
pub(super) struct Complete {
    /// What is to be judged.
    pub(super) pass: Pass,
    /// By what.
    pub(super) inspected: Inspected,
}

impl Pass {
    fn new(process: ProcessId, purpose: Purpose) -> Self {
        Self {
            descriptors: Vec::new(),
            sites: Vec::new(),
            growths: Vec::new(),
            cgroups: Vec::new(),
            leftovers: Vec::new(),
            limits: Vec::new(),
            inspect: Inspect::new(process, purpose),
            stacks: Vec::new(),
            answer: None,
            asked_again: false,
        }
    }

    /// Looks at handles, as far as there are looks left.
    pub(super) fn look(&mut self, survivors: &[HeldFd], left: &mut usize) {
        let looked = survivors.len().min(*left);
        *left -= looked;
        self.inspect.looks.extend(survivors.iter().take(looked));
        self.inspect.ceilings.descriptors = true;
    }

    /// Asks what is in some ranges.
    pub(super) fn range(&mut self, ranges: impl IntoIterator<Item = Range>) {
        let room = RANGES.saturating_sub(self.inspect.ranges.len());
        self.inspect.ranges.extend(ranges.into_iter().take(room));
    }

    /// What is asked is in order, each once.
    fn settle(&mut self) {
        self.inspect.ranges.sort_unstable();
        self.inspect.ranges.dedup();
        self.stacks.sort_unstable();
        self.stacks.dedup();
    }

    fn is_stale(&self, now: Stamp) -> bool {
        let answered = self.answer.as_ref().map_or(now, |(at, _)| *at);
        let aging = !self.descriptors.is_empty() || !self.sites.is_empty();
        aging && !self.asked_again && now.since(answered) > STALE
    }
}

impl CeilingRequest {
    /// What either wants.
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            descriptors: self.descriptors || other.descriptors,
            memory: self.memory || other.memory,
            threads: self.threads || other.threads,
            mappings: self.mappings || other.mappings,
            timers: self.timers || other.timers,
            watches: self.watches || other.watches,
            keys: self.keys || other.keys,
        }
    }
}

/// Which pass.
type Key = (ProcessId, Purpose);

/// All that are under way: one of a purpose for a process.
#[derive(Debug, Default)]
pub(super) struct Passes {
    /// Those that are being put together.
    new: BTreeMap<Key, Pass>,
    /// Those that wait for facts or names.
    waiting: BTreeMap<Key, Pass>,
    last: u64,
    /// Of those for limits, which are numbered by themselves: recordings of before there were any
    /// have the numbers of the others.
    last_for_limits: u64,
}

impl Passes {
    /// The pass of a process, to add to; `None` where one was asked and is not answered: it is
    /// judged by that. One that waits for names alone is begun anew: they may take long, and what
    /// is judged must be what is so now.
    pub(super) fn of(&mut self, process: ProcessId, purpose: Purpose) -> Option<&mut Pass> {
        let key = (process, purpose);
        let waiting = self.waiting.get(&key);
        if waiting.is_some_and(|pass| pass.answer.is_none()) {
            return None;
        }
        let pass = self.new.entry(key);
        Some(pass.or_insert_with(|| Pass::new(process, purpose)))
    }

    /// Those that were put together since the last time begin; what to ask, and which names.
    pub(super) fn begin(&mut self) -> Vec<(Inspect, Vec<StackId>)> {
        let mut begun = Vec::new();
        for (key, mut pass) in std::mem::take(&mut self.new) {
            pass.settle();
            pass.inspect.number = self.next_number(pass.inspect.purpose);
            begun.push((pass.inspect.clone(), pass.stacks.clone()));
            self.waiting.insert(key, pass);
        }
        begun
    }

    fn next_number(&mut self, purpose: Purpose) -> u64 {
        let last = match purpose {
            Purpose::Limits => &mut self.last_for_limits,
            Purpose::Held | Purpose::Growth | Purpose::Leftovers => &mut self.last,
        };
        *last += 1;
        *last
    }

    /// Whether the names are waited for no longer: of counts that are about to be exhausted.
    pub(super) fn is_urgent(&self, process: ProcessId, purpose: Purpose, now: Stamp) -> bool {
        let pass = self.waiting.get(&(process, purpose));
        let answered = pass.and_then(|pass| pass.answer.as_ref());
        let waited = answered.is_some_and(|(at, _)| now.since(*at) >= URGENT);
        purpose == Purpose::Limits && waited
    }

    /// What grows, of the pass that was answered.
    pub(super) fn growths(&self, inspected: &Inspected) -> Vec<GroupId> {
        let pass = self.waiting.get(&(inspected.process, inspected.purpose));
        let growths = pass.into_iter().flat_map(|pass| &pass.growths);
        growths.map(|(group, _)| *group).collect()
    }

    /// Facts have come, and with them stacks whose names are wanted too.
    pub(super) fn answered(&mut self, inspected: Inspected, stacks: Vec<StackId>, now: Stamp) {
        let pass = self
            .waiting
            .get_mut(&(inspected.process, inspected.purpose))
            .filter(|pass| pass.inspect.number == inspected.number);
        if let Some(pass) = pass {
            pass.stacks.extend(stacks);
            pass.settle();
            pass.answer = Some((now, inspected));
        }
    }

    /// Passes whose facts are there, with the stacks whose names are wanted.
    pub(super) fn answered_ones(&self) -> Vec<(ProcessId, Purpose, Vec<StackId>)> {
        let answered = self
            .waiting
            .iter()
            .filter(|(_, pass)| pass.answer.is_some());
        answered
            .map(|((process, purpose), pass)| (*process, *purpose, pass.stacks.clone()))
            .collect()
    }

    /// The names are there too: the pass is complete, or is to be asked anew with this.
    pub(super) fn named(
        &mut self,
        process: ProcessId,
        purpose: Purpose,
        now: Stamp,
    ) -> Option<Result<Complete, Inspect>> {
        let key = (process, purpose);
        let pass = self.waiting.get_mut(&key)?;
        if pass.is_stale(now) {
            pass.asked_again = true;
            pass.answer = None;
            return Some(Err(pass.inspect.clone()));
        }
        let mut pass = self.waiting.remove(&key)?;
        let (_, inspected) = pass.answer.take()?;
        Some(Ok(Complete { pass, inspected }))
    }

    /// The process has ended: its exit tells.
    pub(super) fn forget(&mut self, process: ProcessId) {
        for purpose in Purpose::ALL {
            self.new.remove(&(process, purpose));
            self.waiting.remove(&(process, purpose));
        }
    }

    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.new.len() + self.waiting.len()
    }

    /// Whether one of a process is under way.
    pub(super) fn mentions(&self, process: ProcessId) -> bool {
        let keys = Purpose::ALL.map(|purpose| (process, purpose));
        let under_way = |key| self.new.contains_key(key) || self.waiting.contains_key(key);
        keys.iter().any(under_way)
    }
}
