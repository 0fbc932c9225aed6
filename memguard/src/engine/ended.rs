//! What ended is judged when its stacks are unwound, and told when they are named, in order.

use std::collections::{BTreeSet, VecDeque};

use super::{Effect, Engine};
use crate::{
    judge::{
        exits::{self, End, Left},
        question::Question,
        segments, without_stack,
    },
    ledger::{Judgement, Sweep},
    model::{
        finding::{Finding, Verdict},
        ids::{ProcessId, Stamp},
        observed::ShmSegment,
        origin::StackId,
        report::{Health, Lost, ProcessExited, Report},
        resource::Kind,
    },
};

/// Most ended processes that wait for names; what comes then is told without.
const WAITING: usize = 16_384;
/// How many ended processes are told of before the ring is looked at: what they left takes longer
/// to tell than others need to fill it. More room than that is given back after a storm of them.
const BATCH: usize = 16;
/// Processes named with a loss.
const WHOSE: usize = 100;

/// Ended processes that are not told yet.
#[derive(Debug, Default)]
pub(super) struct EndedQueue {
    judged: VecDeque<Judgement>,
    /// Those of `judged` that came after the segments were asked for last.
    unasked: bool,
    /// Segments were asked for and have not come.
    asked: bool,
    segments: Vec<ShmSegment>,
    boot_seconds: i64,
}

impl EndedQueue {
    pub(super) fn len(&self) -> usize {
        self.judged.len()
    }

    pub(super) fn mentions(&self, process: ProcessId) -> bool {
        let mut judged = self.judged.iter();
        judged.any(|judgement| judgement.exited.process == process)
    }

    /// Whether the next can be told as far as segments go.
    fn knows_segments(&self) -> bool {
        !self.asked && !self.unasked
    }

    fn shrink(&mut self) {
        if self.judged.is_empty() {
            self.judged.shrink_to(BATCH);
        }
    }
}

impl Engine {
    /// Everything that the sweep took is in.
    pub(super) fn end_sweep(&mut self, cutoff: Stamp) {
        let Some(sweep) = self.sweep.take() else {
            return;
        };
        self.end_sweep_of(sweep, cutoff);
        self.tell_ended();
    }

    fn end_sweep_of(&mut self, sweep: Sweep, cutoff: Stamp) {
        let judged = self.context.ledger.end_sweep(sweep, cutoff);
        if !judged.is_empty() {
            self.ended.unasked = self.context.wants(Kind::SysvShm);
            self.ended.judged.extend(judged);
        }
        self.take_missed_ends();
    }

    /// Tells what need not wait any longer.
    pub(super) fn tell_ended(&mut self) {
        self.ask_segments();
        for _ in 0..BATCH {
            let Some(judgement) = self.next_ended() else {
                return self.ended.shrink();
            };
            self.report_end(judgement);
        }
        self.effects.push(Effect::Resume);
    }

    /// However many there are.
    pub(super) fn tell_all_ended(&mut self) {
        self.ended.asked = false;
        self.ended.unasked = false;
        while let Some(judgement) = self.next_ended() {
            self.report_end(judgement);
        }
    }

    /// Once for all processes that have ended meanwhile.
    fn ask_segments(&mut self) {
        if self.ended.unasked && !self.ended.asked {
            self.ended.asked = true;
            self.ended.unasked = false;
            self.effects.push(Effect::Ask(Question::Segments));
        }
    }

    pub(super) fn segments_known(&mut self, segments: Vec<ShmSegment>, boot_seconds: i64) {
        self.ended.asked = false;
        self.ended.segments = segments;
        self.ended.boot_seconds = boot_seconds;
        self.tell_ended();
    }

    fn next_ended(&mut self) -> Option<Judgement> {
        let full = self.ended.len() > WAITING;
        if !full && !self.ended.knows_segments() {
            return None;
        }
        let judgement = self.ended.judged.front()?;
        let process = judgement.exited.process;
        let left = judgement.left.iter().chain(&judgement.left_by_threads);
        let sites: BTreeSet<Option<StackId>> = left.map(|held| held.stack).collect();
        let whole = &self.context.whole_stacks;
        let whole = sites
            .iter()
            .flat_map(|short| whole.of_site(process, *short));
        let mut stacks: Vec<StackId> = sites.iter().copied().flatten().chain(whole).collect();
        stacks.extend(self.persistent.stacks_of(process));
        let named = self.ask_names(process, stacks);
        (named || full)
            .then(|| self.ended.judged.pop_front())
            .flatten()
    }

