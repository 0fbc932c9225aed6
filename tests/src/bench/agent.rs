//! memguard beside what is measured: pinned to the first CPU, the loops being on the last.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rustix::{
    process::{Pid, Signal},
    thread::{CpuSet, sched_setaffinity},
};

use crate::{
    Memguard,
    bpf::{self, Program},
    running::{Ran, Running},
    statistics::Runs,
    wait::wait_until,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// `memguard watch`, attached.
#[derive(Debug)]
pub(super) struct Agent {
    running: Running,
    /// While the numbers are in use, programs are attached.
    ids: BTreeSet<u32>,
}

impl Agent {
    /// Attached to everything that `options` name, when this returns. It judges nothing: that has
    /// its own figures.
    pub(super) fn watch(options: &[&str]) -> Self {
        let mut running = Memguard::watch(options).start();
        pin(running.pid());
        running.wait_for(PATIENCE, "memguard has attached", |lines| {
            !lines.events("memguard.agent.started").is_empty()
        });
        let ids = bpf::held_by(running.pid());
        Self { running, ids }
    }

    /// Watches one process.
    pub(super) fn of_process(pid: u32, options: &[&str]) -> Self {
        let pid = pid.to_string();
        let all: Vec<&str> = ["-p", &pid]
            .into_iter()
            .chain(options.iter().copied())
            .collect();
        Self::watch(&all)
    }

    /// memguard's own pid.
    pub(super) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Its programs by name, with how often they ran and for how long.
    pub(super) fn programs(&self) -> BTreeMap<String, Program> {
        let programs = bpf::info::of_process(self.pid()).into_values();
        programs
            .map(|program| (program.name.clone(), program))
            .collect()
    }

    /// What one of its programs has run so far.
    pub(super) fn runs(&self, program: &str) -> Runs {
        let programs = self.programs();
        let found = programs.get(program);
        found
            .unwrap_or_else(|| panic!("no program {program} in {:?}", programs.keys()))
            .runs
    }

    /// Ends it and waits until nothing of it is attached any more.
    pub(super) fn leave(self) -> Ran {
        self.running.signal(Signal::INT);
        let ran = self.running.finish_within(PATIENCE);
        wait_until(PATIENCE, "the programs are detached", || {
            bpf::loaded().is_disjoint(&self.ids)
        });
        ran
    }
}

/// Threads that it starts later stay there too.
fn pin(pid: u32) {
    let mut first = CpuSet::new();
    first.set(0);
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Err(error) = sched_setaffinity(pid, &first) {
        println!("memguard stays on all CPUs: {error}");
    }
}
