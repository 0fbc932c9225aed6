//! Takes in what happened: records of the kernel, stacks, faults, sweeps.

use std::collections::VecDeque;

use super::{Effect, Engine};
use crate::{
    judge::{
        Context, context::whole_stacks::Sample, fault_samples::FaultSample, question::Question,
    },
    ledger::AcquisitionId,
    model::{
        event::Event,
        ids::{ProcessId, Stamp},
        memory::{Attached, SegmentSize},
        origin::StackId,
    },
};

/// Most attachments that wait for the size of their segment; the oldest goes on without.
const ATTACHING: usize = 1024;

/// Attachments of segments whose size nobody has told of: they were made before memguard came, or
/// by somebody who is not watched.
#[derive(Debug, Default)]
pub(super) struct Attaching(VecDeque<(Attached, Option<StackId>)>);

impl Attaching {
    fn push(&mut self, attached: Attached) -> Option<(Attached, Option<StackId>)> {
        self.0.push_back((attached, None));
        (self.0.len() > ATTACHING)
            .then(|| self.0.pop_front())
            .flatten()
    }

    fn is_asked(&self, segment: i32) -> bool {
        self.0.iter().any(|(waiting, _)| waiting.segment == segment)
    }

    fn attribute(&mut self, acquisition: AcquisitionId, stack: StackId) -> bool {
        let AcquisitionId::Mapping(id) = acquisition else {
            return false;
        };
        let waiting = self.0.iter_mut().find(|(attached, _)| attached.id() == id);
        waiting.map(|(_, place)| *place = Some(stack)).is_some()
    }

    /// The process has ended, and its memory with it.
    pub(super) fn forget(&mut self, process: ProcessId) {
        self.0.retain(|(attached, _)| attached.process != process);
    }

    /// Whether one of a process waits; for tests.
    pub(super) fn mentions(&self, process: ProcessId) -> bool {
        let mut waiting = self.0.iter();
        waiting.any(|(attached, _)| attached.process == process)
    }

    fn take(&mut self, segment: i32) -> Vec<(Attached, Option<StackId>)> {
        let (sized, others) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|(attached, _)| attached.segment == segment);
        self.0 = others;
        Vec::from_iter::<VecDeque<_>>(sized)
    }
}

impl Engine {
    pub(super) fn apply(&mut self, event: Event) {
        if let Event::Attached(attached) = event
            && !self.context.ledger.memory.knows_segment(attached.segment)
        {
            return self.ask_size(attached);
        }
        if let Event::Created(created) = event {
            return self.object_created(created);
        }
        self.context.ledger.apply(event);
    }

    fn ask_size(&mut self, attached: Attached) {
        if !self.attaching.is_asked(attached.segment) {
            let size = Question::SegmentSize(attached.segment);
            self.effects.push(Effect::Ask(size));
        }
        if let Some((oldest, stack)) = self.attaching.push(attached) {
            self.attach(oldest, stack);
        }
    }

    pub(super) fn segment_sized(&mut self, id: i32, bytes: Option<u64>) {
        if let Some(bytes) = bytes {
            self.context
                .ledger
                .memory
                .segment(SegmentSize { id, bytes });
        }
        for (attached, stack) in self.attaching.take(id) {
            self.attach(attached, stack);
        }
    }

    fn attach(&mut self, attached: Attached, stack: Option<StackId>) {
        self.context.ledger.apply(Event::Attached(attached));
        if let Some(stack) = stack {
            let id = AcquisitionId::Mapping(attached.id());
            self.context.ledger.attribute(id, stack);
        }
    }

    pub(super) fn attribute(&mut self, acquisition: AcquisitionId, stack: StackId) {
        if let AcquisitionId::Object(object) = acquisition {
            return self.persistent.attribute(object, stack);
        }
        if self.take_short_lived(acquisition, stack) {
            return;
        }
        if !self.attaching.attribute(acquisition, stack) {
            self.context.ledger.attribute(acquisition, stack);
        }
    }

    pub(super) fn learn_whole_stack(&mut self, process: ProcessId, short: StackId, sample: Sample) {
        if self.is_there(process) {
            let Context {
                whole_stacks,
                ledger,
                ..
            } = &mut self.context;
            whole_stacks.learn(process, short, sample, |id| ledger.holds(id));
        }
    }

    /// What was open before memguard came.
    pub(super) fn seed(&mut self, process: ProcessId, parent: Option<u32>, open: Vec<u32>) {
        let open = open.into_iter().collect();
        self.context.ledger.processes.seed(process, parent, open);
    }

    pub(super) fn fault(&mut self, tgid: u32, has_window: bool) {
        let process = self.context.ledger.processes.running_as(tgid);
        let wanted = process.filter(|process| self.fault_sites.sampled(*process, has_window));
        self.effects.extend(wanted.map(Effect::UnwindFault));
    }

    pub(super) fn fault_unwound(
        &mut self,
        process: ProcessId,
        address: u64,
        stamp: Stamp,
        stack: StackId,
    ) {
        let touch = FaultSample::new(address, stamp, stack);
        self.fault_sites.unwound(process, touch);
    }

    /// Whether anybody may ask where this was acquired: of memory that is gone with its process
    /// nobody does.
    pub fn wants_origin(&self, event: &Event) -> Option<(AcquisitionId, ProcessId, Stamp)> {
        match event {
            Event::Acquired(acquired) => {
                let id = AcquisitionId::Handle(acquired.into());
                Some((id, acquired.process, acquired.stamp))
            }
            Event::Mapped(mapped)
                if !self
                    .context
                    .ledger
                    .memory
                    .is_over(mapped.space, mapped.stamp) =>
            {
                let id = AcquisitionId::Mapping(mapped.into());
                Some((id, mapped.process, mapped.stamp))
            }
            Event::Attached(attached) => {
                let id = AcquisitionId::Mapping(attached.id());
                Some((id, attached.process, attached.stamp))
            }
            Event::Created(created) => {
                let id = AcquisitionId::Object(created.id);
                Some((id, created.process, created.stamp))
            }
            _ => None,
        }
    }

    pub(super) fn begin_sweep(&mut self) {
        let sweep = self.context.ledger.begin_sweep();
        self.effects.push(Effect::Sweep(sweep.dead.clone()));
        self.sweep = Some(sweep);
    }
}
