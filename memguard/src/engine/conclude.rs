//! Judges what a close look at a process has shown, once the names are there too.

use std::collections::BTreeMap;

use super::{
    Effect, Engine,
    passes::{Complete, Pass},
};
use crate::{
    findings::suggestions::suggest,
    judge::{
        descriptors::{self, Candidate, Verified},
        fault_sites, leftovers,
        mappings::{self, Site},
        question::{Inspected, Look, Peers, Question},
        without_stack,
    },
    ledger::population::GroupId,
    model::{
        finding::{Finding, Resolution, Verdict},
        ids::ProcessId,
        origin::StackId,
    },
};

/// Most findings that wait for the peers of their sockets; what comes then is told without.
const TELLING: usize = 1024;

/// Findings that are told when it is known what their sockets are connected to: that is dear to
/// find out, so it is asked only of what is told.
#[derive(Debug, Default)]
pub(super) struct Telling {
    by_finding: BTreeMap<u64, Told>,
}

#[derive(Debug)]
pub(super) struct Told {
    /// The group that the finding is about; `None` for one that has no life.
    group: Option<GroupId>,
    finding: Finding,
    /// Which of its samples are sockets.
    sockets: Vec<usize>,
}

impl Telling {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.by_finding.len()
    }

    /// The finding of this number, where it waits.
    pub(super) fn take(&mut self, finding: u64) -> Option<Told> {
        self.by_finding.remove(&finding)
    }

    fn of(&self, process: ProcessId) -> Vec<u64> {
        let all = self.by_finding.iter();
        let same = all.filter(|(_, told)| told.finding.process.id == process);
        same.map(|(finding, _)| *finding).collect()
    }

    /// Whether one about a process waits.
    pub(super) fn mentions(&self, process: ProcessId) -> bool {
        !self.of(process).is_empty()
    }
}

impl Engine {
    pub(super) fn inspected(&mut self, mut inspected: Inspected) {
        if !self.is_there(inspected.process) {
            return;
        }
        if let Some(info) = inspected.info.take() {
            let known = self.context.ledger.processes.get(inspected.process);
            self.context.identities.learn(info, known);
        }
        self.take_looks(&inspected);
        let growths = self.passes.growths(&inspected);
        let stacks = self.stacks_of(&growths, &inspected);
        self.passes.answered(inspected, stacks, self.context.now);
        self.conclude_named();
    }

    /// What the kernel has shown is so, whatever is judged.
    fn take_looks(&mut self, inspected: &Inspected) {
        let now = self.context.now;
        for (handle, look) in &inspected.looks {
            match look {
                Look::Verified { identity, .. } => {
                    self.context.ledger.set_identity(*handle, *identity);
                }
                Look::Refuted => self.context.ledger.refute(*handle, now),
                Look::Unknown => {}
            }
        }
    }

    /// Stacks of who has what grows.
    fn stacks_of(&self, growths: &[GroupId], inspected: &Inspected) -> Vec<StackId> {
        let mut stacks = Vec::new();
        for group in growths {
            let ranked = self.ranked(*group, inspected);
            stacks.extend(ranked.iter().filter_map(|(_, stack, _)| *stack));
            let touchers = self.fault_sites.touchers(&self.context, *group, inspected);
            stacks.extend(touchers.iter().flat_map(fault_sites::stacks));
        }
        stacks
    }

    /// Judges every process whose facts and names are there.
    pub(super) fn conclude_named(&mut self) {
        for (process, purpose, stacks) in self.passes.answered_ones() {
            let urgent = self.passes.is_urgent(process, purpose, self.context.now);
            if !self.ask_names(process, stacks) && !urgent {
                continue;
            }
            match self.passes.named(process, purpose, self.context.now) {
                Some(Ok(complete)) => self.conclude(complete),
                Some(Err(again)) => {
                    self.effects.push(Effect::Ask(Question::Inspect(again)));
                }
                None => {}
            }
        }
    }

    fn conclude(&mut self, complete: Complete) {
        let Complete { pass, inspected } = complete;
        if !inspected.alive {
            // Its exit tells.
            return;
        }
        let Pass {
            descriptors,
            sites,
            growths,
            cgroups,
            leftovers,
            limits,
            ..
        } = pass;
        self.conclude_descriptors(descriptors, &inspected);
        for (group, site) in sites {
            self.conclude_site(group, site, &inspected);
        }
        self.conclude_growths(growths, &inspected);
        self.conclude_cgroups(cgroups, &inspected);
        self.conclude_leftovers(leftovers, &inspected);
        self.conclude_limits(limits, &inspected);
    }

