//! The thread that writes what waits for one sink.

use std::{io, sync::Arc, thread};

use super::{backlog::Step, queue::Queue};
use crate::output::Sink;

/// Starts the thread. It is not joined: one that is stuck in a write must not keep memguard from
/// ending, and [`Queue::end`] tells when it is done.
pub(super) fn spawn(queue: Arc<Queue>, sink: Box<dyn Sink + Send>) -> io::Result<()> {
    let thread = thread::Builder::new().name("output".to_owned());
    let handle = thread.spawn(move || {
        let mut end = End::of(&queue);
        end.result = write(&queue, sink);
    })?;
    drop(handle);
    Ok(())
}

fn write(queue: &Queue, mut sink: Box<dyn Sink + Send>) -> io::Result<()> {
    while let Some(step) = queue.next() {
        match step {
            Step::Report(report) => sink.report(&report)?,
            Step::Flush => sink.flush()?,
        }
        queue.vital().beat();
    }
    sink.finish()
}

/// Tells the queue that the thread ends, also where it panics.
struct End<'a> {
    queue: &'a Queue,
    result: io::Result<()>,
}

impl<'a> End<'a> {
    fn of(queue: &'a Queue) -> Self {
        let result = Err(io::Error::other("the thread that writes has panicked"));
        Self { queue, result }
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.queue.end(std::mem::replace(&mut self.result, Ok(())));
    }
}
