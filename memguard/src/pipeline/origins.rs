//! Waits for stacks and their names: what ended is judged when its stacks are known, and told when
//! they are named, in order; nothing else waits.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use hashbrown::HashMap;
use tokio::time::{Instant, timeout};

use super::Agent;
use crate::{
    decode,
    ledger::{AcquisitionId, Judgement, Sweep},
    model::{
        ids::{ProcessId, Stamp},
        origin::{NamedStack, Origin, StackId},
    },
    origin::{Answer, ModuleSource, Origins, Subject, Work, application},
    source::kernel::sideband::Sideband,
    touches::Touch,
};

/// Longest wait for a sweep's windows to be unwound: 4 096 take milliseconds, the files of new
/// programs some hundred.
const UNWINDING: Duration = Duration::from_secs(2);
/// Longest wait for the names of a stack: longer than the naming gives a file.
const NAMING: Duration = Duration::from_secs(15);
/// Most stacks whose names are kept; those of reported ones, so more are rare.
const NAMES: usize = 4096;
/// Most ended processes that wait for names; what comes then is told without.
const WAITING: usize = 16_384;
/// How many ended processes are told of before the ring is looked at: what they left takes longer
/// to write than others need to fill it.
const BETWEEN_DRAINS: u32 = 16;

/// What is known of a stack's names.
#[derive(Debug)]
enum Name {
    Asked(Instant),
    Known(Arc<NamedStack>),
}

/// A sweep whose windows are being unwound.
#[derive(Debug)]
struct Unwinding {
    sweep: Sweep,
    cutoff: Stamp,
    barrier: u64,
    since: Instant,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Stacks {
    origins: Option<Origins>,
    /// Why there is no side-band, or no origin at all.
    pub(super) missing: Option<(String, String)>,
    unwinding: Option<Unwinding>,
    passed: u64,
    ended: VecDeque<Judgement>,
    names: HashMap<StackId, Name>,
    tickets: u64,
}

impl Stacks {
    /// Starts the threads that unwind and name. What cannot be had is said once: memguard goes on
    /// without it.
    pub(super) fn start() -> Self {
        let (mut sideband, mut missing) = match Sideband::open() {
            Ok(sideband) => (Some(sideband), None),
            Err(error) => (None, Some(("perf side-band".to_owned(), error.to_string()))),
        };
        // Where one cannot wait for it, it is read more often.
        let waiter = sideband
            .as_ref()
            .and_then(|sideband| sideband.waiter().ok());
        let read = move |take: &mut dyn FnMut(_)| {
            if let Some(sideband) = &mut sideband {
                sideband.drain(take);
            }
        };
        let modules = ModuleSource {
            read: Box::new(read),
            wait: waiter.map(|waiter| Box::new(move || waiter.wait()) as Box<_>),
        };
        let origins = Origins::start(modules, "/proc".into());
        let origins = origins
            .inspect_err(|error| missing = Some(("origins".to_owned(), error.to_string())))
            .ok();
        Self {
            origins,
            missing,
            unwinding: None,
            passed: 0,
            ended: VecDeque::new(),
            names: HashMap::new(),
            tickets: 0,
        }
    }

    /// Something to say; never where there are no threads.
    pub(super) async fn next(&mut self) -> Answer {
        match &mut self.origins {
            Some(origins) => origins.next().await,
            None => std::future::pending().await,
        }
    }

    fn try_next(&mut self) -> Option<Answer> {
        self.origins.as_mut()?.try_next()
    }

    /// Has a window unwound, where one was copied.
    pub(super) fn unwind(
        &mut self,
        acquisition: AcquisitionId,
        process: ProcessId,
        stamp: Stamp,
        record: &[u8],
    ) {
        let Some(window) = decode::window(record) else {
            return;
        };
        // Refused ones are counted there.
        let _queued = self.request(Work {
            subject: Subject::Acquisition(acquisition),
            process,
            stamp,
            window,
        });
    }

    /// Asks for a window to be unwound; false where there is nobody to ask, or no room.
    pub(super) fn request(&mut self, work: Work) -> bool {
        let origins = self.origins.as_mut();
        origins.is_some_and(|origins| origins.unwind(work))
    }

    /// What a finding tells of a stack.
    pub(super) fn origin(&self, stack: Option<StackId>) -> Option<Origin> {
        let Name::Known(stack) = self.names.get(&stack?)? else {
            return None;
        };
        let place = stack.application_frame().map(application::brief);
        let place = place.map(|place| match stack.interpreter {
            Some(interpreter) => format!("{place} in {interpreter}"),
            None => place,
        });
        let stack = Arc::clone(stack);
        Some(Origin {
            stack,
            place,
            topic: None,
        })
    }

    /// Whether a stack maps memory for many, as far as it is named.
    pub(super) fn is_allocators(&self, stack: Option<StackId>) -> bool {
        let name = stack.and_then(|stack| self.names.get(&stack));
        matches!(name, Some(Name::Known(stack)) if application::maps_for_many(&stack.frames))
    }

    /// Whether a stack is an interpreter's, as far as it is named.
    pub(super) fn is_interpreted(&self, stack: Option<StackId>) -> bool {
        let name = stack.and_then(|stack| self.names.get(&stack));
        matches!(name, Some(Name::Known(stack)) if stack.interpreter.is_some())
    }

