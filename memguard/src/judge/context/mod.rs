//! What every policy sees.

pub mod identities;
pub mod losses;
pub mod names;
pub mod whole_stacks;

use std::{sync::Arc, time::Duration};

use hashbrown::HashSet;

use self::{identities::Identities, losses::Losses, names::Names, whole_stacks::WholeStacks};
use crate::{
    config::DetectConfig,
    detect::{GroupSample, History},
    ledger::{
        HeldFd, Ledger,
        population::{GroupId, Population},
        processes::Process,
    },
    model::{
        finding::Evidence,
        ids::{ProcessId, Stamp, TICK_NANOSECONDS},
        origin::{Origin, StackId},
        process::ProcessInfo,
        resource::Kind,
    },
    origin::symbolize,
};

/// See the module.
#[derive(Debug)]
pub struct Context {
    /// How to judge.
    pub config: DetectConfig,
    /// What is held.
    pub ledger: Ledger,
    /// Where it was acquired.
    pub names: Names,
    /// And by whom, where the usual window did not reach that far.
    pub whole_stacks: WholeStacks,
    /// Who holds it.
    pub identities: Identities,
    /// What was missed.
    pub losses: Losses,
    /// When the programs were attached.
    pub attached_at: Stamp,
    /// The time, as the engine was told last.
    pub now: Stamp,
    /// memguard's own process.
    pub own: u32,
    /// Who can hardly open another descriptor: what piled up there climbs no further.
    pub full: HashSet<ProcessId>,
    /// How long the host was suspended since its boot, until memguard came: the start of processes
    /// is told in time that goes on meanwhile.
    pub suspended: Duration,
}

/// The start of a program: what is opened in it is suspected of nothing yet.
const START: Duration = Duration::from_secs(10);
/// How long to wait for a first release, where nobody said how long is long: collectors come every
/// few minutes, if they come.
const QUIET: Duration = Duration::from_secs(185);

impl Context {
    /// Whether findings of this kind are wanted.
    pub fn wants(&self, kind: Kind) -> bool {
        self.config.kinds.has(kind)
    }

    /// From when a process is seen: its birth, or memguard's start.
    pub fn observed_from(&self, process: ProcessId) -> Stamp {
        let known = self.ledger.processes.get(process);
        let born = known.and_then(|process| process.born);
        born.unwrap_or(self.attached_at)
    }

    /// When a process began, which may be long before memguard came.
    pub fn began(&self, process: ProcessId) -> Stamp {
        let boot_time = Duration::from_nanos(process.start_ticks.saturating_mul(TICK_NANOSECONDS));
        let suspended = self.suspended;
        let began = Stamp(0).after(boot_time.saturating_sub(suspended));
        began.min(self.observed_from(process))
    }

    /// When the warm-up of a process is over.
    pub fn warm_at(&self, process: ProcessId) -> Stamp {
        self.began(process).after(self.config.warm_up)
    }

    /// When the start of a process is over, so far that what comes then may be suspected.
    pub fn settled_at(&self, process: ProcessId) -> Stamp {
        self.began(process).after(self.config.warm_up.min(START))
    }

    /// How many of these were acquired after the warm-up of their process.
    pub fn late(&self, process: ProcessId, survivors: &[Stamp]) -> u64 {
        let warm_at = self.warm_at(process);
        let late = survivors.iter().filter(|stamp| **stamp > warm_at);
        late.count() as u64
    }

    /// Whether a process is the one that names addresses for memguard.
    pub fn is_own(&self, process: ProcessId) -> bool {
        let known = self.ledger.processes.get(process);
        known.is_some_and(|process| self.is_naming(process))
    }

    /// What memguard does is not the host's. Its own forks are not told to memguard, so that of
    /// such a child no parent is known.
    pub fn is_naming(&self, process: &Process) -> bool {
        let image = process.image.as_ref();
        let named = image.is_some_and(|image| image.args.starts_with(symbolize::CHILD));
        let parent = process.parent;
        named && parent.is_none_or(|parent| parent == self.own)
    }

    /// Whether a handle came over an exec: it belongs to the program before, and is judged at exit.
    pub fn is_inherited(&self, held: &HeldFd) -> bool {
        let process = self.ledger.processes.get(held.acquired.process);
        let current = process.and_then(|process| process.exec_id);
        current.is_some_and(|current| held.acquired.exec_id < current)
    }

    /// Who a process is that has not been judged.
    pub fn identity(&self, process: ProcessId) -> Arc<ProcessInfo> {
        let known = self.ledger.processes.get(process);
        self.identities.of(process, known)
    }

    /// Whether that is to be asked.
    pub fn is_stranger(&self, process: ProcessId) -> bool {
        let known = self.ledger.processes.get(process);
        !self.identities.knows(process, known)
    }

    /// What a finding tells of where a group's handles were acquired that are held; they were so at
    /// these moments, which ascend.
    pub fn origin(&self, group: GroupId, held: &[Stamp]) -> Option<Origin> {
        let whole = self.whole_stacks.of_held(group.process, group.stack, held);
        self.names.origin_of(group.stack, &whole)
    }

    /// What a group is recognised by in other runs: where all of its handles were acquired. How
    /// much more is known of some depends on how long it was watched.
    pub fn common_origin(&self, group: GroupId) -> Option<Origin> {
        self.names.origin(group.stack)
    }

    /// The stacks whose names tell where a group's handles were acquired.
    pub fn stacks(&self, group: GroupId) -> impl Iterator<Item = StackId> {
        let whole = self.whole_stacks.of_site(group.process, group.stack);
        group.stack.into_iter().chain(whole)
    }

    /// What losses do to a result about this process.
    pub fn evidence(&self, process: ProcessId) -> Evidence {
        self.losses
            .evidence_of(process, self.observed_from(process))
    }

    /// How long to wait for the first release of a group, or for the next.
    fn quiet(&self, group: GroupId, population: &Population, in_bulk: bool) -> Duration {
        let resource = group.kind.resource();
        let populations = &self.ledger.populations;
        let collector = populations.longest_bulk_gap(group.process, resource, self.now);
        let gap = population.releases().longest_gap();
        let own = if in_bulk { gap } else { Duration::ZERO };
        let least = if self.config.learns_age || in_bulk {
            QUIET
        } else {
            self.config.min_age.saturating_mul(2)
        };
        least.max(collector.max(own).saturating_mul(2))
    }

    /// What detectors see of a group, but for its handles.
    pub fn sample<'a>(
        &self,
        group: GroupId,
        population: &'a Population,
        history: &'a History,
    ) -> GroupSample<'a> {
        let in_bulk = population.is_released_in_bulk(self.now);
        GroupSample {
            survivors: &[],
            young: &[],
            population,
            history,
            observed_from: self.observed_from(group.process),
            warm_at: self.warm_at(group.process),
            settled_at: self.settled_at(group.process),
            min_age: self.config.min_age,
            quiet: self.quiet(group, population, in_bulk),
            in_bulk,
            is_full: self.full.contains(&group.process),
            now: self.now,
        }
    }
}
