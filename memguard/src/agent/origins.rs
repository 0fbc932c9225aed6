//! The threads that unwind and name, as the agent uses them; also where there are none.

use memguard_common::wide;

use super::wide_windows::WideWindows;
use crate::{
    decode,
    engine::Input,
    model::{
        ids::{ProcessId, Stamp},
        origin::StackId,
        status::{Component, ComponentStatus},
    },
    origin::{Answer, ModuleSource, Origins, UnwindTarget, Work},
    source::kernel::sideband::Sideband,
};

/// Most handles between two sweeps that are told of because their window ended too early.
const EARLY_ENDS: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct OriginClient {
    origins: Option<Origins>,
    /// The side-band's; where there is no origin at all, why.
    pub(super) status: ComponentStatus,
    /// The last barrier that was passed.
    passed: u64,
    tickets: u64,
    wide: WideWindows,
    early_ends: Vec<(ProcessId, u64)>,
}

impl OriginClient {
    /// Starts the threads. What cannot be had is said once: memguard goes on without it.
    pub(super) fn start() -> Self {
        let sideband = Sideband::open();
        let mut status = ComponentStatus::of(Component::Sideband, &sideband);
        let mut sideband = sideband.ok();
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
            .inspect_err(|error| status = ComponentStatus::unavailable(Component::Origins, error))
            .ok();
        Self {
            origins,
            status,
            passed: 0,
            tickets: 0,
            wide: WideWindows::default(),
            early_ends: Vec::new(),
        }
    }

    /// Whether stacks are unwound and named at all.
    pub(super) fn are_available(&self) -> bool {
        self.origins.is_some()
    }

    /// Something to say; never where there are no threads.
    pub(super) async fn next(&mut self) -> Answer {
        match &mut self.origins {
            Some(origins) => origins.next().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn try_next(&mut self) -> Option<Answer> {
        self.origins.as_mut()?.try_next()
    }

    /// What the engine is to be told of an answer.
    pub(super) fn input(&mut self, answer: Answer, at: Stamp) -> Option<Input> {
        match answer {
            Answer::Unwound {
                target,
                process,
                stack,
                ended_early,
            } => {
                self.note_early_end(process, target, ended_early);
                Some(told(target, process, stack))
            }
            Answer::WholeStack {
                target: UnwindTarget::Acquisition(acquisition),
                process,
                stamp,
                short,
                whole,
            } => Some(Input::WholeStack {
                acquisition,
                process,
                stamp,
                short,
                whole,
            }),
            // Only of what is held it is worth to know.
            Answer::WholeStack { .. } => None,
            Answer::Named { stacks, .. } => Some(Input::Named { at, stacks }),
            Answer::Barrier(number) => {
                self.passed = number;
                None
            }
        }
    }

    /// Only of what is held, and not of page faults, whose windows have another source.
    fn note_early_end(
        &mut self,
        process: ProcessId,
        target: UnwindTarget,
        ended_early: Option<(u64, u64)>,
    ) {
        if let (UnwindTarget::Acquisition(_), Some((ip, sp))) = (target, ended_early)
            && self.early_ends.len() < EARLY_ENDS
        {
            let key = wide::site_key(process.tgid, ip, sp);
            self.early_ends.push((process, key));
        }
    }

    /// At which sites windows ended too early since the last time, one for each handle.
    pub(super) fn take_early_ends(&mut self) -> Vec<(ProcessId, u64)> {
        std::mem::take(&mut self.early_ends)
    }

    /// Keeps more of the stack of something that was acquired, until it is to be unwound.
    pub(super) fn keep_wide(&mut self, wide: decode::WideWindow) {
        self.wide.keep(wide);
    }

    /// What was acquired up to `cutoff` and has not come is not waited for any more.
    pub(super) fn swept(&mut self, cutoff: Stamp) {
        self.wide.swept(cutoff);
    }

    /// Has a window unwound, where one was copied.
    pub(super) fn unwind(
        &mut self,
        target: UnwindTarget,
        process: ProcessId,
        stamp: Stamp,
        record: &[u8],
    ) {
        let wide = self.wide.take(process, stamp);
        let Some(window) = decode::window(record) else {
            return;
        };
        // Refused ones are counted there.
        let _queued = self.request(Work {
            target,
            process,
            stamp,
            window,
            wide,
        });
    }

    /// Asks for a window to be unwound; false where there is nobody to ask, or no room.
    pub(super) fn request(&mut self, work: Work) -> bool {
        let origins = self.origins.as_mut();
        origins.is_some_and(|origins| origins.unwind(work))
    }

    /// Asks for names. Refused requests are counted there, and waited for in vain.
    pub(super) fn name(&mut self, process: ProcessId, stacks: Vec<StackId>) {
        if let Some(origins) = &mut self.origins {
            self.tickets += 1;
            origins.name(self.tickets, stacks, process);
        }
    }

    /// Nobody will ask for this process again.
    pub(super) fn forget(&mut self, process: ProcessId) {
        if let Some(origins) = &mut self.origins {
            origins.forget(process);
        }
    }

    /// A number that is passed when everything that was requested so far, but names, is answered.
    pub(super) fn barrier(&mut self) -> u64 {
        self.origins.as_mut().map_or(0, Origins::barrier)
    }

    /// Whether that is so.
    pub(super) fn has_passed(&self, barrier: u64) -> bool {
        barrier <= self.passed
    }

    /// Counters for the summary.
    pub(super) fn counters(&self) -> Vec<(String, u64)> {
        let Some(origins) = &self.origins else {
            return Vec::new();
        };
        let counts = origins.counts();
        // Rare, and said only where it is.
        let rare = [
            ("origins.forgets_dropped", counts.forgets_dropped),
            ("origins.widened", counts.widened),
            ("windows.wide_dropped", self.wide.dropped),
        ];
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
        .into_iter()
        .chain(rare.into_iter().filter(|(_, count)| *count > 0))
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
    }
}

fn told(target: UnwindTarget, process: ProcessId, stack: StackId) -> Input {
    match target {
        UnwindTarget::Acquisition(acquisition) | UnwindTarget::Released(acquisition) => {
            Input::Attributed { acquisition, stack }
        }
        UnwindTarget::Touch { address, stamp } => Input::FaultUnwound {
            process,
            address,
            stamp,
            stack,
        },
    }
}
