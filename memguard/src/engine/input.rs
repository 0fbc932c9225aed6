//! What the engine is told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    judge::question::Answer,
    ledger::AcquisitionId,
    model::{
        event::{Acquired, Event},
        ids::{ProcessId, Stamp},
        origin::{NamedStack, StackId},
    },
};

/// One thing that the engine is told. Everything that it knows of the world comes through here, so
/// that a run can be recorded and replayed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Input {
    /// A record of the kernel.
    Event(Event),
    /// It is known where something was acquired.
    Attributed {
        /// What.
        acquisition: AcquisitionId,
        /// Where.
        stack: StackId,
    },
    /// More is known of the stack of something that was acquired, which was told before.
    WholeStack {
        /// What.
        acquisition: AcquisitionId,
        /// Who acquired it.
        process: ProcessId,
        /// When.
        stamp: Stamp,
        /// Its stack, as it was told.
        short: StackId,
        /// The same, followed further out.
        whole: StackId,
    },
    /// Something was acquired and released before it left the nursery, as others before it that
    /// nobody saw. Its stack is told like that of any acquisition.
    DiedYoung {
        /// What.
        acquired: Acquired,
        /// It was seen alive first.
        lingered: bool,
    },
    /// What a process that was running when memguard came has open.
    Seeded {
        /// Who.
        process: ProcessId,
        /// Its parent's thread group.
        parent: Option<u32>,
        /// Descriptors.
        open: Vec<u32>,
    },
    /// A page fault of a watched process was sampled.
    Fault {
        /// Thread group.
        tgid: u32,
        /// Its stack was copied.
        has_window: bool,
    },
    /// The stack of a sampled page fault is unwound.
    FaultUnwound {
        /// Who touched it.
        process: ProcessId,
        /// What.
        address: u64,
        /// When.
        stamp: Stamp,
        /// From where.
        stack: StackId,
    },
    /// A page fault that was to be unwound found no room.
    FaultRefused,
    /// Samples of page faults were lost.
    FaultsLost(u64),
    /// Stacks have names.
    Named {
        /// When.
        at: Stamp,
        /// Which.
        stacks: Vec<Arc<NamedStack>>,
    },
    /// What did not reach the agent, so far.
    Losses {
        /// When that was read.
        at: Stamp,
        /// Counters that mean that something was missed.
        counters: Vec<(String, u64)>,
        /// Events lost by process; `None` where nothing was lost since the last time.
        by_process: Option<Vec<(ProcessId, u64)>>,
    },
    /// What did not reach the agent could not be read.
    LossesUnreadable {
        /// When.
        at: Stamp,
        /// Why.
        why: String,
    },
    /// The nursery is about to be swept.
    SweepBegins,
    /// The sweep is over, the ring is drained past it, and every stack in it is unwound.
    Swept {
        /// When.
        at: Stamp,
        /// Up to when it took every record.
        cutoff: Stamp,
    },
    /// Go on, after an [`Effect::Resume`](crate::engine::Effect::Resume).
    Resume,
    /// It is time to judge.
    Tick(Stamp),
    /// A question is answered.
    Answered {
        /// When.
        at: Stamp,
        /// How.
        answer: Answer,
    },
    /// `run`: the command has ended and the grace is over; what still runs is judged as it stands.
    GraceOver(Stamp),
    /// It has been waited for long enough: what waits for names or peers is told without them.
    Hurry(Stamp),
    /// Nothing more comes from the kernel: what was not worth an update is told once more.
    Ended(Stamp),
    /// Baselines of all processes are wanted.
    SaveBaselines(Stamp),
}
