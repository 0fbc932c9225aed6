//! Judges processes that run: groups, detectors, verification, findings.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hashbrown::HashMap;

use super::{Agent, dead::is_own};
use crate::{
    detect::{self, Check, Detector, History, Subject},
    findings::fingerprint,
    ledger::{
        HandleId, Held,
        population::{GroupId, Population},
    },
    model::{
        course::Course,
        finding::{Finding, Growth, Handle, Limit, Resolution, Sample, Verdict},
        ids::{ProcessId, Stamp},
        memory::Ceiling,
        origin::Origin,
        process::ProcessInfo,
        report::Report,
        resource::{Call, Kind, Resource},
    },
    source::{
        kernel,
        procfs::{Seen, fold_target, socket_inode},
    },
    suggest::suggest,
    verify::{self, Witness},
};

/// How many survivors each group had over time.
pub(super) type Piles = HashMap<GroupId, History>;

/// Handles shown with a finding.
pub(super) const SAMPLES: usize = 5;
/// Most handles looked at in one judgement, 2.5 µs each.
const LOOKS: usize = 20_000;

/// A group whose handles were looked at.
pub(super) struct Verified {
    group: GroupId,
    pub(super) survivors: Vec<Held>,
    seen: Vec<Seen>,
    /// Every survivor was looked at.
    complete: bool,
}

impl Agent {
    /// Looks at every group of every living process.
    pub(super) fn judge_living(&mut self) {
        self.find_strangers();
        let now = kernel::now();
        self.judge_descriptors(now);
        self.judge_mappings(now);
        self.sample(now);
        self.judge_usage(now);
        self.judge_cgroups(now);
        self.keep_baselines(now);
        self.out.flush();
    }

    fn judge_descriptors(&mut self, now: Stamp) {
        self.sockets.forget();
        let groups = self.held_by_group();
        self.clear_vanished(&groups, now);
        let mut looks = LOOKS;
        for (group, mut survivors) in groups {
            let total = survivors.len() as u64;
            let old = |held: &Held| now.since(held.acquired.stamp) >= self.judging.min_age;
            let young = survivors.split_off(survivors.partition_point(old));
            let young = stamps(&young);
            if survivors.is_empty() {
                self.piles.remove(&group);
                self.resolve(group, Resolution::Released, now);
                continue;
            }
            if group.topic.is_none() && self.stacks.is_interpreted(group.stack) {
                // Judged from the next time on, when it is known what they are of.
                self.look_at(group, survivors, &mut looks, now);
                continue;
            }
            let total = total.saturating_add(self.preexisting(group.process));
            let pile = self.piles.entry(group).or_default();
            pile.record(now, survivors.len() as u64, total as i64);
            if !matches!(
                self.check_held(group, &survivors, &young, now),
                Check::Suspect(_)
            ) {
                self.resolve(group, Resolution::Released, now);
                continue;
            }
            if !self.stacks.are_named(group.process, group.stack) {
                // Told at the next judgement, with names.
                continue;
            }
            let verified = self.look_at(group, survivors, &mut looks, now);
            self.conclude_living(&verified, &young, now);
        }
    }

    /// Descriptors that a process has had since before memguard came.
    fn preexisting(&self, process: ProcessId) -> u64 {
        let known = self.ledger.processes.get(process);
        known.map_or(0, |process| process.preexisting.len()) as u64
    }

    /// Handles by group, oldest first. What came over an exec belongs to the program before and is
    /// judged at exit.
    fn held_by_group(&self) -> BTreeMap<GroupId, Vec<Held>> {
        let mut groups: BTreeMap<GroupId, Vec<Held>> = BTreeMap::new();
        for held in self.ledger.held() {
            let group = self.group(held);
            let process = self.ledger.processes.get(held.acquired.process);
            let meant = held.acquired.is_standard()
                || self.is_inherited(held)
                || process.is_some_and(is_own);
            if !meant && self.judging.wants(group.kind) {
                groups.entry(group).or_default().push(*held);
            }
        }
        for held in groups.values_mut() {
            held.sort_unstable_by_key(|held| held.acquired.stamp);
        }
        groups
    }

    /// In an interpreter, handles of one stack are told apart by what they are of.
    fn group(&self, held: &Held) -> GroupId {
        let interpreted = self.stacks.is_interpreted(held.stack);
        let topic = held.seal.map(|seal| seal.topic).filter(|_| interpreted);
        GroupId {
            topic,
            ..GroupId::from(held)
        }
    }

    pub(super) fn is_inherited(&self, held: &Held) -> bool {
        let process = self.ledger.processes.get(held.acquired.process);
        let current = process.and_then(|process| process.exec_id);
        current.is_some_and(|current| held.acquired.exec_id < current)
    }

    fn clear_vanished(&mut self, groups: &BTreeMap<GroupId, Vec<Held>>, now: Stamp) {
        self.forget_piles(
            |group| is_descriptor(group) && !groups.contains_key(&group),
            now,
        );
    }

