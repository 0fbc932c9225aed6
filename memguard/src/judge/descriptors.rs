//! Descriptors of processes that run: which groups are suspected, and what is told once the kernel
//! has shown what they hold.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{Context, SAMPLES, calls, limit, sample, slope, stages, stamps};
use crate::{
    detect::History,
    findings::fingerprint,
    judge::question::{Inspected, Look},
    ledger::{HandleId, HeldFd, population::GroupId},
    model::{
        finding::{Finding, Verdict},
        ids::Stamp,
        link_target::{fold_target, socket_inode},
        observed::OpenFile,
        origin::Origin,
        resource::{Call, Kind, Resource},
        series_summary::SeriesSummary,
    },
};

/// What is held of one group: the oldest first.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Which.
    pub group: GroupId,
    /// To be looked at: of the age of the stage that suspects them.
    pub survivors: Vec<HeldFd>,
    /// When those were acquired that are held too, but not for as long yet.
    pub young: Vec<Stamp>,
}

/// A group whose handles were looked at.
#[derive(Debug)]
pub struct Verified {
    /// Which.
    pub group: GroupId,
    /// Those that the kernel has shown twice.
    pub survivors: Vec<HeldFd>,
    /// What each of them is.
    pub seen: Vec<OpenFile>,
    /// As in [`Candidate`].
    pub young: Vec<Stamp>,
    /// Every survivor was looked at.
    pub complete: bool,
}

/// Whether a group is of descriptors that the ledger has; neither all of a process nor a hoard.
pub fn is_descriptor(group: GroupId) -> bool {
    let descriptors = matches!(group.kind.resource(), Resource::Fd | Resource::Socket);
    descriptors && !group.kind.is_whole() && !group.is_of_before()
}

/// Handles by group. What came over an exec belongs to the program before and is judged at exit.
pub fn groups(context: &Context) -> BTreeMap<GroupId, Candidate> {
    let mut groups: BTreeMap<GroupId, Vec<HeldFd>> = BTreeMap::new();
    for held in context.ledger.held() {
        let group = group(context, held);
        let meant = held.acquired.is_standard()
            || context.is_inherited(held)
            || context.is_own(group.process);
        // What a process that has ended shared with others is nobody's to judge.
        let known = context.ledger.processes.get(group.process).is_some();
        if known && !meant && context.wants(group.kind) {
            groups.entry(group).or_default().push(*held);
        }
    }
    let candidate = |(group, held)| (group, Candidate::new(context, group, held));
    groups.into_iter().map(candidate).collect()
}

/// In an interpreter, handles of one stack are told apart by what they are of.
fn group(context: &Context, held: &HeldFd) -> GroupId {
    let interpreted = context.names.is_interpreted(held.stack);
    let topic = held
        .identity
        .map(|identity| identity.topic)
        .filter(|_| interpreted);
    GroupId {
        topic,
        ..GroupId::from(held)
    }
}

impl Candidate {
    fn new(context: &Context, group: GroupId, mut held: Vec<HeldFd>) -> Self {
        held.sort_unstable_by_key(|held| held.acquired.stamp);
        let least = stages::least_age(context);
        let is_old = |held: &HeldFd| stages::is_old(context, held, least);
        let young = held.split_off(held.partition_point(is_old));
        Self {
            group,
            survivors: held,
            young: stamps(&young),
        }
    }

    /// Everything that its process has, as far as it is of this group or from before memguard came.
    pub fn total(&self, context: &Context) -> u64 {
        let known = context.ledger.processes.get(self.group.process);
        let preexisting = known.map_or(0, |process| process.preexisting.len());
        (self.survivors.len() + self.young.len() + preexisting) as u64
    }

    /// Whether the script's handles cannot be told apart yet: what they are of is still to be seen.
    pub fn is_unsorted(&self, context: &Context) -> bool {
        self.group.topic.is_none() && context.names.is_interpreted(self.group.stack)
    }

    /// The group that all of its handles are of by now; `None` where it is the same, or several.
    pub fn topic_group(&self, context: &Context) -> Option<GroupId> {
        let held = self
            .survivors
            .iter()
            .map(|held| HandleId::from(&held.acquired));
        let mut groups =
            held.filter_map(|handle| Some(group(context, context.ledger.get(handle)?)));
        let first = groups.next().filter(|first| *first != self.group)?;
        groups.all(|group| group == first).then_some(first)
    }

    /// How many have been held for the minimum age.
    pub fn old(&self, context: &Context) -> u64 {
        let age = context.config.min_age;
        let old = |held: &HeldFd| stages::is_old(context, held, age);
        self.survivors.partition_point(old) as u64
    }

