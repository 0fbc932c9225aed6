//! Takes what the kernel has: records from the ring, young handles from the nursery, page faults.

use std::time::{Duration, Instant};

use tokio::time::Interval;

use super::{Agent, SWEEP};
use crate::{
    cost,
    engine::Input,
    model::ids::Stamp,
    source::kernel::{self, Taken},
};

/// Longest wait for a sweep's windows to be unwound: 4 096 take milliseconds, the files of new
/// programs some hundred.
const UNWINDING: Duration = Duration::from_secs(2);

/// A sweep whose windows are being unwound.
#[derive(Debug)]
pub(super) struct Unwinding {
    cutoff: Stamp,
    barrier: u64,
    since: Instant,
}

impl Agent {
    /// Takes what is in the ring, up to a budget; true where it is empty now.
    pub(super) fn drain(&mut self) -> bool {
        let Self { ring, core, .. } = self;
        let empty = ring.drain(|record| {
            core.tally.read += 1;
            core.take_record(record);
        });
        self.forget_in_kernel();
        empty
    }

    /// Takes everything that was in the ring when this was called. A flood may fill it as fast as
    /// it is emptied; once as much as the ring holds has been taken, what was there at first
    /// has been.
    pub(super) fn drain_past(&mut self) {
        for _ in 0..self.kernel.ring_budgets() {
            if self.drain() {
                return;
            }
        }
    }

    /// Empties the ring, giving the runtime a turn after each budget.
    pub(super) async fn drain_for_now(&mut self) {
        for _ in 0..self.kernel.ring_budgets() {
            if self.drain() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Tells the engine, and goes on as long as it has more to do; what comes meanwhile is taken.
    pub(super) fn tell(&mut self, input: Input) {
        self.core.tell(input);
        self.resume();
    }

    /// As long as the engine has more to do.
    pub(super) fn resume(&mut self) {
        while self.core.take_resume() {
            self.drain();
            self.core.tell(Input::Resume);
        }
        self.forget_in_kernel();
    }

    /// Takes what is due from the nursery, and judges what has died once its stacks are unwound.
    pub(super) fn sweep(&mut self) {
        self.own.tick(&self.kernel);
        self.sweep_older_than(SWEEP);
    }

    /// At the end nothing is left to be paired.
    pub(super) fn sweep_all(&mut self) {
        self.sweep_older_than(Duration::ZERO);
    }

    fn sweep_older_than(&mut self, age: Duration) {
        self.end_sweep();
        if self.unwinding.is_some() {
            return;
        }
        #[cfg(feature = "debug-log")]
        self.kernel.show_log();
        self.drain_past();
        self.tell(Input::SweepBegins);
        let (now, dead) = (kernel::now(), self.core.take_dead());
        let Self { kernel, core, .. } = self;
        let holders = core.engine.holders();
        let cutoff = now.before(age);
        let taken = kernel
            .nursery
            .sweep(cutoff, &dead, &holders, |record, taken| match taken {
                Taken::Held => core.take_record(record),
                Taken::Released { lingered } => core.take_released(record, lingered),
            });
        self.core.tally.swept += taken;
        self.widen(now);
        self.core.origins.swept(cutoff);
        self.drain_past();
        self.unwinding = Some(Unwinding {
            cutoff: now.before(SWEEP),
            barrier: self.core.origins.barrier(),
            since: Instant::now(),
        });
        self.end_sweep();
    }

    /// Has more of the stack copied at sites whose windows ended too early.
    fn widen(&mut self, now: Stamp) {
        let Self { kernel, core, .. } = self;
        for (process, key) in core.origins.take_early_ends() {
            kernel.wide.ended_early(process, key, now);
        }
        kernel.refill_wide();
    }

    /// Ends the sweep if its windows are unwound, or have been waited for long enough.
    pub(super) fn end_sweep(&mut self) {
        let origins = &self.core.origins;
        let unwound = self.unwinding.take_if(|unwinding| {
            origins.has_passed(unwinding.barrier) || unwinding.since.elapsed() >= UNWINDING
        });
        if let Some(Unwinding { cutoff, .. }) = unwound {
            self.note_losses();
            let at = kernel::now();
            self.tell(Input::Swept { at, cutoff });
        }
    }

    /// Takes the samples of page faults that are there.
    pub(super) fn take_faults(&mut self) {
        let Self { faults, core, .. } = self;
        if let Some(faults) = faults {
            faults.drain(&mut |event| core.take_fault(event));
        }
    }

    /// Takes what the threads that unwind and name have to say.
    pub(super) fn heard(&mut self, answer: crate::origin::Answer) {
        self.core.heard(answer);
        self.end_sweep();
        self.resume();
    }

    /// Takes what `/proc` says.
    pub(super) fn answered(&mut self, answer: crate::judge::question::Answer) {
        self.core.answered(answer);
        self.resume();
    }

    /// Judges everything that runs; the next time is so late that judging takes no more than a
    /// twentieth of a core, whatever is held, and however long others kept it from running.
    pub(super) fn judge_at_pace(&mut self, ticks: &mut Interval) {
        const SHARE: u32 = 20;
        let began = cost::cpu_of_thread();
        self.judge();
        let pause = cost::cpu_of_thread()
            .saturating_sub(began)
            .saturating_mul(SHARE);
        if pause > ticks.period() {
            ticks.reset_after(pause);
        }
    }

    /// Judges everything that runs.
    pub(super) fn judge(&mut self) {
        self.tell(Input::Tick(kernel::now()));
        self.save_baselines_if_due();
        self.core.out.flush();
    }
}
