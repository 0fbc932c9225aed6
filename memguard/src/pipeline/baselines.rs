//! Baselines that outlive a run of memguard: what a process used before it began to grow is not
//! what it uses when memguard is started anew.

use std::{path::Path, time::Duration};

use hashbrown::HashMap;

use super::{Agent, usage::Usages};
use crate::{
    detect::growth::Baseline,
    failure::Failure,
    model::ids::{ProcessId, Stamp},
    source::procfs::Procfs,
    state::{BaselineRecord, StateDir, StateError},
};

/// How often they are written, besides at the end.
const SAVE: Duration = Duration::from_mins(5);

/// What earlier runs knew, and where it is kept.
#[derive(Debug)]
pub(super) struct Baselines {
    directory: StateDir,
    known: HashMap<ProcessId, BaselineRecord>,
    saved: Stamp,
}

impl Baselines {
    /// Reads what there is.
    pub(super) fn open(directory: &Path, now: Stamp) -> Result<Self, Failure> {
        let boot_id = Procfs::new("/proc").boot_id().unwrap_or_default();
        let directory = StateDir::new(directory, boot_id);
        let refused = |error: StateError| {
            Failure::usage(format!("--state-dir: {error}"))
                .fix("name a directory of your own that exists")
        };
        let known = directory.load().map_err(refused)?;
        // What cannot be written at the end is better told now.
        directory.save(&known).map_err(refused)?;
        Ok(Self {
            directory,
            known: known.into_iter().collect(),
            saved: now,
        })
    }

    /// Of this process and program, from an earlier run.
    pub(super) fn of(&self, process: ProcessId, executable: Option<&str>) -> Option<Baseline> {
        let record = self.known.get(&process)?;
        let same = record.executable.as_deref() == executable;
        same.then_some(Baseline {
            median: record.bytes,
            low: record.bytes,
            high: record.bytes,
            samples: record.samples,
        })
    }
}

impl Agent {
    /// Writes the baselines, now and then.
    pub(super) fn keep_baselines(&mut self, now: Stamp) {
        let due = |kept: &Baselines| now.since(kept.saved) >= SAVE;
        if self.usages.kept.as_ref().is_some_and(due) {
            self.save_baselines(now);
        }
    }

    /// Writes the baselines of everything that runs.
    pub(super) fn save_baselines(&mut self, now: Stamp) {
        let Some(mut kept) = self.usages.kept.take() else {
            return;
        };
        let records = self.records(&kept, now);
        if let Err(error) = kept.directory.save(&records) {
            crate::complain(&format!("cannot keep baselines: {error}"));
        }
        kept.saved = now;
        self.usages.kept = Some(kept);
    }

    /// Of the living, those of earlier runs where there are no new ones yet.
    fn records(&mut self, kept: &Baselines, now: Stamp) -> Vec<(ProcessId, BaselineRecord)> {
        let mut records = Vec::new();
        for (process, baseline) in self.usages.baselines() {
            let executable = self.living(process).executable.clone();
            let record = baseline.map(|baseline| BaselineRecord {
                bytes: baseline.median,
                samples: baseline.samples,
                taken_at: now,
                executable,
            });
            let record = record.or_else(|| kept.known.get(&process).cloned());
            records.extend(record.map(|record| (process, record)));
        }
        records
    }
}

impl Usages {
    /// Every sampled process, with what is normal for it where that is known.
    fn baselines(&self) -> Vec<(ProcessId, Option<Baseline>)> {
        let watched = self.watched.iter();
        watched
            .map(|(process, watched)| (*process, watched.anonymous.baseline()))
            .collect()
    }
}
