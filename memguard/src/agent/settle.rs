//! The end of an observation: what is under way is waited for, with a limit.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::Agent;
use crate::{engine::Input, source::kernel};

/// How often is looked whether something is over by its time.
const LOOK: Duration = Duration::from_millis(100);
/// Longest wait for the facts and names of what is suspected at the end of a watch; what was
/// suspected before has them.
const JUDGING: Duration = Duration::from_secs(2);
/// Longest wait for those of what outlives the command of `run`: longer than the naming gives a
/// file.
const LEFTOVERS: Duration = Duration::from_secs(17);
/// Longest wait for what ended: as long.
const ENDED: Duration = Duration::from_secs(17);

impl Agent {
    /// The last sweep and judgement; after it nothing more is taken from the kernel.
    pub(super) async fn settle(&mut self) {
        self.catch_up().await;
        self.take_faults();
        self.sweep_all();
        self.catch_up().await;
        self.judge();
        self.wait_for_judgement(JUDGING).await;
        self.tell(Input::Ended(kernel::now()));
        self.kernel.stop();
        self.drain_past();
        self.note_losses();
    }

    /// What outlives the command of `run` is judged as it stands.
    pub(super) async fn judge_leftovers(&mut self) {
        self.tell(Input::GraceOver(kernel::now()));
        self.wait_for_judgement(LEFTOVERS).await;
    }

    /// Waits until everything that has ended is judged and told.
    async fn catch_up(&mut self) {
        self.end_sweep();
        let busy = |agent: &Self| agent.unwinding.is_some() || agent.core.engine.has_ended();
        self.wait_while(ENDED, busy).await;
    }

    async fn wait_for_judgement(&mut self, limit: Duration) {
        self.wait_while(limit, |agent| agent.core.engine.is_judging())
            .await;
    }

    /// Takes answers as long as something is under way; at the limit it goes on without the names
    /// that are missing.
    async fn wait_while(&mut self, limit: Duration, busy: impl Fn(&Self) -> bool) {
        let until = Instant::now() + limit;
        while busy(self) {
            if Instant::now() >= until {
                return self.tell(Input::Hurry(kernel::now()));
            }
            if timeout(LOOK, self.take_answer()).await.is_err() {
                self.end_sweep();
            }
        }
    }

    async fn take_answer(&mut self) {
        let core = &mut self.core;
        tokio::select! {
            answer = core.origins.next() => self.heard(answer),
            answer = core.facts.next() => self.answered(answer),
        }
    }
}
