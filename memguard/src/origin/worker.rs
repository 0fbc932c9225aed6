//! The unwinding thread.

use std::{
    io,
    path::PathBuf,
    rc::Rc,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::Duration,
};

use hashbrown::HashSet;

use super::{
    Answer, Counters, ModuleSource, ReadModules, Work, add, enter,
    image::Images,
    layout::Layout,
    leave,
    modules::{Modules, Unknown},
    naming,
    queue::TASKS,
    stacks::Stacks,
    unwind::{Unwinder, Unwound},
    with_deadline::DeadlineThread,
};
use crate::{
    model::{
        ids::{ProcessId, Stamp},
        origin::{Incomplete, Mapping, StackId, Window},
    },
    source::procfs::Procfs,
};

/// Tasks that are taken at most before the side-band is read again.
const BATCH: usize = 256;

/// How long the side-band is left alone where there is nothing to unwind and nobody rings: its
/// rings must not overflow.
const PAUSE: Duration = Duration::from_millis(100);

/// How long where somebody rings. Not for ever: whoever reads also sees that CPUs came online.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// How often a list of modules is tried to be completed: of the process and its parents.
const TRIES: usize = 8;

/// What the agent asks for.
#[derive(Debug)]
pub(super) enum Task {
    Unwind(Work),
    Barrier(u64),
    Name {
        ticket: u64,
        stacks: Vec<StackId>,
        process: ProcessId,
    },
    Forget(HashSet<ProcessId>),
    /// The side-band has much to read.
    Look,
}

impl Task {
    /// Gives its place in the queue back; that of a request is given back by who answers it.
    pub(super) fn taken(&self, counters: &Counters) {
        match self {
            Self::Unwind(_) => leave(&counters.windows),
            Self::Barrier(_) => leave(&counters.barriers),
            Self::Forget(_) => leave(&counters.forgets),
            Self::Look => leave(&counters.looks),
            Self::Name { .. } => {}
        }
    }
}

/// Starts the thread; it ends when the sender is dropped, or nobody takes answers.
pub(super) fn start(
    modules: ModuleSource,
    procfs: PathBuf,
    names: SyncSender<naming::Request>,
    answers: tokio::sync::mpsc::Sender<Answer>,
    counters: Arc<Counters>,
) -> io::Result<Arc<SyncSender<Task>>> {
    let (sender, tasks) = mpsc::sync_channel(TASKS);
    let sender = Arc::new(sender);
    let ModuleSource { read, wait } = modules;
    let pause = if wait.is_some() { LONG_PAUSE } else { PAUSE };
    if let Some(wait) = wait {
        let (sender, counters) = (Arc::downgrade(&sender), Arc::clone(&counters));
        let run = move || ring(wait, &sender, &counters);
        thread::Builder::new().name("side-band".into()).spawn(run)?;
    }
    let run = move || {
        Worker {
            sideband: read,
            modules: Modules::default(),
            unwinder: Unwinder::new(Images::new(procfs.clone())),
            procfs,
            files: DeadlineThread::new(),
            stacks: Stacks::new(),
            names,
            answers,
            counters,
        }
        .run(&tasks, pause);
    };
    thread::Builder::new().name("origins".into()).spawn(run)?;
    Ok(sender)
}

/// Tells the worker to look, as long as there is one, and unless it has been told already.
fn ring(mut wait: Box<dyn FnMut() + Send>, worker: &Weak<SyncSender<Task>>, counters: &Counters) {
    loop {
        wait();
        let Some(worker) = worker.upgrade() else {
            return;
        };
        if enter(&counters.looks, 1) && worker.try_send(Task::Look).is_err() {
            // Where it is gone, the next look finds out; where it has too much to do, it looks
            // after that by itself.
            leave(&counters.looks);
        }
    }
}

struct Worker {
    sideband: ReadModules,
    modules: Modules,
    unwinder: Unwinder,
    procfs: PathBuf,
    files: DeadlineThread,
    stacks: Stacks,
    names: SyncSender<naming::Request>,
    answers: tokio::sync::mpsc::Sender<Answer>,
    counters: Arc<Counters>,
}

impl Worker {
    fn run(mut self, tasks: &Receiver<Task>, pause: Duration) {
        while let Some(batch) = take(tasks, pause) {
            self.read_sideband();
            for task in batch {
                if !self.perform(task) {
                    return;
                }
            }
            self.count();
        }
    }

    /// Everything that was written before the tasks at hand were requested.
    fn read_sideband(&mut self) {
        let Self {
            sideband, modules, ..
        } = self;
        sideband(&mut |event| modules.take(event));
        modules.settle();
    }

    /// False where nobody takes the answer any more.
    fn perform(&mut self, task: Task) -> bool {
        task.taken(&self.counters);
        let answer = match task {
            Task::Unwind(work) => return self.unwind(&work),
            Task::Barrier(number) => Answer::Barrier(number),
            Task::Name {
                ticket,
                stacks,
                process,
            } => return self.name(ticket, &stacks, process),
            Task::Forget(processes) => {
                for process in processes {
                    self.modules.forget(process.tgid);
                }
                return true;
            }
            // Was done before this batch.
            Task::Look => return true,
        };
        self.answers.blocking_send(answer).is_ok()
    }

