//! memguard beside what is measured.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    thread::sleep,
    time::{Duration, Instant},
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
    wait::{holds_within, wait_until},
};

const PATIENCE: Duration = Duration::from_secs(30);
/// How long detaching may take.
const DETACHED: Duration = Duration::from_secs(10);

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
        running.wait_for(PATIENCE, "memguard has attached", |lines| {
            !lines.events("memguard.agent.started").is_empty()
        });
        let ids = bpf::held_by(running.pid());
        Self { running, ids }
    }

    /// Watches one process, itself pinned to the first CPU.
    pub(super) fn of_process(pid: u32, options: &[&str]) -> Self {
        let pid = pid.to_string();
        let all: Vec<&str> = ["-p", &pid]
            .into_iter()
            .chain(options.iter().copied())
            .collect();
        let this = Self::watch(&all);
        pin(this.pid());
        this
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

    /// Waits until it has done what there was to do when it was called, and does less than a
    /// hundredth of a CPU for a second.
    pub(super) fn settles(&self) {
        wait_until(PATIENCE, "memguard has come to rest", || {
            self.cpu_share(Duration::from_secs(1)) < 0.01
        });
    }

    /// Which share of one CPU it takes for so long.
    pub(super) fn cpu_share(&self, span: Duration) -> f64 {
        let (begun, before) = (Instant::now(), cpu(self.pid()));
        // The span is what is measured, and ends with nothing else.
        sleep(span);
        (cpu(self.pid()) - before) / begun.elapsed().as_secs_f64()
    }

    /// Anonymous resident memory, in bytes.
    pub(super) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.unwrap_or_else(|| panic!("no RssAnon in {status}")) << 10
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

/// What `measure` does starts and ends memguards of its own; the next one waits until nothing of
/// theirs is attached, because detaching takes seconds and would be measured with it. Where others
/// attach programs meanwhile, it goes on after a while.
pub(super) fn alone<T>(measure: impl FnOnce() -> T) -> T {
    let before = bpf::loaded();
    let measured = measure();
    let left: BTreeSet<u32> = bpf::loaded().difference(&before).copied().collect();
    if !holds_within(DETACHED, || bpf::loaded().is_disjoint(&left)) {
        println!("somebody else has BPF programs here: these figures are worth less");
    }
    measured
}

/// Seconds of CPU time of all threads that there are.
fn cpu(pid: u32) -> f64 {
    let of_thread = |thread| {
        let path = format!("/proc/{pid}/task/{thread}/schedstat");
        let text = fs::read_to_string(path).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    threads(pid).into_iter().filter_map(of_thread).sum::<f64>() / 1e9
}

/// All threads that it has, and so those that they start later.
fn pin(pid: u32) {
    let mut first = CpuSet::new();
    first.set(0);
    for thread in threads(pid) {
        if let Err(error) = sched_setaffinity(Pid::from_raw(thread), &first) {
            println!("memguard stays on all CPUs: {error}");
        }
    }
}

fn threads(pid: u32) -> Vec<i32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"));
    let names = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect()
}
