//! The engine with everything that does what it says: whatever is told to it goes through
//! [`Core::tell`].

use hashbrown::HashMap;

use super::{baselines::Baselines, origins::OriginClient, outputs::Outputs};
use crate::{
    decode::{decode, is_wide_window, wide_window},
    engine::{Effect, Engine, Input},
    facts::Facts,
    judge::question::{Answer, Question},
    ledger::AcquisitionId,
    model::{
        event::Event,
        fault::{Fault, FaultEvent},
        ids::{ProcessId, Stamp, TableId},
        report::Report,
    },
    origin::{self, UnwindTarget},
    output::hub::SnapshotCell,
    recording::Recorder,
    source::kernel,
};

/// Most answers that are taken before the ring is looked at.
const ANSWERS: usize = 256;

/// See the module.
#[derive(Debug)]
pub(super) struct Core {
    /// Boxed, for a future that holds it would be large.
    pub(super) engine: Box<Engine>,
    pub(super) facts: Facts,
    pub(super) origins: OriginClient,
    pub(super) out: Outputs,
    pub(super) baselines: Option<Baselines>,
    pub(super) recorder: Option<Recorder>,
    pub(super) snapshots: SnapshotCell,
    pub(super) tally: Tally,
    /// Tables that are to be swept whole.
    dead: HashMap<TableId, Stamp>,
    /// A page fault that is to be unwound: whose.
    fault: Option<ProcessId>,
    /// Processes that have ended and that the kernel side may remember.
    forgotten: Vec<ProcessId>,
    /// The engine has more to do.
    resume: bool,
}

/// What the agent itself counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) read: u64,
    pub(super) swept: u64,
    pub(super) undecodable: u64,
}

impl Core {
    pub(super) fn new(
        engine: Box<Engine>,
        facts: Facts,
        origins: OriginClient,
        out: Outputs,
        recorder: Option<Recorder>,
    ) -> Self {
        Self {
            engine,
            facts,
            origins,
            out,
            baselines: None,
            recorder,
            snapshots: SnapshotCell::default(),
            tally: Tally::default(),
            dead: HashMap::new(),
            fault: None,
            forgotten: Vec::new(),
            resume: false,
        }
    }

    /// Tells the engine, and does what it says.
    pub(super) fn tell(&mut self, input: Input) {
        let mut next = Some(input);
        let mut refused = Vec::new();
        while let Some(input) = next.take().or_else(|| refused.pop()) {
            if let Some(recorder) = &mut self.recorder {
                recorder.take(&input);
            }
            for effect in self.engine.handle(input) {
                let answers = self.perform(effect);
                let at = kernel::now();
                refused.extend(
                    answers
                        .into_iter()
                        .map(|answer| Input::Answered { at, answer }),
                );
            }
        }
    }

    /// Asks something that the engine did not ask.
    pub(super) fn ask(&mut self, question: Question) {
        for answer in self.facts.ask(question) {
            let at = kernel::now();
            self.tell(Input::Answered { at, answer });
        }
    }

    /// Returns answers to what could not be asked.
    fn perform(&mut self, effect: Effect) -> Vec<Answer> {
        match effect {
            Effect::Ask(question) => return self.facts.ask(question),
            Effect::Name { process, stacks } => self.origins.name(process, stacks),
            Effect::UnwindFault(process) => self.fault = Some(process),
            Effect::Sweep(dead) => self.dead = dead,
            Effect::Report(report) => self.out.report(*report),
            Effect::Forget(process) => {
                self.origins.forget(process);
                self.forgotten.push(process);
            }
            Effect::ForgetLosses(process) => self.forgotten.push(process),
            Effect::SaveBaselines(records) => {
                if let Some(baselines) = &mut self.baselines {
                    baselines.save(&records, kernel::now());
                }
            }
            Effect::Resume => self.resume = true,
        }
        Vec::new()
    }

    /// Takes a record of the kernel.
    pub(super) fn take_record(&mut self, record: &[u8]) {
        if is_wide_window(record) {
            return self.take_wide_window(record);
        }
        let Ok(event) = decode(record) else {
            self.tally.undecodable += 1;
            return;
        };
        if let Some((id, process, stamp)) = self.engine.wants_origin(&event) {
            let target = UnwindTarget::Acquisition(id);
            self.origins.unwind(target, process, stamp, record);
        }
        self.tell(Input::Event(event));
    }

    fn take_wide_window(&mut self, record: &[u8]) {
        match wide_window(record) {
            Ok(wide) => wide
                .into_iter()
                .for_each(|wide| self.origins.keep_wide(wide)),
            Err(_) => self.tally.undecodable += 1,
        }
    }

    /// Takes a record of what was released in the nursery.
    pub(super) fn take_released(&mut self, record: &[u8], lingered: bool) {
        let Ok(Event::Acquired(acquired)) = decode(record) else {
            return;
        };
        let id = AcquisitionId::Handle((&acquired).into());
        let (process, stamp) = (acquired.process, acquired.stamp);
        self.tell(Input::DiedYoung { acquired, lingered });
        let target = UnwindTarget::Released(id);
        self.origins.unwind(target, process, stamp, record);
    }

    /// Takes a sample of page faults.
    pub(super) fn take_fault(&mut self, event: FaultEvent) {
        match event {
            FaultEvent::Lost { count } => self.tell(Input::FaultsLost(count)),
            FaultEvent::Sampled(fault) => {
                self.tell(Input::Fault {
                    tgid: fault.tgid,
                    has_window: fault.window.is_some(),
                });
                if let Some(process) = self.fault.take()
                    && !self.unwind_fault(process, fault)
                {
                    self.tell(Input::FaultRefused);
                }
            }
        }
    }

    fn unwind_fault(&mut self, process: ProcessId, fault: Fault) -> bool {
        let Fault {
            stamp,
            address,
            window: Some(window),
            ..
        } = fault
        else {
            return false;
        };
        self.origins.request(origin::Work {
            target: UnwindTarget::Touch { address, stamp },
            process,
            stamp,
            window,
            wide: None,
        })
    }

    /// Takes what the threads that unwind and name have to say.
    pub(super) fn heard(&mut self, answer: origin::Answer) {
        self.hear(answer);
        for _ in 1..ANSWERS {
            let Some(answer) = self.origins.try_next() else {
                return;
            };
            self.hear(answer);
        }
    }

    fn hear(&mut self, answer: origin::Answer) {
        if let Some(input) = self.origins.input(answer, kernel::now()) {
            self.tell(input);
        }
    }

    /// Takes what `/proc` says.
    pub(super) fn answered(&mut self, answer: Answer) {
        let at = kernel::now();
        self.tell(Input::Answered { at, answer });
    }

    /// Tells something that the engine knows nothing of.
    pub(super) fn report(&mut self, report: Report) {
        self.out.report(report);
    }

    pub(super) fn take_dead(&mut self) -> HashMap<TableId, Stamp> {
        std::mem::take(&mut self.dead)
    }

    pub(super) fn take_forgotten(&mut self) -> Vec<ProcessId> {
        std::mem::take(&mut self.forgotten)
    }

    pub(super) fn take_resume(&mut self) -> bool {
        std::mem::take(&mut self.resume)
    }
}
