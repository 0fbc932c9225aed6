//! Where reports go: what decides which findings are told first, then the hub.

use std::sync::Arc;

use crate::{
    config::output::{OutputConfig, Stream},
    failure::Failure,
    findings::selection::Selection,
    model::report::{Progress, Report},
    output::{
        Host, Hub, OutputFile, Reading, WallClock,
        hub::{self, Outcome, PATIENCE, SinkStatus},
        terminal,
    },
    source::kernel,
};

/// The hub, told what is selected.
#[derive(Debug)]
pub(super) struct Outputs {
    hub: Hub,
    selection: Selection,
    outcome: Outcome,
}

impl Outputs {
    /// What decides which findings are told, and which reach a gate.
    pub(super) fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Tells every sink what is selected. Never waits.
    pub(super) fn report(&mut self, report: Report) {
        if let Report::Finding(finding) = &report
            && !self.selection.take(finding)
        {
            return;
        }
        self.hub.report(Arc::new(report));
    }

    /// Shows how far it has come.
    pub(super) fn progress(&self, progress: Progress) {
        self.hub.progress(progress);
    }

    /// Whether there is a terminal for that.
    pub(super) fn has_progress(&self) -> bool {
        self.hub.has_progress()
    }

    /// What was held back is shown.
    pub(super) fn flush(&self) {
        self.hub.flush();
    }

    /// No report follows.
    pub(super) fn finish(&mut self) {
        self.outcome = self.hub.finish(PATIENCE);
    }

    /// Nobody reads any more.
    pub(super) fn is_broken(&self) -> bool {
        self.hub.is_broken()
    }

    /// How far each sink has come.
    pub(super) fn status(&self) -> Vec<SinkStatus> {
        self.hub.status()
    }

    /// Says what could not be written, unless nobody reads that either.
    pub(super) fn complain(&self) {
        for problem in self.outcome.problems() {
            if terminal::listens(Stream::Stderr) {
                crate::complain(&problem);
            }
        }
    }
}

/// Opens the file that was named.
pub(super) fn open(config: &OutputConfig) -> Result<Option<OutputFile>, Failure> {
    config.path.as_deref().map(OutputFile::open).transpose()
}

/// The sinks that were asked for.
pub(super) fn outputs(
    config: &OutputConfig,
    file: Option<&OutputFile>,
    selection: Selection,
) -> Result<Outputs, Failure> {
    Ok(Outputs {
        hub: hub::open(config, file, host(), Box::new(SystemClock))?,
        selection,
        outcome: Outcome::default(),
    })
}

fn host() -> Host {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    Host { name }
}

/// The clocks of this host.
#[derive(Debug)]
struct SystemClock;

impl WallClock for SystemClock {
    fn read(&self) -> Reading {
        let nanos = |id| {
            let time = rustix::time::clock_gettime(id);
            i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
        };
        Reading {
            realtime_ns: nanos(rustix::time::ClockId::Realtime),
            monotonic_ns: kernel::now().0,
            boottime_ns: nanos(rustix::time::ClockId::Boottime) as u64,
        }
    }
}