    /// Whether the kernel is to be asked about it: then only those are left that it is asked about.
    pub fn is_suspect(&mut self, context: &Context, history: &History) -> bool {
        let Self {
            group,
            survivors,
            young,
        } = self;
        let Some(decision) = stages::decide(context, *group, survivors, young, history) else {
            return false;
        };
        let old = |held: &HeldFd| stages::is_old(context, held, decision.age);
        let younger = survivors.split_off(survivors.partition_point(old));
        young.splice(0..0, stamps(&younger));
        true
    }
}

/// What the kernel has shown of some candidates of one process, by the groups that their handles
/// are of now. Handles that were released meanwhile are left out.
pub fn verified(
    context: &Context,
    candidates: Vec<Candidate>,
    inspected: &Inspected,
) -> BTreeMap<GroupId, Verified> {
    let looks: HashMap<HandleId, &Look> = inspected
        .looks
        .iter()
        .map(|(handle, look)| (*handle, look))
        .collect();
    let mut groups = BTreeMap::new();
    for candidate in candidates {
        for held in &candidate.survivors {
            let handle = HandleId::from(&held.acquired);
            if let Some(held) = context.ledger.get(handle) {
                let group = group(context, held);
                let verified = groups
                    .entry(group)
                    .or_insert_with(|| Verified::new(group, &candidate));
                verified.add(held, looks.get(&handle).copied());
            }
        }
    }
    groups
}

impl Verified {
    fn new(group: GroupId, candidate: &Candidate) -> Self {
        let same = group == candidate.group;
        Self {
            group,
            survivors: Vec::new(),
            seen: Vec::new(),
            young: if same {
                candidate.young.clone()
            } else {
                Vec::new()
            },
            complete: true,
        }
    }

    fn add(&mut self, held: &HeldFd, look: Option<&Look>) {
        match look {
            Some(Look::Verified { seen, .. }) => {
                self.survivors.push(*held);
                self.seen.push(seen.clone());
            }
            Some(Look::Refuted) => {}
            Some(Look::Unknown) | None => self.complete = false,
        }
    }

    /// Judges anew what is left after verification; the finding where it is still suspected.
    pub fn conclude(
        &self,
        context: &Context,
        history: &History,
        inspected: &Inspected,
    ) -> Option<Finding> {
        let (group, young) = (self.group, &self.young);
        let decision = stages::decide(context, group, &self.survivors, young, history)?;
        let settled_at = context.settled_at(group.process);
        let late = self.survivors.iter();
        let late = late.filter(|held| held.acquired.stamp > settled_at).count() as u64;
        let found = self.describe(context, history, inspected);
        Some(Finding {
            verdict: decision.verdict,
            late_count: match decision.verdict {
                Verdict::Aged => found.late_count,
                _ => late,
            },
            ..found
        })
    }

    /// By which calls they were acquired.
    pub fn calls(&self) -> Vec<Call> {
        calls(self.survivors.iter().map(|held| held.acquired.call))
    }

    /// When those were acquired that the kernel has shown.
    pub fn stamps(&self) -> Vec<Stamp> {
        stamps(&self.survivors)
    }

    /// What there is to say of it, with no verdict yet.
    pub fn describe(&self, context: &Context, history: &History, inspected: &Inspected) -> Finding {
        let (group, process) = (self.group, context.identity(self.group.process));
        let (kind, survivors) = (self.kind(), &self.survivors);
        let population = context.ledger.populations.get(group);
        let growth = slope(history);
        let calls = self.calls();
        let origin = context.origin(group, &self.stamps());
        let origin = origin.map(|origin| self.with_topic(origin));
        let common = context.common_origin(group);
        let common = common.map(|common| self.with_topic(common));
        let evidence = context.evidence(group.process).of_verified(self.complete);
        let ceiling = inspected.ceilings.descriptors;
        Finding {
            fingerprint: fingerprint::of(&process, kind, &calls, common.as_ref()),
            calls,
            origin,
            verified: self.complete,
            open_count: survivors.len() as u64,
            acquired_count: population.acquired,
            released_count: population.released,
            late_count: context.late(group.process, &stamps(survivors)),
            lives: population.lives(),
            oldest_age: survivors
                .first()
                .map(|held| context.now.since(held.acquired.stamp)),
            growth,
            history: shown(history, survivors.len() as u64),
            limit: ceiling.map(|ceiling| limit(ceiling, growth)),
            samples: self.samples(context.now),
            ..Finding::of(process, kind, Verdict::Aged, evidence, context.now)
        }
    }