    fn name(&mut self, ticket: u64, stacks: &[StackId], process: ProcessId) -> bool {
        let stacks = stacks.iter().filter_map(|id| self.stacks.get(*id).cloned());
        let request = naming::Request {
            ticket,
            stacks: stacks.collect(),
            process,
        };
        self.names.send(request).is_ok()
    }

    /// False where nobody takes the answers any more.
    fn unwind(&mut self, work: &Work) -> bool {
        let layout = self.layout(work.process, work.stamp);
        let unwound = self.follow(&work.window, work.process, layout.as_deref());
        add(&self.counters.unwound, 1);
        let incomplete = unwound.incomplete.is_some();
        add(&self.counters.incomplete, incomplete.into());
        let ended_early = unwound.incomplete == Some(Incomplete::WindowEnded);
        let wide = work.wide.as_ref().filter(|_| ended_early);
        let wide = wide.map(|wide| self.follow(wide, work.process, layout.as_deref()));
        let whole = wide.filter(|wide| wide.continues(&unwound));
        let short = self.stacks.intern(unwound.without_recursion());
        let answer = Answer::Unwound {
            target: work.target,
            process: work.process,
            stack: short,
            ended_early: ended_early.then_some((work.window.ip, work.window.sp)),
        };
        let sent = self.answers.blocking_send(answer).is_ok();
        sent && whole.is_none_or(|whole| self.tell_whole(work, short, whole))
    }

    fn tell_whole(&mut self, work: &Work, short: StackId, whole: Unwound) -> bool {
        add(&self.counters.widened, 1);
        let answer = Answer::WholeStack {
            target: work.target,
            process: work.process,
            stamp: work.stamp,
            short,
            whole: self.stacks.intern(whole.without_recursion()),
        };
        self.answers.blocking_send(answer).is_ok()
    }

    fn follow(&mut self, window: &Window, process: ProcessId, layout: Option<&Layout>) -> Unwound {
        let Some(layout) = layout else {
            return Unwound {
                frames: Vec::new(),
                incomplete: Some(Incomplete::ProcessGone),
            };
        };
        let parent = self.modules.parent(process.tgid);
        let processes: Vec<_> = [process.tgid].into_iter().chain(parent).collect();
        self.unwinder.unwind(window, layout, &processes)
    }

    /// What a process had mapped at a moment.
    fn layout(&mut self, process: ProcessId, at: Stamp) -> Option<Rc<Layout>> {
        for _ in 0..TRIES {
            let (tgid, moment) = match self.modules.layout(process.tgid, at) {
                Ok(layout) => return Some(layout).filter(|layout| !layout.is_empty()),
                Err(Unknown::Gone) => return None,
                Err(Unknown::Unread(tgid, moment)) => (tgid, moment),
            };
            if !self.learn(tgid, moment, process) && tgid != process.tgid {
                // The parent has gone; what its child has now is nearly what it began with.
                self.learn(process.tgid, at, process);
            }
        }
        None
    }

    /// Reads what a process has mapped now; false where it has gone.
    fn learn(&mut self, tgid: u32, at: Stamp, process: ProcessId) -> bool {
        let mappings = self.read(tgid, process).unwrap_or_default();
        let found = !mappings.is_empty();
        self.read_sideband();
        if found || tgid == process.tgid {
            self.modules.learn(tgid, at, mappings);
        }
        found
    }

    /// `None` where it is not the process any more that had the number.
    fn read(&mut self, tgid: u32, process: ProcessId) -> Option<Vec<Mapping>> {
        let root = self.procfs.clone();
        let read = move || {
            let procfs = Procfs::new(root);
            let mappings = procfs.mappings(tgid).ok()?;
            let identity = procfs.identity(tgid).ok()?;
            (tgid != process.tgid || identity == process).then_some(mappings)
        };
        self.files.with_deadline(read)?
    }

    fn count(&self) {
        let Counters {
            stacks_evicted,
            images_evicted,
            processes_evicted,
            mappings_dropped,
            sideband_lost,
            ..
        } = &*self.counters;
        let losses = self.modules.losses;
        let set = |counter: &AtomicU64, count| counter.store(count, Ordering::Relaxed);
        set(stacks_evicted, self.stacks.evicted);
        set(images_evicted, self.unwinder.evicted());
        set(processes_evicted, losses.processes_evicted);
        set(mappings_dropped, losses.mappings_dropped);
        set(sideband_lost, losses.sideband_lost);
    }
}

/// Waits for tasks and takes what is there; `None` when there will be no more.
fn take(tasks: &Receiver<Task>, pause: Duration) -> Option<Vec<Task>> {
    let first = match tasks.recv_timeout(pause) {
        Ok(task) => task,
        Err(RecvTimeoutError::Timeout) => return Some(Vec::new()),
        Err(RecvTimeoutError::Disconnected) => return None,
    };
    let more = tasks.try_iter().take(BATCH - 1);
    Some([first].into_iter().chain(more).collect())
}