    /// Whether the names of these are there, or have been waited for long enough; asks for those
    /// that were not asked for yet.
    pub(super) fn are_named(
        &mut self,
        process: ProcessId,
        stacks: impl IntoIterator<Item = StackId>,
    ) -> bool {
        let mut named = true;
        let mut unasked = Vec::new();
        for stack in stacks {
            match self.names.get(&stack) {
                Some(Name::Known(_)) => {}
                Some(Name::Asked(since)) => named &= since.elapsed() >= NAMING,
                None => unasked.push(stack),
            }
        }
        unasked.sort_unstable();
        unasked.dedup();
        self.ask(process, unasked) && named
    }

    /// True where there is nobody to ask, or nothing to ask for.
    fn ask(&mut self, process: ProcessId, stacks: Vec<StackId>) -> bool {
        let Some(origins) = self.origins.as_mut().filter(|_| !stacks.is_empty()) else {
            return true;
        };
        if self.names.len() >= NAMES {
            self.names.clear();
        }
        let now = Instant::now();
        self.names
            .extend(stacks.iter().map(|stack| (*stack, Name::Asked(now))));
        self.tickets += 1;
        !origins.name(self.tickets, stacks, process)
    }

    /// Begins to wait for everything that was handed over so far.
    fn wait(&mut self, sweep: Sweep, cutoff: Stamp) {
        let barrier = self.origins.as_mut().map_or(0, Origins::barrier);
        self.unwinding = Some(Unwinding {
            sweep,
            cutoff,
            barrier,
            since: Instant::now(),
        });
    }

    /// A sweep has begun and its processes are not judged yet.
    pub(super) fn is_unwinding(&self) -> bool {
        self.unwinding.is_some()
    }

    fn unwound(&mut self) -> Option<Unwinding> {
        let passed = self.passed;
        self.unwinding.take_if(|unwinding| {
            unwinding.barrier <= passed || unwinding.since.elapsed() >= UNWINDING
        })
    }

    /// The next process that ended whose stacks are named.
    fn next_ended(&mut self) -> Option<Judgement> {
        let judgement = self.ended.front()?;
        let process = judgement.exited.process;
        let stacks: Vec<StackId> = judgement
            .left
            .iter()
            .filter_map(|held| held.stack)
            .collect();
        let named = self.are_named(process, stacks);
        (named || self.ended.len() > WAITING)
            .then(|| self.ended.pop_front())
            .flatten()
    }

    fn forget(&mut self, process: ProcessId) {
        if let Some(origins) = &mut self.origins {
            origins.forget(process);
        }
    }

    /// Counters for the summary.
    pub(super) fn counters(&self) -> Vec<(String, u64)> {
        let Some(origins) = &self.origins else {
            return Vec::new();
        };
        let counts = origins.counts();
        [
            ("origins.unwound", counts.unwound),
            ("origins.incomplete", counts.incomplete),
            ("origins.dropped", counts.dropped),
            ("origins.unnamed", counts.unnamed),
            ("origins.stacks_evicted", counts.stacks_evicted),
            ("origins.images_evicted", counts.images_evicted),
            ("origins.processes_evicted", counts.processes_evicted),
            ("origins.mappings_dropped", counts.mappings_dropped),
            ("origins.sideband_lost", counts.sideband_lost),
        ]
        .map(|(name, count)| (name.to_owned(), count))
        .into()
    }
}

impl Agent {
    /// Waits for the stacks of a sweep before what died is judged.
    pub(super) fn judge_when_unwound(&mut self, sweep: Sweep, cutoff: Stamp) {
        self.stacks.wait(sweep, cutoff);
        self.advance();
    }

    /// Takes what the threads have to say.
    pub(super) fn heard(&mut self, answer: Answer) {
        self.hear(answer);
        while let Some(answer) = self.stacks.try_next() {
            self.hear(answer);
        }
        self.advance();
    }

    fn hear(&mut self, answer: Answer) {
        match answer {
            Answer::Unwound {
                subject,
                process,
                stack,
            } => match subject {
                Subject::Acquisition(id) => self.ledger.attribute(id, stack),
                Subject::Touch { address, stamp } => {
                    self.faults
                        .unwound(process, Touch::new(address, stamp, stack));
                }
            },
            Answer::Barrier(number) => self.stacks.passed = number,
            Answer::Named { stacks, .. } => {
                let named = stacks
                    .into_iter()
                    .map(|stack| (stack.id, Name::Known(stack)));
                self.stacks.names.extend(named);
            }
        }
    }

    /// Judges and tells what need not wait any longer.
    pub(super) fn advance(&mut self) {
        if let Some(Unwinding { sweep, cutoff, .. }) = self.stacks.unwound() {
            let judged = self.ledger.end_sweep(sweep, cutoff);
            self.note_losses();
            self.stacks.ended.extend(judged);
        }
        if !self.stacks.ended.is_empty() {
            self.look_at_segments();
        }
        let mut told = 0u32;
        while let Some(judgement) = self.stacks.next_ended() {
            let process = judgement.exited.process;
            self.report_end(judgement);
            self.stacks.forget(process);
            told += 1;
            if told.is_multiple_of(BETWEEN_DRAINS) {
                self.drain();
            }
        }
        if self.stacks.ended.is_empty() {
            // A storm of processes does not leave its room behind.
            self.stacks.ended.shrink_to(BETWEEN_DRAINS as usize);
        }
    }

    /// Waits until everything that has ended is judged and told.
    pub(super) async fn catch_up(&mut self) {
        const TICK: Duration = Duration::from_millis(100);
        self.advance();
        while self.stacks.is_unwinding() || !self.stacks.ended.is_empty() {
            match timeout(TICK, self.stacks.next()).await {
                Ok(answer) => self.heard(answer),
                Err(_) => self.advance(),
            }
        }
    }
}
