//! Every sink behind a bounded queue and a thread of its own.
//!
//! [`Hub::report`] never waits: a reader that is slow, a disk that is full and a terminal that is
//! stopped hold up their own thread and nothing else. What does not fit into a queue falls off,
//! least important first (`backlog`); the sink is told how much, and its summary counts it.
//!
//! This owns threads and queues. It decides nothing about findings, and the sinks decide how they
//! look.

mod backlog;
mod debts;
mod estimate;
mod line;
mod open;
mod outcome;
mod queue;
mod snapshot;
mod stream;
mod vital;
mod writer;

#[cfg(test)]
mod tests;

use std::{fmt, io, os::fd::RawFd, sync::Arc, time::Duration};

pub use self::{
    backlog::{DROPPED, Limits},
    open::open,
    outcome::{Outcome, SinkOutcome},
    snapshot::{SinkStatus, Snapshot, SnapshotCell, Target},
};
use self::{
    line::ProgressLine,
    queue::Queue,
    vital::{Bell, Vital},
};
use crate::{
    model::report::{Progress, Report},
    output::Sink,
};

/// How long the end waits for a reader that takes nothing.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Default)]
pub struct Hub {
    outlets: Vec<Outlet>,
    progress: Option<ProgressLine>,
    bell: Arc<Bell>,
    /// Descriptors of the output.
    fds: Vec<RawFd>,
    /// Findings only, and what became of them.
    quiet: bool,
}

/// One sink.
struct Outlet {
    name: String,
    queue: Arc<Queue>,
}

impl fmt::Debug for Outlet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Outlet");
        shown.field("name", &self.name).finish_non_exhaustive()
    }
}

/// Ends a [`Hub::finish`] that waits, from another thread.
#[derive(Clone, Debug)]
pub struct Abandon(Arc<Bell>);

impl Abandon {
    /// What is not written yet is given up.
    pub fn abandon(&self) {
        self.0.abandon();
    }
}

impl Hub {
    /// Without a sink.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sink; the name is for messages, as `findings.jsonl` or `standard output`.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        limits: Limits,
        sink: Box<dyn Sink + Send>,
    ) -> io::Result<()> {
        let vital = self.vital();
        self.add_with(name.into(), limits, sink, vital)
    }

    fn add_with(
        &mut self,
        name: String,
        limits: Limits,
        sink: Box<dyn Sink + Send>,
        vital: Arc<Vital>,
    ) -> io::Result<()> {
        let queue = Arc::new(Queue::new(limits, vital));
        writer::spawn(Arc::clone(&queue), sink)?;
        self.outlets.push(Outlet { name, queue });
        Ok(())
    }

    fn vital(&self) -> Arc<Vital> {
        Arc::new(Vital::new(Arc::clone(&self.bell)))
    }

    /// Tells every sink, in its own time. Never waits.
    pub fn report(&self, report: Arc<Report>) {
        if self.quiet && is_frame(&report) {
            return;
        }
        for outlet in &self.outlets {
            outlet.queue.push(Arc::clone(&report));
        }
    }

    /// Shows how far it has come, where there is a terminal for that.
    pub fn progress(&self, progress: Progress) {
        if let Some(line) = &self.progress {
            line.show(progress);
        }
    }

    /// Whether there is one.
    pub fn has_progress(&self) -> bool {
        self.progress.is_some()
    }

    /// What sinks hold back to show it together is shown; to be called when no report came for a
    /// while.
    pub fn flush(&self) {
        for outlet in &self.outlets {
            outlet.queue.flush();
        }
    }

    /// Every sink has ended early: nobody reads any more.
    pub fn is_broken(&self) -> bool {
        let mut queues = self.outlets.iter().map(|outlet| &outlet.queue);
        !self.outlets.is_empty() && queues.all(|queue| queue.has_failed())
    }

    /// How far each sink has come.
    pub fn status(&self) -> Vec<SinkStatus> {
        self.outlets.iter().map(Outlet::status).collect()
    }

    /// Descriptors of the output, for whoever must not keep them open.
    pub fn fds(&self) -> &[RawFd] {
        &self.fds
    }

    /// Ends a [`Self::finish`] from another thread.
    pub fn abandon(&self) -> Abandon {
        Abandon(Arc::clone(&self.bell))
    }

    /// No report follows. Waits until everything is written; a sink that has written nothing for
    /// `patience` is given up, and its thread with it.
    pub fn finish(&self, patience: Duration) -> Outcome {
        self.close();
        self.bell.wait(&self.vitals(), patience);
        Outcome::new(self.outlets.iter().map(Outlet::outcome).collect())
    }

    fn close(&self) {
        for outlet in &self.outlets {
            outlet.queue.close();
        }
        if let Some(line) = &self.progress {
            line.close();
        }
    }

    fn vitals(&self) -> Vec<Arc<Vital>> {
        let sinks = self.outlets.iter().map(|outlet| outlet.queue.vital());
        let line = self.progress.iter().map(ProgressLine::vital);
        sinks.chain(line).map(Arc::clone).collect()
    }
}

/// Threads must not wait for a hub that is gone.
impl Drop for Hub {
    fn drop(&mut self) {
        self.close();
    }
}

/// What stands around the findings.
fn is_frame(report: &Report) -> bool {
    matches!(
        report,
        Report::Started(_) | Report::Census(_) | Report::RunSummary(_) | Report::Stopped(_)
    )
}

impl Outlet {
    fn status(&self) -> SinkStatus {
        let counts = self.queue.counts();
        SinkStatus {
            name: self.name.clone(),
            waiting: counts.waiting,
            dropped: counts.dropped,
            ended: self.queue.vital().has_ended(),
        }
    }

    fn outcome(&self) -> SinkOutcome {
        let counts = self.queue.counts();
        SinkOutcome {
            name: self.name.clone(),
            stuck: !self.queue.vital().has_ended(),
            dropped: counts.dropped,
            undelivered: counts.waiting,
            error: self.queue.take_error(),
        }
    }
}
