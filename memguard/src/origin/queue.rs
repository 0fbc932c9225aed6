//! The agent's end of the unwinding thread's queue: it is bounded, and nobody waits to get in.
//!
//! Of each kind of task so many may wait, and the queue has room for all of them together. Windows
//! and requests beyond that are refused, which their caller is told; barriers and processes to
//! forget are put together here until there is room.

use std::sync::{
    Arc,
    mpsc::{SyncSender, TrySendError},
};

use hashbrown::HashSet;

use super::{Counters, REQUESTS, WINDOWS, add, enter, leave, modules::PROCESSES, worker::Task};
use crate::model::ids::ProcessId;

/// Most barriers that wait; those that come then are answered together.
const BARRIERS: usize = 16;

/// Most tasks of all kinds that wait, with one for processes to forget and one for the side-band.
pub(super) const TASKS: usize = WINDOWS + REQUESTS + BARRIERS + 2;

/// Most processes to forget that are put together: no more are known.
const FORGOTTEN: usize = PROCESSES;

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    tasks: Arc<SyncSender<Task>>,
    counters: Arc<Counters>,
    forgotten: HashSet<ProcessId>,
    /// The last barrier that has not been sent.
    barrier: Option<u64>,
}

impl Queue {
    pub(super) fn new(tasks: Arc<SyncSender<Task>>, counters: Arc<Counters>) -> Self {
        Self {
            tasks,
            counters,
            forgotten: HashSet::new(),
            barrier: None,
        }
    }

    /// False where there is no room. The place of the task was taken before.
    pub(super) fn send(&mut self, task: Task) -> bool {
        self.flush();
        self.tasks.try_send(task).is_ok()
    }

    /// This barrier, and all before it.
    pub(super) fn send_barrier(&mut self, number: u64) {
        self.barrier = Some(number);
        self.flush();
    }

    /// A process that could not be put with the others is forgotten when room is made for another.
    pub(super) fn forget(&mut self, process: ProcessId) {
        if self.forgotten.len() < FORGOTTEN {
            self.forgotten.insert(process);
        } else if !self.forgotten.contains(&process) {
            add(&self.counters.forgets_dropped, 1);
        }
        self.flush();
    }

    /// Sends what was put together, as far as there is room.
    pub(super) fn flush(&mut self) {
        let barriers = &self.counters.barriers;
        if let Some(number) = self.barrier.take_if(|_| enter(barriers, BARRIERS))
            && self.tasks.try_send(Task::Barrier(number)).is_err()
        {
            leave(barriers);
            self.barrier = Some(number);
        }
        let forgets = &self.counters.forgets;
        if self.forgotten.is_empty() || !enter(forgets, 1) {
            return;
        }
        let task = Task::Forget(std::mem::take(&mut self.forgotten));
        if let Err(TrySendError::Full(task) | TrySendError::Disconnected(task)) =
            self.tasks.try_send(task)
        {
            leave(forgets);
            if let Task::Forget(forgotten) = task {
                self.forgotten = forgotten;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use super::*;

    fn queue(room: usize) -> (Queue, Receiver<Task>) {
        let (sender, tasks) = sync_channel(room);
        (Queue::new(Arc::new(sender), Arc::default()), tasks)
    }

    fn process(tgid: u32) -> ProcessId {
        ProcessId {
            tgid,
            start_ticks: 1,
        }
    }

    /// Takes the next task, as the worker does.
    fn take(queue: &Queue, tasks: &Receiver<Task>) -> Task {
        let task = tasks.try_recv().unwrap();
        task.taken(&queue.counters);
        task
    }

    #[test]
    fn processes_are_forgotten_together_while_nobody_takes_them() {
        let (mut queue, tasks) = queue(TASKS);
        for tgid in 0..1000 {
            queue.forget(process(tgid));
            queue.forget(process(tgid));
        }
        let Task::Forget(first) = take(&queue, &tasks) else {
            panic!("another task");
        };
        assert_eq!(first.len(), 1);
        assert!(tasks.try_recv().is_err(), "one at a time");
        queue.flush();
        let Task::Forget(others) = take(&queue, &tasks) else {
            panic!("another task");
        };
        // The first was forgotten again.
        assert_eq!(others.len(), 1000);
        queue.flush();
        assert!(tasks.try_recv().is_err(), "none is sent twice");
    }

    #[test]
    fn what_is_put_together_is_bounded_and_what_falls_off_is_counted() {
        let (mut queue, tasks) = queue(TASKS);
        for tgid in 0..=FORGOTTEN as u32 + 100 {
            queue.forget(process(tgid));
        }
        // One is on its way.
        assert_eq!(queue.forgotten.len(), FORGOTTEN);
        queue.forget(process(1));
        assert_eq!(queue.counters.snapshot().forgets_dropped, 100);
        drop(tasks);
        queue.flush();
        assert_eq!(queue.forgotten.len(), FORGOTTEN);
    }

    #[test]
    fn a_full_queue_blocks_nobody_and_keeps_what_must_not_be_lost() {
        let (mut queue, tasks) = queue(1);
        assert!(queue.send(Task::Look));
        assert!(!queue.send(Task::Look));
        queue.forget(process(1));
        for number in 1..=3 * BARRIERS as u64 {
            queue.send_barrier(number);
        }
        assert!(matches!(take(&queue, &tasks), Task::Look));
        queue.flush();
        assert!(matches!(take(&queue, &tasks), Task::Barrier(48)));
        queue.flush();
        assert!(matches!(take(&queue, &tasks), Task::Forget(all) if all.len() == 1));
        queue.flush();
        assert!(tasks.try_recv().is_err());
    }

    #[test]
    fn barriers_beyond_the_bound_are_answered_by_the_last() {
        let (mut queue, tasks) = queue(TASKS);
        for number in 1..=100 {
            queue.send_barrier(number);
        }
        let mut numbers = Vec::new();
        while let Ok(task) = tasks.try_recv() {
            task.taken(&queue.counters);
            let Task::Barrier(number) = task else {
                panic!("{task:?}");
            };
            numbers.push(number);
            queue.flush();
        }
        let expected: Vec<_> = (1..=BARRIERS as u64).chain([100]).collect();
        assert_eq!(numbers, expected);
    }
}
