//! A backlog between the task that reports and the thread that writes.
//!
//! The lock is held to add or take one report, never while something is written.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use super::{
    backlog::{Backlog, Limits, Step},
    vital::{Vital, lock},
};
use crate::model::report::Report;

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    vital: Arc<Vital>,
}

#[derive(Debug)]
struct State {
    backlog: Backlog,
    /// No report follows.
    closed: bool,
    /// A report was taken and is not written yet.
    in_hand: bool,
    /// Reports that came after the writer had ended.
    late: u64,
    /// The writer ended early.
    failed: bool,
    /// Why.
    error: Option<io::Error>,
}

/// How many reports are where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    /// Not written, and not dropped.
    pub(super) waiting: u64,
    pub(super) dropped: u64,
}

impl Queue {
    pub(super) fn new(limits: Limits, vital: Arc<Vital>) -> Self {
        let state = State {
            backlog: Backlog::new(limits),
            closed: false,
            in_hand: false,
            late: 0,
            failed: false,
            error: None,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            vital,
        }
    }

    pub(super) fn vital(&self) -> &Arc<Vital> {
        &self.vital
    }

    /// Never waits for the writer.
    pub(super) fn push(&self, report: Arc<Report>) {
        let mut state = lock(&self.state);
        if self.vital.has_ended() {
            state.late += 1;
        } else {
            state.backlog.push(report);
            self.changed.notify_one();
        }
    }

    /// What is held back is to be shown after what was added so far.
    pub(super) fn flush(&self) {
        lock(&self.state).backlog.flush();
        self.changed.notify_one();
    }

    /// No report follows.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_one();
    }

    /// Waits for something to do; `None` where nothing will come. What was taken before has been
    /// done.
    pub(super) fn next(&self) -> Option<Step> {
        let mut state = lock(&self.state);
        state.in_hand = false;
        loop {
            if let Some(step) = state.backlog.pop() {
                state.in_hand = matches!(step, Step::Report(_));
                return Some(step);
            }
            if state.closed {
                return None;
            }
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The writer ends.
    pub(super) fn end(&self, result: io::Result<()>) {
        let mut state = lock(&self.state);
        state.failed = result.is_err();
        state.error = result.err();
        drop(state);
        self.vital.end();
    }

    pub(super) fn counts(&self) -> Counts {
        let state = lock(&self.state);
        let waiting = state.backlog.len() as u64 + u64::from(state.in_hand) + state.late;
        Counts {
            waiting,
            dropped: state.backlog.dropped(),
        }
    }

    /// Why the writer ended early; told once.
    pub(super) fn take_error(&self) -> Option<io::Error> {
        lock(&self.state).error.take()
    }

    /// Whether the writer ended early.
    pub(super) fn has_failed(&self) -> bool {
        self.vital.has_ended() && lock(&self.state).failed
    }
}
