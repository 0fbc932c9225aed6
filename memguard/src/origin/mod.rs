//! From a window of the stack to the line of source that acquired a handle.
//!
//! [`Origins`] is the agent's end of two threads. The first (`worker`) keeps what every process had
//! mapped (`modules`, `layout`), reads the files that code is run from (`image`), unwinds windows
//! (`unwind`) and interns what comes out (`stacks`); it takes about a microsecond a window.
//! What may never end, like a file whose server does not answer, it leaves to another thread
//! (`with_deadline`). The second (`naming`) asks [`symbolize`] for names, which may take seconds,
//! and only for what is reported; [`application`] says which of the named frames are the program's
//! own.
//!
//! Everything that comes from a traced process is untrusted: its stack, its files, the names of
//! its files. Every frame that cannot be proved ends the stack, with a reason.

pub mod application;
mod calls;
mod image;
mod layout;
mod modules;
mod naming;
mod queue;
pub mod sandbox;
mod stacks;
pub mod symbolize;
mod unwind;
mod with_deadline;
mod worker;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::mpsc::Receiver;

use self::{queue::Queue, symbolize::Symbolizer, worker::Task};
use crate::{
    ledger::AcquisitionId,
    model::{
        ids::{ProcessId, Stamp},
        origin::{ModuleEvent, NamedStack, StackId, Window},
    },
};

/// Most windows that wait to be unwound; what comes then goes on without an origin, counted.
pub const WINDOWS: usize = 2048;

/// Most requests for names that wait.
pub const REQUESTS: usize = 1024;

/// Most answers that wait to be taken; the threads wait then.
const ANSWERS: usize = 4096;

/// Gives everything that the side-band holds, in any order, to its argument.
pub type ReadModules = Box<dyn FnMut(&mut dyn FnMut(ModuleEvent)) + Send>;

/// The side-band, as the unwinding thread sees it.
pub struct ModuleSource {
    /// Called before each batch of windows, and now and then.
    pub read: ReadModules,
    /// Returns when there is so much to read that it should not wait; called by a thread of its
    /// own, which ends with the process. Where there is none, `read` is called ten times a second.
    pub wait: Option<Box<dyn FnMut() + Send>>,
}

impl fmt::Debug for ModuleSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ModuleSource")
            .field("waits", &self.wait.is_some())
            .finish_non_exhaustive()
    }
}

impl ModuleSource {
    /// To be asked again and again.
    pub fn asked(read: impl FnMut(&mut dyn FnMut(ModuleEvent)) + Send + 'static) -> Self {
        Self {
            read: Box::new(read),
            wait: None,
        }
    }
}

/// What a window is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnwindTarget {
    /// Something was acquired.
    Acquisition(AcquisitionId),
    /// Likewise, and released before anybody asked.
    Released(AcquisitionId),
    /// New memory was touched.
    Touch {
        /// Where.
        address: u64,
        /// When.
        stamp: Stamp,
    },
}

/// A window to unwind.
#[derive(Debug)]
pub struct Work {
    /// What happened; comes back in the answer.
    pub target: UnwindTarget,
    /// Who did it.
    pub process: ProcessId,
    /// When: which of the process's modules were mapped then.
    pub stamp: Stamp,
    /// What the kernel copied.
    pub window: Window,
    /// More of the same stack, where that was copied too.
    pub wide: Option<Window>,
}

/// What the threads have to say. Stacks and barriers come in the order of their requests; names
/// come when they are there.
#[derive(Debug)]
pub enum Answer {
    /// A window was unwound.
    Unwound {
        /// As in [`Work`].
        target: UnwindTarget,
        /// As in [`Work`].
        process: ProcessId,
        /// What came out; equal stacks have equal numbers.
        stack: StackId,
        /// The copied part ended first: where the acquirer entered the kernel, and its stack
        /// pointer then.
        ended_early: Option<(u64, u64)>,
    },
    /// The wide window of the last answer led further out.
    WholeStack {
        /// As in [`Work`].
        target: UnwindTarget,
        /// As in [`Work`].
        process: ProcessId,
        /// As in [`Work`].
        stamp: Stamp,
        /// The stack of the last answer.
        short: StackId,
        /// That begins with it.
        whole: StackId,
    },
    /// Everything that was requested before [`Origins::barrier`] gave this number is answered,
    /// except names. Where many barriers wait, one answer is for all up to its number.
    Barrier(u64),
    /// Names, for [`Origins::name`].
    Named {
        /// As in the request.
        ticket: u64,
        /// In the order of the request, without those that are forgotten.
        stacks: Vec<Arc<NamedStack>>,
    },
}

/// What the threads have done, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Windows unwound.
    pub unwound: u64,
    /// Of these, stacks that do not reach the program's beginning.
    pub incomplete: u64,
    /// Of these, stacks that a wide window led further out.
    pub widened: u64,
    /// Windows refused because too many were waiting.
    pub dropped: u64,
    /// Requests for names refused because too many were waiting.
    pub unnamed: u64,
    /// Processes that have ended and could not be forgotten at once: too many were waiting for it.
    /// They go when room is needed.
    pub forgets_dropped: u64,
    /// Stacks forgotten to make room for others.
    pub stacks_evicted: u64,
    /// Files forgotten to make room for others; they are read again when they are met again.
    pub images_evicted: u64,
    /// Processes whose modules were forgotten to make room for others.
    pub processes_evicted: u64,
    /// Mappings beyond what is kept of one process.
    pub mappings_dropped: u64,
    /// Records that the side-band lost.
    pub sideband_lost: u64,
}