    /// What `/proc` shows, where it shows one kind for all; else what the call told.
    fn kind(&self) -> Kind {
        let mut kinds = self.seen.iter().map(OpenFile::kind);
        let Some(first) = kinds.next() else {
            return self.group.kind;
        };
        let told = first.resource() == self.group.kind.resource() && first != Kind::OtherSocket;
        if told && kinds.all(|kind| kind == first) {
            first
        } else {
            self.group.kind
        }
    }

    fn samples(&self, now: Stamp) -> Vec<crate::model::finding::Sample> {
        let pairs = self.survivors.iter().zip(&self.seen).take(SAMPLES);
        let sampled = pairs.map(|(held, seen)| sample(held, Some(seen.target.clone()), now));
        sampled.collect()
    }

    /// In an interpreter the place is not all: what the handles are of belongs to it.
    fn with_topic(&self, origin: Origin) -> Origin {
        let topic = self.seen.first().filter(|_| self.group.topic.is_some());
        let Some(topic) = topic.map(|seen| fold_target(&seen.target)) else {
            return origin;
        };
        // That a socket is of a socket is no news.
        let news = !topic.contains(":[");
        let place = origin.place.map(|place| {
            if news {
                format!("{place} for {topic}")
            } else {
                place
            }
        });
        Origin {
            place,
            topic: Some(topic),
            ..origin
        }
    }
}

/// How a count has grown up to what the kernel has shown of it; the youngest are not asked about
/// yet.
pub fn shown(history: &History, shown: u64) -> Option<SeriesSummary> {
    let mut course = history.summary()?;
    for count in &mut course.counts {
        *count = (*count).min(shown);
    }
    Some(course)
}

/// The sockets among the samples of a finding: where in it, and descriptor and inode.
pub fn sockets(verified: &Verified) -> Vec<(usize, u32, u64)> {
    let pairs = verified.survivors.iter().zip(&verified.seen).take(SAMPLES);
    let sockets = pairs.enumerate().filter_map(|(at, (held, seen))| {
        let inode = socket_inode(&seen.target)?;
        Some((at, held.acquired.fd, inode))
    });
    sockets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{
        question::{Inspect, Purpose},
        testing::{PROCESS, acquired, holding, redirect_output, second},
    };

    #[test]
    fn groups_are_of_what_a_program_acquired_itself() {
        let mut context = holding(2, [(5, 10), (6, 95), (7, 20)]);
        redirect_output(&mut context, 10);
        let groups = groups(&context);
        let [candidate] = groups.values().collect::<Vec<_>>()[..] else {
            panic!("one group: {groups:#?}");
        };
        let fds = candidate.survivors.iter().map(|held| held.acquired.fd);
        assert_eq!(fds.collect::<Vec<_>>(), [5, 7], "old, and the oldest first");
        assert_eq!(candidate.young, [second(95)]);
        assert_eq!(candidate.total(&context), 3);
        let mut candidate = candidate.clone();
        assert!(candidate.is_suspect(&context, &History::default()), "old");
        assert_eq!(candidate.topic_group(&context), None, "no interpreter");
    }

    #[test]
    fn only_what_the_kernel_has_shown_is_told() {
        let context = holding(2, [(5, 10), (6, 11), (7, 12)]);
        let candidates: Vec<_> = groups(&context).into_values().collect();
        let handle = |fd, at| HandleId::from(&acquired(fd, at));
        let inspect = Inspect::new(PROCESS, Purpose::Held);
        let seen = OpenFile {
            target: "/var/log/7".to_owned(),
            dev: 1,
            ino: 7,
            mode: libc::S_IFREG,
        };
        let identity = crate::ledger::FileIdentity {
            device: 1,
            inode: 7,
            topic: 0,
        };
        let inspected = Inspected {
            looks: vec![
                (handle(5, 10), Look::Verified { seen, identity }),
                (handle(6, 11), Look::Refuted),
                (handle(7, 12), Look::Unknown),
            ],
            ..Inspected::gone(&inspect)
        };
        let verified = verified(&context, candidates, &inspected);
        let verified = verified.values().next().unwrap();
        let history = History::default();
        let finding = verified.conclude(&context, &history, &inspected).unwrap();
        assert_eq!((finding.open_count, finding.verified), (1, false));
        assert!(!finding.evidence.conclusive(), "not all were looked at");
        assert!(sockets(verified).is_empty());
    }
}