    /// Groups of which nothing is held any more.
    pub(super) fn forget_piles(&mut self, vanished: impl Fn(GroupId) -> bool, now: Stamp) {
        self.piles.retain(|group, _| !vanished(*group));
        self.clear(vanished, Resolution::Released, now);
    }

    pub(super) fn resolve(&mut self, group: GroupId, why: Resolution, now: Stamp) {
        self.clear(|open| open == group, why, now);
    }

    /// Findings of these groups, where they have any, are over.
    pub(super) fn clear(&mut self, over: impl FnMut(GroupId) -> bool, why: Resolution, now: Stamp) {
        for finding in self.findings.over(over, why, now) {
            self.out.report(&Report::Finding(Box::new(finding)));
        }
    }

    fn check_held(&self, group: GroupId, survivors: &[Held], young: &[Stamp], now: Stamp) -> Check {
        self.check(&self.detectors, group, [&stamps(survivors), young], now)
    }

    pub(super) fn check(
        &self,
        detectors: &[Box<dyn Detector>],
        group: GroupId,
        [survivors, young]: [&[Stamp]; 2],
        now: Stamp,
    ) -> Check {
        let population = self.ledger.populations.get(group);
        let history = self.piles.get(&group).cloned().unwrap_or_default();
        let observed_from = self.observed_from(group.process);
        detect::check(
            detectors,
            &Subject {
                survivors,
                young,
                population: &population,
                history: &history,
                observed_from,
                warm_at: observed_from.after(self.judging.warm_up),
                min_age: self.judging.min_age,
                now,
            },
        )
    }

    /// How many of these were acquired after the warm-up of their process.
    pub(super) fn late(&self, process: ProcessId, survivors: &[Stamp]) -> u64 {
        let warm_at = self.observed_from(process).after(self.judging.warm_up);
        let late = survivors.iter().filter(|stamp| **stamp > warm_at);
        late.count() as u64
    }

    pub(super) fn observed_from(&self, process: ProcessId) -> Stamp {
        let born = self
            .ledger
            .processes
            .get(process)
            .and_then(|process| process.born);
        born.unwrap_or(self.attached_at)
    }

    /// Asks the kernel about every survivor; drops from the ledger what is refuted.
    pub(super) fn look_at(
        &mut self,
        group: GroupId,
        survivors: Vec<Held>,
        looks: &mut usize,
        now: Stamp,
    ) -> Verified {
        let mut verified = Verified {
            group,
            survivors: Vec::new(),
            seen: Vec::new(),
            complete: true,
        };
        let Some(witness) = Witness::of(&self.procfs, &self.kernel.nursery, group.process) else {
            return verified;
        };
        for held in survivors {
            let Some(left) = looks.checked_sub(1) else {
                verified.complete = false;
                break;
            };
            *looks = left;
            let handle = HandleId::from(&held.acquired);
            match witness.look(&held) {
                verify::Verdict::Verified(seen) => {
                    verified.survivors.push(held);
                    verified.seen.push(seen);
                }
                verify::Verdict::Sealed(seal) => self.ledger.seal(handle, seal),
                verify::Verdict::Refuted => self.ledger.refute(handle, now),
                verify::Verdict::Unknown => verified.complete = false,
            }
        }
        verified
    }

    /// Judges anew what is left after verification, and reports it.
    fn conclude_living(&mut self, verified: &Verified, young: &[Stamp], now: Stamp) {
        let group = verified.group;
        let Check::Suspect(verdict) = self.check_held(group, &verified.survivors, young, now)
        else {
            return;
        };
        let population = self.ledger.populations.get(group);
        let info = self.living(group.process);
        let mut finding = self.describe(verified, &population, info, now);
        finding.verdict = verdict;
        // Peers are dear to find out, so only of what is told.
        if let Some(mut told) = self.findings.judged(group, finding, now) {
            told.samples = self.samples(verified, now);
            self.say(group, told);
        }
    }

    /// What was judged of a group, where that is worth telling.
    pub(super) fn tell(&mut self, group: GroupId, finding: Finding, now: Stamp) {
        if let Some(told) = self.findings.judged(group, finding, now) {
            self.say(group, told);
        }
    }

    fn say(&mut self, group: GroupId, mut finding: Finding) {
        finding.suggestion = suggest(&finding);
        self.findings.completed(group, &finding);
        self.out.report(&Report::Finding(Box::new(finding)));
    }

    pub(super) fn living(&mut self, process: ProcessId) -> Arc<ProcessInfo> {
        let known = self.ledger.processes.get(process);
        self.identities.living(&self.procfs, process, known)
    }