    /// One process, once.
    fn report_end(&mut self, judgement: Judgement) {
        let process = judgement.exited.process;
        if self.context.is_naming(&judgement.process) {
            return self.process_ended(process);
        }
        let info = self.context.identities.ended(&judgement);
        let end = End::new(&self.context, info, &judgement);
        let Judgement {
            exited,
            left,
            left_by_threads,
            unknown,
            process: known,
            ..
        } = judgement;
        let born = known.born.unwrap_or(self.context.attached_at);
        let mut left = exits::grouped(left, process, exited.exec_id);
        for group in &mut left {
            self.judge_left(group, [born, exited.stamp]);
        }
        exits::join(
            &mut left,
            exits::grouped(left_by_threads, process, exited.exec_id),
        );
        without_stack::join(&mut left);
        let over = self.groups.process_ended(process, exited.stamp);
        self.report_findings(over);
        let count = self.tell_everything_left(&end, &left, unknown);
        self.tally.judged += 1;
        self.tally.left += count;
        self.leave_persistent(&end);
        let status = Some(exited.status);
        self.process_ended(process);
        if self.context.wants(Kind::Zombie) {
            self.zombies.ended(process, exited.stamp);
        }
        self.report(Report::Exited(ProcessExited {
            stamp: exited.stamp,
            process: end.info,
            status,
            left: count,
            verified: end.verified,
            evidence: end.evidence,
        }));
    }

    /// What a process holds at its end had piled up while it ran, and was not told before.
    fn judge_left(&self, left: &mut Left, life: [Stamp; 2]) {
        if left.verdict != Verdict::Left || self.groups.leaks(left.group) {
            return;
        }
        let history = self.groups.history(left.group);
        if exits::has_piled_up(&self.context, left.group, &left.held, &history, life) {
            left.verdict = Verdict::Leak;
        }
    }

    /// Returns how many descriptors that are.
    fn tell_everything_left(&mut self, end: &End, left: &[Left], unknown: Vec<u32>) -> u64 {
        let mut findings: Vec<Finding> = Vec::new();
        for left in left
            .iter()
            .filter(|left| self.context.wants(left.group.kind))
        {
            findings.push(end.describe(&self.context, left));
        }
        let unknown = exits::without_standard(unknown);
        if !unknown.is_empty() && self.context.wants(Kind::Other) {
            findings.push(end.describe_unknown(&unknown));
        }
        let count = findings.iter().map(|finding| finding.open_count).sum();
        let EndedQueue {
            segments,
            boot_seconds,
            ..
        } = &self.ended;
        findings.extend(segments::describe(end, segments, *boot_seconds));
        for finding in findings {
            self.tell_left(finding);
        }
        count
    }

    /// What is lost since the last time is told; ends may have been among it.
    pub(super) fn note_losses(
        &mut self,
        counters: Vec<(String, u64)>,
        by_process: Option<Vec<(ProcessId, u64)>>,
    ) {
        if let Some(by_process) = by_process {
            self.attribute_losses(by_process);
        }
        let lost = self.context.losses.read(counters, self.context.now);
        if lost.is_empty() {
            return;
        }
        let mut processes = self.context.losses.whose();
        processes.retain(|process| self.context.ledger.processes.get(*process).is_some());
        processes.truncate(WHOSE);
        let stamp = self.context.now;
        self.report(Report::Health(Health {
            stamp,
            what: Lost::Events,
            lost,
            processes,
        }));
    }

    /// The kernel's table of losses has room for so many processes: those that nobody knows leave
    /// it, for their ends may have been lost too.
    fn attribute_losses(&mut self, by_process: Vec<(ProcessId, u64)>) {
        let known = |process: &ProcessId| self.context.ledger.processes.get(*process).is_some();
        let (known, unknown): (Vec<_>, Vec<_>) = by_process
            .into_iter()
            .partition(|(process, _)| known(process));
        self.context.losses.attribute(known);
        let forgotten = unknown.into_iter().map(|(process, _)| process);
        self.effects.extend(forgotten.map(Effect::ForgetLosses));
    }
}
