//! Work that may never end is done by another thread, with a deadline: a file of a process may lie
//! on a file system whose server does not answer, and so may the memory that `/proc` looks into.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, SyncSender},
    },
    thread,
    time::Duration,
};

/// How long one piece of work may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// Most threads, all but one of which are stuck; beyond it nothing is tried any more until one of
/// them gets on.
const THREADS: usize = 8;

type Job = Box<dyn FnOnce() + Send>;

/// See the module.
#[derive(Debug)]
pub(super) struct DeadlineThread {
    jobs: Option<SyncSender<Job>>,
    /// Every thread holds one.
    threads: Arc<()>,
    deadline: Duration,
}

impl DeadlineThread {
    pub(super) fn new() -> Self {
        Self {
            jobs: None,
            threads: Arc::default(),
            deadline: DEADLINE,
        }
    }

    /// What `work` comes to; `None` where it is late, and then its thread is left to itself.
    pub(super) fn with_deadline<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, result) = mpsc::sync_channel(1);
        // Where this is too late, nobody waits for the result any more.
        let job = move || drop(sender.send(work()));
        self.jobs()?.send(Box::new(job)).ok()?;
        let result = result.recv_timeout(self.deadline).ok();
        if result.is_none() {
            self.jobs = None;
        }
        result
    }

    fn jobs(&mut self) -> Option<&SyncSender<Job>> {
        if self.jobs.is_none() && Arc::strong_count(&self.threads) <= THREADS {
            self.jobs = self.start().ok();
        }
        self.jobs.as_ref()
    }

    fn start(&self) -> io::Result<SyncSender<Job>> {
        let (sender, jobs) = mpsc::sync_channel::<Job>(1);
        let alive = Arc::clone(&self.threads);
        let run = move || {
            for job in jobs {
                job();
            }
            drop(alive);
        };
        thread::Builder::new().name("files".into()).spawn(run)?;
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_left_behind_and_the_next_has_another_thread() {
        let mut thread = DeadlineThread::new();
        assert_eq!(thread.with_deadline(|| 7), Some(7));
        thread.deadline = Duration::from_millis(20);
        let (go, wait) = mpsc::channel::<()>();
        assert_eq!(thread.with_deadline(move || wait.recv().is_err()), None);
        thread.deadline = DEADLINE;
        assert_eq!(thread.with_deadline(|| 8), Some(8));
        drop(go);
    }

    #[test]
    fn the_number_of_threads_is_bounded() {
        let mut thread = DeadlineThread::new();
        thread.deadline = Duration::from_millis(20);
        let mut stuck = Vec::new();
        for _ in 0..THREADS {
            let (go, wait) = mpsc::channel::<()>();
            assert_eq!(thread.with_deadline(move || wait.recv().is_err()), None);
            stuck.push(go);
        }
        thread.deadline = DEADLINE;
        assert_eq!(thread.with_deadline(|| 8), None);
        drop(stuck);
        let end = std::time::Instant::now() + Duration::from_secs(10);
        while Arc::strong_count(&thread.threads) > 1 && std::time::Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(thread.with_deadline(|| 9), Some(9));
    }
}
