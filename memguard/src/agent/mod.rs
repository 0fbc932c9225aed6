//! The running agent: brings kernel, engine, facts, origins and outputs together, and decides
//! nothing.
//!
//! One task waits for records, answers, clock and signals, tells the engine, and does what it says.
//! [`watch()`] and [`run()`] are its two lives.

mod baselines;
mod core;
mod drain;
mod losses;
mod origins;
mod outputs;
mod run;
mod settle;
mod snapshot;
mod start;
mod summary;
mod target;
mod watch;
mod wide_windows;

use std::time::Duration;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Interval, MissedTickBehavior, interval},
};

use self::{core::Core, drain::Unwinding, losses::LossReader};
pub use self::{run::run, watch::watch};
use crate::{
    config::KernelSizes,
    failure::Failure,
    model::{
        ids::{ProcessId, Stamp},
        status::ComponentStatus,
    },
    source::{
        kernel::{self, Kernel, OwnTime, Ring, Sizes},
        procfs::Procfs,
    },
};

/// How often the nursery is swept, and how old a record must be to be taken.
const SWEEP: Duration = Duration::from_secs(1);
/// Exit code of `--strict` where events were lost.
const LOSSES: u8 = 4;
/// What helps where the kernel refuses.
const DOCTOR: &str = "memguard doctor says what is missing";

/// Everything that runs.
#[derive(Debug)]
struct Agent {
    kernel: Kernel,
    ring: Ring,
    own: OwnTime,
    core: Core,
    faults: Option<kernel::faults::Faults>,
    /// Of page-fault samples, where they were asked for.
    fault_status: Option<ComponentStatus>,
    tracepoints: Vec<ComponentStatus>,
    procfs: Procfs,
    losses: LossReader,
    /// A sweep whose windows are being unwound.
    unwinding: Option<Unwinding>,
    attached_at: Stamp,
    /// CPU time that the start took.
    cpu_at_start: Duration,
}

impl Agent {
    /// Processes that have ended: what the kernel side remembers of them goes too.
    fn forget_in_kernel(&mut self) {
        for process in self.core.take_forgotten() {
            self.forget_process_in_kernel(process);
        }
    }

    fn forget_process_in_kernel(&mut self, process: ProcessId) {
        self.kernel.wide.forget(process);
        if let Err(error) = self.kernel.forget_losses(process)
            && !std::mem::replace(&mut self.losses.complained, true)
        {
            crate::complain(&format!("{:#}", anyhow::Error::from(error)));
        }
    }
}

fn sizes(config: KernelSizes) -> Sizes {
    let default = Sizes::of_windows(config.window_bytes);
    Sizes {
        nursery_sets: config.nursery_sets.unwrap_or(default.nursery_sets),
        ring_bytes: config.ring_bytes.unwrap_or(default.ring_bytes),
        ..default
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| Failure::caused("cannot start the event loop", error))
}

/// SIGINT and SIGTERM.
fn signals() -> Result<[Signal; 2], Failure> {
    let listen =
        |kind| signal(kind).map_err(|error| Failure::caused("cannot listen for signals", error));
    Ok([
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    ])
}

/// A tick that is never made up for.
fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