/// [`Counts`] while they are being counted.
#[derive(Debug, Default)]
struct Counters {
    unwound: AtomicU64,
    incomplete: AtomicU64,
    widened: AtomicU64,
    dropped: AtomicU64,
    unnamed: AtomicU64,
    forgets_dropped: AtomicU64,
    stacks_evicted: AtomicU64,
    images_evicted: AtomicU64,
    processes_evicted: AtomicU64,
    mappings_dropped: AtomicU64,
    sideband_lost: AtomicU64,
    /// Windows that wait, at most [`WINDOWS`].
    windows: AtomicUsize,
    /// Requests for names that wait, at most [`REQUESTS`].
    requests: AtomicUsize,
    /// Barriers, processes to forget and looks at the side-band that wait; see `queue`.
    barriers: AtomicUsize,
    forgets: AtomicUsize,
    looks: AtomicUsize,
}

/// The agent's end. Dropping it ends the threads, and with them the process that names.
#[derive(Debug)]
pub struct Origins {
    tasks: Queue,
    answers: Receiver<Answer>,
    counters: Arc<Counters>,
    barriers: u64,
}

impl Origins {
    /// Starts the threads. `modules` is the side-band; `procfs` is where processes are looked up,
    /// `/proc` in production.
    pub fn start(modules: ModuleSource, procfs: PathBuf) -> io::Result<Self> {
        let symbolizer = Symbolizer::new(procfs.clone());
        Self::with_symbolizer(modules, procfs, symbolizer)
    }

    /// With names from somewhere else, for tests.
    fn with_symbolizer(
        modules: ModuleSource,
        procfs: PathBuf,
        symbolizer: Symbolizer,
    ) -> io::Result<Self> {
        let counters = Arc::<Counters>::default();
        let (answer, answers) = tokio::sync::mpsc::channel(ANSWERS);
        let names = naming::start(symbolizer, answer.clone(), Arc::clone(&counters))?;
        let tasks = worker::start(modules, procfs, names, answer, Arc::clone(&counters))?;
        Ok(Self {
            tasks: Queue::new(tasks, Arc::clone(&counters)),
            answers,
            counters,
            barriers: 0,
        })
    }

    /// Asks for a window to be unwound; false where too many wait, and there will be no answer.
    pub fn unwind(&mut self, work: Work) -> bool {
        let room = enter(&self.counters.windows, WINDOWS);
        if !room {
            add(&self.counters.dropped, 1);
        }
        room && self.tasks.send(Task::Unwind(work))
    }

    /// A number that comes back when everything before it, except names, has been answered.
    pub fn barrier(&mut self) -> u64 {
        self.barriers += 1;
        self.tasks.send_barrier(self.barriers);
        self.barriers
    }

    /// Asks for the names of stacks, whose files and perf maps are looked for through `process`
    /// first; false where too many requests wait, and there will be no answer.
    pub fn name(&mut self, ticket: u64, stacks: Vec<StackId>, process: ProcessId) -> bool {
        let room = enter(&self.counters.requests, REQUESTS);
        if !room {
            add(&self.counters.unnamed, 1);
        }
        room && self.tasks.send(Task::Name {
            ticket,
            stacks,
            process,
        })
    }

    /// Nobody will ask for this process again: it has ended and is judged.
    pub fn forget(&mut self, process: ProcessId) {
        self.tasks.forget(process);
    }

    /// The next answer, where there is one.
    pub fn try_next(&mut self) -> Option<Answer> {
        self.tasks.flush();
        self.answers.try_recv().ok()
    }

    /// The next answer. Safe to give up at any time: none is lost.
    pub async fn next(&mut self) -> Answer {
        self.tasks.flush();
        match self.answers.recv().await {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.counters.snapshot()
    }
}

impl Counters {
    fn snapshot(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            unwound: read(&self.unwound),
            incomplete: read(&self.incomplete),
            widened: read(&self.widened),
            dropped: read(&self.dropped),
            unnamed: read(&self.unnamed),
            forgets_dropped: read(&self.forgets_dropped),
            stacks_evicted: read(&self.stacks_evicted),
            images_evicted: read(&self.images_evicted),
            processes_evicted: read(&self.processes_evicted),
            mappings_dropped: read(&self.mappings_dropped),
            sideband_lost: read(&self.sideband_lost),
        }
    }
}

/// Takes one of `limit` places. Only one thread enters, so nobody overtakes between the two steps.
fn enter(waiting: &AtomicUsize, limit: usize) -> bool {
    let room = waiting.load(Ordering::Relaxed) < limit;
    if room {
        waiting.fetch_add(1, Ordering::Relaxed);
    }
    room
}

/// Gives the place back.
fn leave(waiting: &AtomicUsize) {
    waiting.fetch_sub(1, Ordering::Relaxed);
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}