    /// A pile that was told and does not climb is held long, as handles are.
    fn conclude_site(&mut self, group: GroupId, site: Site, inspected: &Inspected) {
        if mappings::is_allocators(&self.context, group) {
            // The process grows by it, which is told, and who let it grow.
            return self.resolve(group, Resolution::Withdrawn);
        }
        if inspected.residency.is_none() {
            return;
        }
        let verified = mappings::Verified::new(group, site, inspected);
        for (id, range) in &verified.refuted {
            self.context.ledger.refute_memory(*id, *range);
        }
        if verified.is_empty() {
            return self.resolve(group, Resolution::Released);
        }
        let history = self.groups.history(group);
        let climbs = verified.climbs(&self.context, &history);
        if !climbs && !self.groups.findings().is_open(group) {
            return;
        }
        let mut finding = verified.describe(&self.context, &history, inspected);
        if !climbs {
            finding.verdict = Verdict::Aged;
        } else if !self.shows(&finding) {
            return self.resolve(group, Resolution::Withdrawn);
        }
        self.tell(group, finding);
    }

    fn shows(&self, finding: &Finding) -> bool {
        let Some(kind) = mappings::shows_as(finding) else {
            return true;
        };
        let outcome = self.usages.outcome(finding.process.id, kind);
        mappings::shows(&self.context, finding, outcome)
    }

    fn conclude_leftovers(&mut self, candidates: Vec<Candidate>, inspected: &Inspected) {
        let mut groups = descriptors::verified(&self.context, candidates, inspected);
        groups.retain(|_, verified| !verified.survivors.is_empty());
        let more = without_stack::join_verified(&mut groups);
        for (group, verified) in groups {
            let (history, told) = (self.groups.history(group), self.groups.leaks(group));
            let mut finding =
                leftovers::describe(&self.context, &verified, &history, inspected, told);
            finding.without_stack = more.get(&group).copied().unwrap_or(0);
            finding.open_count = finding.open_count.saturating_add(finding.without_stack);
            self.tally.left += finding.left_descriptors();
            let finding = self.groups.left(finding, self.context.now);
            self.tell_with_peers(None, finding, &verified);
        }
    }

    /// What was judged of a group, where that is worth telling.
    pub(super) fn tell(&mut self, group: GroupId, finding: Finding) {
        let now = self.context.now;
        if let Some(told) = self.groups.judged(group, finding, now) {
            self.say(group, told);
        }
    }

    pub(super) fn tell_with_peers(
        &mut self,
        group: Option<GroupId>,
        finding: Finding,
        verified: &Verified,
    ) {
        let sockets = descriptors::sockets(verified);
        if sockets.is_empty() || self.telling.len() >= TELLING {
            return self.say_of(group, finding);
        }
        let (process, first) = (verified.group.process, verified.survivors.first());
        self.effects.push(Effect::Ask(Question::Peers(Peers {
            finding: finding.id,
            process,
            tid: first.map_or(process.tgid, |held| held.acquired.tid),
            sockets: sockets.iter().map(|(_, fd, inode)| (*fd, *inode)).collect(),
        })));
        let told = Told {
            group,
            sockets: sockets.into_iter().map(|(at, ..)| at).collect(),
            finding,
        };
        let number = told.finding.id;
        if let Some(before) = self.telling.by_finding.insert(number, told) {
            self.complete(before);
        }
    }

    pub(super) fn peers_known(&mut self, finding: u64, peers: Vec<Option<String>>) {
        let Some(mut told) = self.telling.take(finding) else {
            return;
        };
        for (at, peer) in told.sockets.iter().zip(peers) {
            if let (Some(sample), Some(peer)) = (told.finding.samples.get_mut(*at), peer) {
                sample.target = Some(peer);
            }
        }
        self.complete(told);
    }

    /// A finding that waited is told as it is.
    pub(super) fn complete(&mut self, told: Told) {
        self.say_of(told.group, told.finding);
    }

    /// The process has ended: nobody will say what its sockets were connected to.
    pub(super) fn complete_all_of(&mut self, process: ProcessId) {
        for finding in self.telling.of(process) {
            if let Some(told) = self.telling.take(finding) {
                self.complete(told);
            }
        }
    }

    /// Nobody will say what sockets are connected to any more.
    pub(super) fn complete_all(&mut self) {
        while let Some((_, told)) = self.telling.by_finding.pop_first() {
            self.complete(told);
        }
    }

    fn say_of(&mut self, group: Option<GroupId>, mut finding: Finding) {
        self.join_hoard(&mut finding);
        if let Some(group) = group {
            return self.say(group, finding);
        }
        finding.suggestion = suggest(&finding);
        self.report_findings(vec![finding]);
    }
}
