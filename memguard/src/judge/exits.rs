//! What a process that ended left, and whether that had piled up while it ran.

use std::{collections::BTreeMap, sync::Arc};

use super::{Context, SAMPLES, calls, sample, stamps};
use crate::{
    detect::{Check, Detector as _, GroupSample, History, Remainder},
    findings::fingerprint,
    ledger::{HeldFd, Judgement, population::GroupId},
    model::{
        finding::{Doubt, Evidence, Finding, Handle, Moment, Sample, Verdict},
        ids::{ProcessId, Stamp},
        origin::Origin,
        process::ProcessInfo,
        resource::{Call, Kind},
    },
};

/// What all findings of one end share.
#[derive(Clone, Debug)]
pub struct End {
    /// Who.
    pub info: Arc<ProcessInfo>,
    /// Judged against the kernel's bitmap.
    pub verified: bool,
    /// What was lost on the way.
    pub evidence: Evidence,
    /// When.
    pub stamp: Stamp,
}

/// What one group left.
#[derive(Debug)]
pub struct Left {
    /// Which.
    pub group: GroupId,
    /// Left, inherited, or a leak.
    pub verdict: Verdict,
    /// The oldest first.
    pub held: Vec<HeldFd>,
    /// Likely of the same site, but no stack says so.
    pub without_stack: Vec<HeldFd>,
}

impl End {
    /// Of a process that was judged.
    pub fn new(context: &Context, info: Arc<ProcessInfo>, judgement: &Judgement) -> Self {
        let born = judgement.process.born.unwrap_or(context.attached_at);
        let mut evidence = context.losses.evidence_of(judgement.exited.process, born);
        if !judgement.verified {
            evidence.reasons.push(Doubt::SnapshotLost);
        }
        Self {
            info,
            verified: judgement.verified,
            evidence,
            stamp: judgement.exited.stamp,
        }
    }

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

    /// The finding about one group.
    pub fn describe(&self, context: &Context, left: &Left) -> Finding {
        let Left {
            group,
            verdict,
            held,
            without_stack,
        } = left;
        let without_stack = without_stack.len() as u64;
        let count = without_stack.saturating_add(held.len() as u64);
        let population = context.ledger.populations.get(*group);
        let calls = calls(held.iter().map(|held| held.acquired.call));
        let origin = context.origin(*group, &stamps(held));
        let common = context.common_origin(*group);
        let ages = held
            .iter()
            .map(|held| self.stamp.since(held.acquired.stamp));
        let samples = held.iter().take(SAMPLES);
        Finding {
            fingerprint: fingerprint::of(&self.info, group.kind, &calls, common.as_ref()),
            verdict: *verdict,
            acquired_count: population.acquired,
            released_count: population.released,
            late_count: count,
            without_stack,
            lives: population.lives(),
            oldest_age: ages.max(),
            samples: samples.map(|held| sample(held, None, self.stamp)).collect(),
            ..self.finding(group.kind, calls, origin, count)
        }
    }

    /// Descriptors that no traced call made: of a call that is not traced (`--kinds all` traces
    /// more), of `io_uring`, of a 32-bit call, or put there by another process.
    pub fn describe_unknown(&self, unknown: &[u32]) -> Finding {
        let samples = unknown.iter().take(SAMPLES).map(|fd| Sample {
            handle: Handle::Descriptor(*fd),
            acquired_at: None,
            age: None,
            call: None,
            target: None,
        });
        Finding {
            samples: samples.collect(),
            ..self.finding(Kind::Other, vec![Call::Unknown], None, unknown.len() as u64)
        }
    }
}