    pub(super) fn describe(
        &self,
        verified: &Verified,
        population: &Population,
        process: Arc<ProcessInfo>,
        now: Stamp,
    ) -> Finding {
        let Verified {
            group,
            survivors,
            seen,
            complete,
        } = verified;
        let growth = self.piles.get(group).and_then(growth);
        let calls = calls(survivors.iter().map(|held| held.acquired.call));
        let kind = Self::kind(group, seen);
        let origin = self.stacks.origin(group.stack);
        let origin = origin.map(|origin| in_topic(origin, group, seen));
        let evidence = self.evidence(Some(group.process)).of_verified(*complete);
        Finding {
            fingerprint: fingerprint::of(&process, kind, &calls, origin.as_ref()),
            calls,
            origin,
            verified: *complete,
            open_count: survivors.len() as u64,
            acquired_count: population.acquired,
            released_count: population.released,
            late_count: self.late(group.process, &stamps(survivors)),
            lives: population.lives(),
            oldest_age: survivors.first().map(|held| now.since(held.acquired.stamp)),
            growth,
            history: self.course(*group, survivors.len() as u64),
            limit: self.limit(group.process, growth),
            ..Finding::of(process, kind, Verdict::Aged, evidence, now)
        }
    }

    /// How a pile has grown up to what the kernel has shown of it; the youngest are not asked about
    /// yet.
    pub(super) fn course(&self, group: GroupId, shown: u64) -> Option<Course> {
        let mut course = self.piles.get(&group)?.course()?;
        for count in &mut course.counts {
            *count = (*count).min(shown);
        }
        Some(course)
    }

    /// What `/proc` shows, where it shows one kind for all; else what the call told.
    fn kind(group: &GroupId, seen: &[Seen]) -> Kind {
        let mut kinds = seen.iter().map(Seen::kind);
        let Some(first) = kinds.next() else {
            return group.kind;
        };
        let told = first.resource() == group.kind.resource() && first != Kind::OtherSocket;
        if told && kinds.all(|kind| kind == first) {
            first
        } else {
            group.kind
        }
    }

    /// Some of the handles, with what they are of.
    pub(super) fn samples(&mut self, verified: &Verified, now: Stamp) -> Vec<Sample> {
        let tgid = verified.group.process.tgid;
        let pairs = verified.survivors.iter().zip(&verified.seen);
        let tid = verified
            .survivors
            .first()
            .map_or(tgid, |held| held.acquired.tid);
        let tid = self.procfs.live_thread(tgid, tid).ok().flatten();
        let tid = tid.unwrap_or(tgid);
        let sampled = pairs.take(SAMPLES).map(|(held, seen)| {
            let described = self.peer(tgid, tid, held.acquired.fd, seen);
            let target = described.unwrap_or_else(|| seen.target.clone());
            sample(held, Some(target), now)
        });
        sampled.collect()
    }

    /// What a socket is connected to; of one without an address, its protocol.
    fn peer(&mut self, tgid: u32, tid: u32, fd: u32, seen: &Seen) -> Option<String> {
        let inode = socket_inode(&seen.target)?;
        let known = self.sockets.of(&self.procfs, tgid, tid).describe(inode);
        let known = known.or_else(|| self.procfs.protocol(tgid, tid, fd));
        known.map(|(_, text)| text)
    }

    fn limit(&self, process: ProcessId, growth: Option<Growth>) -> Option<Limit> {
        let ceiling = Ceiling {
            name: "RLIMIT_NOFILE",
            value: self.procfs.nofile_limit(process.tgid)?,
            used: self.procfs.descriptor_count(process.tgid).ok()?,
        };
        Some(limit(ceiling, growth))
    }
}

/// When a ceiling of a count is reached at this growth.
pub(super) fn limit(ceiling: Ceiling, growth: Option<Growth>) -> Limit {
    let Ceiling { name, value, used } = ceiling;
    let slope = growth.map(|growth| growth.slope_per_second);
    let slope = slope.filter(|slope| *slope > 0.0);
    let left = value.saturating_sub(used) as f64;
    Limit {
        name,
        value,
        used,
        exhausted_in: slope.and_then(|slope| Duration::try_from_secs_f64(left / slope).ok()),
        uncertainty: None,
    }
}

fn is_descriptor(group: GroupId) -> bool {
    matches!(group.kind.resource(), Resource::Fd | Resource::Socket)
}

pub(super) fn growth(history: &History) -> Option<Growth> {
    let (slope_per_second, seconds) = history.slope()?;
    Some(Growth {
        slope_per_second,
        window: Duration::from_secs_f64(seconds),
        trend: None,
    })
}

/// One handle for people.
pub(super) fn sample(held: &Held, target: Option<String>, now: Stamp) -> Sample {
    let acquired = &held.acquired;
    Sample {
        handle: Handle::Descriptor(acquired.fd),
        acquired_at: Some(acquired.stamp),
        age: Some(now.since(acquired.stamp)),
        call: Some(acquired.call),
        target,
    }
}

pub(super) fn stamps(survivors: &[Held]) -> Vec<Stamp> {
    survivors.iter().map(|held| held.acquired.stamp).collect()
}

/// The calls that acquired them, each once.
pub(super) fn calls(calls: impl Iterator<Item = Call>) -> Vec<Call> {
    let mut calls: Vec<_> = calls.collect();
    calls.sort_unstable();
    calls.dedup();
    calls
}

/// In an interpreter the place is not all: what the handles are of belongs to it.
fn in_topic(origin: Origin, group: &GroupId, seen: &[Seen]) -> Origin {
    let topic = seen.first().filter(|_| group.topic.is_some());
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
