//! Judges descriptors that the kernel has shown.

use super::Engine;
use crate::{
    judge::{
        descriptors::{self, Candidate, Verified},
        question::Inspected,
        without_stack,
    },
    ledger::population::GroupId,
    model::finding::Resolution,
};

impl Engine {
    pub(super) fn conclude_descriptors(
        &mut self,
        candidates: Vec<Candidate>,
        inspected: &Inspected,
    ) {
        self.follow_topics(&candidates);
        let verified = descriptors::verified(&self.context, candidates, inspected);
        let (sites, mut unknown): (Vec<_>, Vec<_>) = verified
            .into_iter()
            .partition(|(group, _)| group.stack.is_some());
        for (group, _) in &sites {
            self.groups.without_stack(*group, 0);
        }
        unknown.retain(|(group, verified)| !self.joins_its_site(*group, verified));
        self.conclude_verified(sites, inspected);
        // By now the site may be told.
        unknown.retain(|(group, verified)| !self.joins_its_site(*group, verified));
        self.conclude_verified(unknown, inspected);
    }

    fn conclude_verified(&mut self, groups: Vec<(GroupId, Verified)>, inspected: &Inspected) {
        for (group, verified) in groups {
            let held = verified.stamps();
            if verified.complete && self.groups.has_lost_its_founders(group, &held) {
                self.groups.forget_counts(group);
                self.resolve(group, Resolution::Withdrawn);
                continue;
            }
            let history = self.groups.history(group);
            if let Some(mut finding) = verified.conclude(&self.context, &history, inspected) {
                finding.in_step = self.in_step(&finding, history.totals());
                self.forecast(&mut finding);
                let now = self.context.now;
                let told = self.groups.judged(group, finding, now);
                self.groups.found(group, &held);
                if let Some(told) = told {
                    self.tell_with_peers(Some(group), told, &verified);
                }
            }
        }
    }

    /// Handles without a stack are told with the only site that may have made them, where that is
    /// told, and not beside it.
    fn joins_its_site(&mut self, group: GroupId, verified: &Verified) -> bool {
        if group.stack.is_some() || group.topic.is_some() {
            return false;
        }
        let sites = self.groups.findings().sites(group.process, group.kind);
        let Some(site) = without_stack::only_site(sites, &verified.calls()) else {
            return false;
        };
        let count = verified.survivors.len() as u64;
        self.groups.without_stack(site, count);
        self.resolve(group, Resolution::Withdrawn);
        true
    }

    /// A group that turned out to be an interpreter's goes on as that of what its handles are of,
    /// where that is one thing.
    fn follow_topics(&mut self, candidates: &[Candidate]) {
        for candidate in candidates {
            if let Some(group) = candidate.topic_group(&self.context) {
                self.groups.rename(candidate.group, group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        engine::{
            Engine, Input,
            tests::{acquired, answered, engine, findings, questions, second, shown},
        },
        ledger::{AcquisitionId, HandleId},
        model::{
            event::Event,
            finding::{Finding, Resolution},
            origin::StackId,
        },
    };

    fn opened(engine: &mut Engine, fd: u32, at: u64, stack: Option<u32>) {
        let acquired = acquired(fd, at);
        engine.handle(Input::Event(Event::Acquired(acquired)));
        if let Some(stack) = stack {
            engine.handle(Input::Attributed {
                acquisition: AcquisitionId::Handle(HandleId::from(&acquired)),
                stack: StackId(stack),
            });
        }
    }

    /// What a look at that second tells.
    fn told(engine: &mut Engine, at: u64) -> Vec<Finding> {
        let effects = engine.handle(Input::Tick(second(at)));
        let (inspect, _) = questions(&effects);
        let mut told = findings(effects);
        if let Some(inspect) = inspect {
            told.extend(findings(engine.handle(answered(at, shown(&inspect)))));
        }
        told
    }

    fn counts(told: &[Finding]) -> Vec<(u64, u64, Option<Resolution>)> {
        let counts = told
            .iter()
            .map(|it| (it.open_count, it.without_stack, it.resolution));
        counts.collect()
    }

    #[test]
    fn what_has_no_stack_is_told_with_its_site_and_not_beside_it() {
        let mut engine = engine();
        opened(&mut engine, 5, 3, None);
        opened(&mut engine, 6, 3, None);
        opened(&mut engine, 7, 3, Some(1));
        let first = told(&mut engine, 6);
        assert_eq!(counts(&first), [(1, 0, None)], "the site alone");
        let fds: Vec<_> = (8..20).collect();
        for fd in fds {
            opened(&mut engine, fd, 7, Some(1));
        }
        let later: Vec<_> = (10..40).flat_map(|at| told(&mut engine, at)).collect();
        assert!(
            counts(&later).contains(&(15, 2, None)),
            "{:?}",
            counts(&later)
        );
        assert!(later.iter().all(|it| it.id == first[0].id));
    }

    #[test]
    fn what_was_told_before_its_site_is_withdrawn() {
        let mut engine = engine();
        opened(&mut engine, 5, 3, None);
        let first = told(&mut engine, 6);
        assert_eq!(
            counts(&first),
            [(1, 0, None)],
            "nobody else may have made it"
        );
        opened(&mut engine, 6, 7, Some(1));
        let later: Vec<_> = (10..14).flat_map(|at| told(&mut engine, at)).collect();
        let over = later.iter().find(|it| it.id == first[0].id);
        assert!(
            over.is_some_and(|it| it.resolution.is_some()),
            "{:?}",
            counts(&later)
        );
        assert!(
            later
                .iter()
                .any(|it| it.id != first[0].id && it.resolution.is_none())
        );
    }
}
