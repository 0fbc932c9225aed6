//! Whether a writer still gets somewhere, and the wait for its end.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

/// How often a wait looks whether a writer has got further. Its end is told at once.
const LOOK: Duration = Duration::from_millis(50);

/// A lock that a panic of another thread does not break: what is behind it is whole at any time.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the wait for all writers that one has ended, or that nobody wants to wait any longer.
#[derive(Debug, Default)]
pub(super) struct Bell {
    abandoned: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    pub(super) fn abandon(&self) {
        *lock(&self.abandoned) = true;
        self.rung.notify_all();
    }

    fn ring(&self) {
        // With the lock, so that a wait is either before its look or in its sleep.
        let waits = lock(&self.abandoned);
        self.rung.notify_all();
        drop(waits);
    }

    /// Until all have ended, those that have not got anywhere for `patience` are given up, or it is
    /// abandoned.
    pub(super) fn wait(&self, vitals: &[Arc<Vital>], patience: Duration) {
        let start = Instant::now();
        let mut waits: Vec<_> = vitals.iter().map(|vital| Wait::new(vital, start)).collect();
        let mut abandoned = lock(&self.abandoned);
        loop {
            let now = Instant::now();
            waits.retain_mut(|wait| wait.goes_on(now, patience));
            if *abandoned || waits.is_empty() {
                return;
            }
            let woken = self.rung.wait_timeout(abandoned, LOOK.min(patience));
            (abandoned, _) = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What a writer shows of itself.
#[derive(Debug)]
pub(super) struct Vital {
    beats: AtomicU64,
    ended: AtomicBool,
    bell: Arc<Bell>,
}

impl Vital {
    pub(super) fn new(bell: Arc<Bell>) -> Self {
        Self {
            beats: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            bell,
        }
    }

    /// Something was written.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Relaxed);
    }

    /// Nothing will be written any more.
    pub(super) fn end(&self) {
        self.ended.store(true, SeqCst);
        self.bell.ring();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(SeqCst)
    }
}

/// A writer that is waited for.
struct Wait<'a> {
    vital: &'a Vital,
    beats: u64,
    since: Instant,
}

impl<'a> Wait<'a> {
    fn new(vital: &'a Vital, now: Instant) -> Self {
        let beats = vital.beats.load(Relaxed);
        Self {
            vital,
            beats,
            since: now,
        }
    }

    fn goes_on(&mut self, now: Instant, patience: Duration) -> bool {
        let beats = self.vital.beats.load(Relaxed);
        if beats != self.beats {
            (self.beats, self.since) = (beats, now);
        }
        !self.vital.has_ended() && now.duration_since(self.since) < patience
    }
}
