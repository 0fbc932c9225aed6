//! Reports processes that ended: what they left, and that they were judged.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Agent,
    living::{SAMPLES, calls, sample, stamps},
};
use crate::{
    detect::{Check, Detector as _, Remainder, Subject},
    findings::fingerprint,
    ledger::{Held, Judgement, population::GroupId, processes::Process},
    model::{
        finding::{Evidence, Finding, Handle, Moment, Resolution, Sample, Verdict},
        ids::{ProcessId, Stamp},
        origin::Origin,
        process::ProcessInfo,
        report::{ProcessExited, Report},
        resource::{Call, Kind},
    },
    origin,
    suggest::suggest,
};

/// What all findings of one end share.
struct End {
    info: Arc<ProcessInfo>,
    verified: bool,
    evidence: Evidence,
    stamp: Stamp,
}

impl End {
    /// What was left, with nothing said of single handles yet.
    fn finding(
        &self,
        kind: Kind,
        calls: Vec<Call>,
        origin: Option<Origin>,
        open_count: u64,
    ) -> Finding {
        let process = Arc::clone(&self.info);
        let evidence = self.evidence.clone();
        Finding {
            fingerprint: fingerprint::of(&self.info, kind, &calls, origin.as_ref()),
            calls,
            origin,
            moment: Moment::Exit,
            verified: self.verified,
            open_count,
            acquired_count: open_count,
            ..Finding::of(process, kind, Verdict::Left, evidence, self.stamp)
        }
    }
}

impl Agent {
    /// One process, once.
    pub(super) fn report_end(&mut self, judgement: Judgement) {
        if is_own(&judgement.process) {
            return self.ledger.populations.forget(judgement.exited.process);
        }
        let info = self.identities.ended(&judgement);
        let Judgement {
            exited,
            left,
            unknown,
            verified,
            ..
        } = judgement;
        let (process, stamp) = (exited.process, exited.stamp);
        let born = judgement.process.born.unwrap_or(self.attached_at);
        let left = grouped(left, process, exited.exec_id);
        let left = left.into_iter().map(|((group, verdict), held)| {
            let piled_up = verdict == Verdict::Left && self.has_piled_up(group, &held, born, stamp);
            (group, if piled_up { Verdict::Leak } else { verdict }, held)
        });
        let left: Vec<_> = left.collect();
        self.clear(|group| group.process == process, Resolution::Ended, stamp);
        let evidence = self.end_evidence(process, verified);
        let end = End {
            info,
            verified,
            evidence,
            stamp,
        };
        let mut count = 0;
        for (group, verdict, held) in left {
            if self.judging.wants(group.kind) {
                count += held.len() as u64;
                self.report_left(&end, group, verdict, &held);
            }
        }
        // The standard descriptors are everybody's.
        let unknown: Vec<u32> = unknown.into_iter().filter(|fd| *fd > 2).collect();
        if !unknown.is_empty() && self.judging.wants(Kind::Other) {
            count += unknown.len() as u64;
            self.report_unknown(&end, &unknown);
        }
        self.report_segments(&end.info, &end.evidence, stamp);
        self.tally.judged += 1;
        self.tally.left += count;
        self.ledger.populations.forget(process);
        self.losses.forget(process);
        self.strangers.forget(process);
        self.usages.forget(process);
        self.faults.forget(process);
        if self.judging.wants(Kind::Zombie) {
            self.ended.ended(process, stamp);
        }
        let End {
            info: process,
            evidence,
            ..
        } = end;
        let status = Some(exited.status);
        let exited = ProcessExited {
            stamp,
            process,
            status,
            left: count,
            verified,
            evidence,
        };
        self.out.report(&Report::Exited(exited));
    }

    /// Of what ended, which has no life.
    pub(super) fn tell_left(&mut self, mut finding: Finding, stamp: Stamp) {
        finding.suggestion = suggest(&finding);
        let finding = self.findings.left(finding, stamp);
        self.out.report(&Report::Finding(Box::new(finding)));
    }