/// By kind and origin, what the last program image acquired and what it inherited apart; oldest
/// first. Redirected standard descriptors are neither.
pub fn grouped(left: Vec<HeldFd>, process: ProcessId, exec_id: u32) -> Vec<Left> {
    let mut groups: BTreeMap<(GroupId, Verdict), Vec<HeldFd>> = BTreeMap::new();
    for held in left {
        let own = held.acquired.exec_id >= exec_id;
        let handed_over = !own && held.acquired.has_standard_number();
        if handed_over || held.acquired.is_standard() {
            continue;
        }
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
    let left = groups.into_iter().map(|((group, verdict), mut held)| {
        held.sort_unstable_by_key(|held| held.acquired.stamp);
        Left {
            group,
            verdict,
            held,
            without_stack: Vec::new(),
        }
    });
    left.collect()
}

/// Adds what threads had left before the end, whose groups may be among those of the end.
pub fn join(left: &mut Vec<Left>, of_threads: Vec<Left>) {
    for more in of_threads {
        match left
            .iter_mut()
            .find(|it| it.group == more.group && it.verdict != Verdict::Inherited)
        {
            Some(known) => {
                known.held.extend(more.held);
                known.held.sort_unstable_by_key(|held| held.acquired.stamp);
            }
            None => left.push(more),
        }
    }
}

/// The standard descriptors are everybody's.
pub fn without_standard(unknown: Vec<u32>) -> Vec<u32> {
    unknown.into_iter().filter(|fd| *fd > 2).collect()
}

/// Whether what a process holds at its end, the oldest first, had piled up while it ran.
pub fn has_piled_up(
    context: &Context,
    group: GroupId,
    held: &[HeldFd],
    history: &History,
    [observed_from, now]: [Stamp; 2],
) -> bool {
    let mut survivors = stamps(held);
    survivors.sort_unstable();
    let population = context.ledger.populations.get(group);
    let oldest = survivors.first().map(|oldest| now.since(*oldest));
    let ripe = context.config.min_age.saturating_mul(2) <= oldest.unwrap_or_default();
    if !ripe && population.released == 0 && !context.config.short_lives {
        return false;
    }
    let subject = GroupSample {
        survivors: &survivors,
        observed_from,
        warm_at: observed_from.after(context.config.warm_up),
        now,
        ..context.sample(group, &population, history)
    };
    matches!(Remainder.check(&subject), Check::Suspect(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::testing::{PROCESS, acquired, holding, second},
        model::event::Acquired,
    };

    fn held(fds: impl IntoIterator<Item = (u32, u64)>) -> Vec<HeldFd> {
        let held = fds.into_iter().map(|(fd, at)| acquired(fd, at).into());
        held.collect()
    }

    #[test]
    fn what_came_over_an_exec_is_told_apart_and_standard_descriptors_are_not_told() {
        let mut all = held([(1, 1), (5, 9), (6, 3)]);
        all.push(HeldFd::from(Acquired {
            exec_id: 2,
            ..acquired(7, 4)
        }));
        let left = grouped(all, PROCESS, 2);
        let told: Vec<_> = left
            .iter()
            .map(|left| (left.verdict, left.held.len()))
            .collect();
        assert_eq!(told, [(Verdict::Left, 1), (Verdict::Inherited, 2)]);
        let oldest = left.last().and_then(|left| left.held.first());
        assert_eq!(oldest.map(|held| held.acquired.fd), Some(6), "oldest first");
        assert_eq!(without_standard(vec![0, 2, 3]), [3]);
    }

    fn check(fds: impl Iterator<Item = (u32, u64)> + Clone, expected: bool, why: &str) {
        let context = holding(2, fds.clone());
        let held = held(fds);
        let group = held.first().map(GroupId::from).unwrap();
        let life = [second(2), second(100)];
        let piled_up = has_piled_up(&context, group, &held, &History::default(), life);
        assert_eq!(piled_up, expected, "{why}");
    }

    #[test]
    fn what_piles_up_until_the_end_is_a_leak() {
        check((3..90).map(|at| (at as u32 + 3, at)), true, "one a second");
        check(
            (3..90).map(|fd| (fd, 3)),
            false,
            "all at once, when it began",
        );
        check((10..12).map(|at| (at as u32, at)), false, "two");
    }
}
