//! Baselines that outlive a run of memguard: what a process used before it began to grow is not
//! what it uses when memguard is started anew.

use std::{path::Path, time::Duration};

use super::Agent;
use crate::{
    engine::Input,
    failure::Failure,
    model::{
        baseline::BaselineRecord,
        ids::{ProcessId, Stamp},
    },
    source::{kernel, procfs::Procfs},
    state::{StateDir, StateError},
};

/// How often they are written, besides at the end.
const SAVE: Duration = Duration::from_mins(5);

/// Where they are kept.
#[derive(Debug)]
pub(super) struct Baselines {
    directory: StateDir,
    saved: Stamp,
}

impl Baselines {
    /// Reads what there is.
    pub(super) fn open(
        directory: &Path,
        now: Stamp,
    ) -> Result<(Self, Vec<(ProcessId, BaselineRecord)>), Failure> {
        let boot_id = Procfs::new("/proc").boot_id().unwrap_or_default();
        let directory = StateDir::new(directory, boot_id);
        let refused = |error: StateError| {
            Failure::usage(format!("--state-dir: {error}"))
                .fix("name a directory of your own that exists")
        };
        let known = directory.load().map_err(refused)?;
        // What cannot be written at the end is better told now.
        directory.save(&known).map_err(refused)?;
        let saved = now;
        Ok((Self { directory, saved }, known))
    }

    pub(super) fn save(&mut self, records: &[(ProcessId, BaselineRecord)], now: Stamp) {
        if let Err(error) = self.directory.save(records) {
            crate::complain(&format!("cannot keep baselines: {error}"));
        }
        self.saved = now;
    }
}

impl Agent {
    /// Writes the baselines, now and then.
    pub(super) fn save_baselines_if_due(&mut self) {
        let now = kernel::now();
        let kept = self.core.baselines.as_ref();
        if kept.is_some_and(|kept| now.since(kept.saved) >= SAVE) {
            self.save_baselines();
        }
    }

    /// Writes the baselines of everything that runs.
    pub(super) fn save_baselines(&mut self) {
        if self.core.baselines.is_some() {
            self.tell(Input::SaveBaselines(kernel::now()));
        }
    }
}