    /// What a process holds at its end had piled up while it ran, and was not told before.
    pub(super) fn has_piled_up(
        &self,
        group: GroupId,
        held: &[Held],
        observed_from: Stamp,
        now: Stamp,
    ) -> bool {
        if self.findings.leaks(group.process, group.kind, group.stack) {
            return false;
        }
        let mut survivors = stamps(held);
        survivors.sort_unstable();
        let population = self.ledger.populations.get(group);
        let oldest = survivors.first().map(|oldest| now.since(*oldest));
        let ripe = self.judging.min_age.saturating_mul(2) <= oldest.unwrap_or_default();
        if !ripe && population.released == 0 && !self.judging.short_lives {
            return false;
        }
        let history = self.piles.get(&group).cloned().unwrap_or_default();
        let subject = Subject {
            survivors: &survivors,
            young: &[],
            population: &population,
            history: &history,
            observed_from,
            warm_at: observed_from.after(self.judging.warm_up),
            min_age: self.judging.min_age,
            now,
        };
        matches!(Remainder.check(&subject), Check::Suspect(_))
    }

    fn end_evidence(&self, process: ProcessId, verified: bool) -> Evidence {
        let mut evidence = self.evidence(Some(process));
        if !verified {
            evidence
                .reasons
                .push("the snapshot of its descriptor table was lost".to_owned());
        }
        evidence
    }

    fn report_left(&mut self, end: &End, group: GroupId, verdict: Verdict, held: &[Held]) {
        let population = self.ledger.populations.get(group);
        let calls = calls(held.iter().map(|held| held.acquired.call));
        let finding = Finding {
            verdict,
            acquired_count: population.acquired,
            released_count: population.released,
            late_count: held.len() as u64,
            lives: population.lives(),
            oldest_age: held
                .iter()
                .map(|held| end.stamp.since(held.acquired.stamp))
                .max(),
            samples: held
                .iter()
                .take(SAMPLES)
                .map(|h| sample(h, None, end.stamp))
                .collect(),
            ..end.finding(
                group.kind,
                calls,
                self.stacks.origin(group.stack),
                held.len() as u64,
            )
        };
        self.tell_left(finding, end.stamp);
    }
}

impl Agent {
    /// Descriptors that no traced call made: of a call that is not traced (`--kinds all` traces
    /// more), of `io_uring`, of a 32-bit call, or put there by another process.
    fn report_unknown(&mut self, end: &End, unknown: &[u32]) {
        let calls = vec![Call::Unknown];
        let samples = unknown.iter().take(SAMPLES).map(|fd| Sample {
            handle: Handle::Descriptor(*fd),
            acquired_at: None,
            age: None,
            call: None,
            target: None,
        });
        let finding = Finding {
            samples: samples.collect(),
            ..end.finding(Kind::Other, calls, None, unknown.len() as u64)
        };
        self.tell_left(finding, end.stamp);
    }
}

/// Whether a process is the one that names addresses: what memguard does is not the host's. Its own
/// forks are not told to memguard, so that of such a child no parent is known.
pub(super) fn is_own(process: &Process) -> bool {
    let image = process.image.as_ref();
    let named = image.is_some_and(|image| image.args.starts_with(origin::symbolize::CHILD));
    let parent = process.parent;
    named && parent.is_none_or(|parent| parent == std::process::id())
}

/// By kind and origin, what the last program image acquired and what it inherited apart; oldest
/// first. Redirected standard descriptors are neither.
pub(super) fn grouped(
    left: Vec<Held>,
    process: ProcessId,
    exec_id: u32,
) -> BTreeMap<(GroupId, Verdict), Vec<Held>> {
    let mut groups: BTreeMap<(GroupId, Verdict), Vec<Held>> = BTreeMap::new();
    for held in left.into_iter().filter(|held| !held.acquired.is_standard()) {
        let own = held.acquired.exec_id >= exec_id;
        let verdict = if own {
            Verdict::Left
        } else {
            Verdict::Inherited
        };
        let group = GroupId {
            process,
            ..GroupId::from(&held)
        };
        groups.entry((group, verdict)).or_default().push(held);
    }
    for held in groups.values_mut() {
        held.sort_unstable_by_key(|held| held.acquired.stamp);
    }
    groups
}
