//! All workloads at work, each with a witness.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use super::{Times, Witness, Workload, workloads};
use crate::{
    driven::Driven,
    machine,
    memory::Said,
    programs::{on_path, program, sources},
    scratch::Scratch,
    servers::Servers,
    times::now,
    wait::wait_until,
};

/// How much longer than they are told to the workloads may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// One workload at work.
#[derive(Debug)]
pub struct Worker {
    /// What it is.
    pub workload: Workload,
    /// Its first process.
    pub pid: u32,
    driven: Option<Driven>,
    witness: Witness,
}

impl Worker {
    fn of(workload: Workload, pid: u32, driven: Option<Driven>) -> Self {
        Self {
            workload,
            pid,
            driven,
            witness: Witness::of(pid),
        }
    }

    /// What it says of itself; a server says nothing.
    pub fn said(&self) -> Said {
        Said::of(&self.printed())
    }

    /// Why it is not what it is called, by what `/proc` showed.
    pub fn untrue(&self) -> Vec<String> {
        let (said, witness) = (self.said(), &self.witness);
        let mut untrue = Vec::new();
        if said.is_healthy() == self.workload.leaks {
            untrue.push(format!("says that it loses {}", said.summary()));
        }
        untrue.extend(said.finds.iter().filter_map(|finds| witness.denies(finds)));
        let growing = said.grows.iter();
        untrue.extend(growing.filter_map(|grows| witness.denies_growth(grows)));
        if said.is_healthy() {
            untrue.extend(witness.denies_health());
        }
        let named = |why| format!("{}: {why}", self.workload.name);
        untrue.into_iter().map(named).collect()
    }

    /// How often the witness has looked.
    pub fn looks(&self) -> usize {
        self.witness.looks()
    }

    /// Looks at the process that does it, which may have come later.
    fn look(&mut self, pause: Duration) {
        let printed = self.printed();
        let who = printed.lines().find_map(|line| line.strip_prefix("who "));
        let who = who.and_then(|pid| pid.parse().ok()).unwrap_or(self.pid);
        if who == self.witness.pid() {
            self.witness.look(pause);
        } else {
            self.witness = Witness::of(who);
        }
    }

    fn printed(&self) -> String {
        self.driven
            .as_ref()
            .map(Driven::printed)
            .unwrap_or_default()
    }

    fn is_done(&self) -> bool {
        self.driven.as_ref().is_none_or(Driven::is_done)
    }
}

/// All that this machine can do.
#[derive(Debug)]
pub struct Staff {
    /// The workers, in the order of the catalogue.
    pub workers: Vec<Worker>,
    servers: Servers,
    _scratch: Scratch,
}

impl Staff {
    /// Starts everything, and lets nothing begin.
    pub fn hire(times: &Times) -> Self {
        let scratch = Scratch::new();
        let mut all = workloads::chosen();
        for workload in all.extract_if(.., |one| times.too_quick.contains(&one.name)) {
            println!("SKIPPED: {} lives too quickly here", workload.name);
        }
        let servers: Vec<_> = all.iter().filter(|one| one.program == "server").collect();
        let servers: Vec<_> = servers.iter().map(|one| one.name).collect();
        // What needs no order goes side by side.
        let servers = thread::scope(|scope| {
            let servers = scope.spawn(|| Servers::start(&servers));
            for name in compiled(&all) {
                program(name);
            }
            servers.join()
        });
        let servers = servers.unwrap_or_else(|_| panic!("the servers do not start"));
        let by_name: BTreeMap<_, _> = servers
            .names()
            .iter()
            .map(|(pid, name)| (name, pid))
            .collect();
        let worker = |workload: &Workload| {
            if workload.program == "server" {
                let pid = **by_name.get(&workload.name.to_owned())?;
                return Some(Worker::of(*workload, pid, None));
            }
            let driven = start(workload, times, &scratch)?;
            Some(Worker::of(*workload, driven.pid(), Some(driven)))
        };
        let workers = all.iter().filter_map(worker).collect();
        Self {
            workers,
            servers,
            _scratch: scratch,
        }
    }

    /// All first processes, as `-p` takes them.
    pub fn pids(&self) -> String {
        let pids: Vec<_> = self.workers.iter().map(|it| it.pid.to_string()).collect();
        pids.join(",")
    }

    /// Lets all work until they are done and what they lost last has been told of; returns when
    /// they began, in seconds since 1970.
    pub fn carry_out(&mut self, times: &Times) -> f64 {
        let seconds = (times.span + times.settled).as_secs() + 5;
        self.servers.visit(&seconds.to_string());
        let begun = now();
        for worker in &mut self.workers {
            worker.driven.as_mut().map(Driven::go);
        }
        let (pause, mut done) = (times.interval * 2, None);
        wait_until(
            times.span + times.settled + PATIENCE,
            "all are done",
            || {
                for worker in &mut self.workers {
                    worker.look(pause);
                }
                if done.is_none() && self.workers.iter().all(Worker::is_done) {
                    done = Some(Instant::now());
                }
                done.is_some_and(|done| done.elapsed() > times.settled)
            },
        );
        self.servers.visits_end();
        begun
    }
}

impl Drop for Staff {
    fn drop(&mut self) {
        // All end together, instead of one after the other as their guards go.
        for worker in &mut self.workers {
            worker.driven.as_mut().map(Driven::end_input);
        }
    }
}

/// The names of those that have to be compiled, each once.
fn compiled(all: &[Workload]) -> Vec<&'static str> {
    let stem = |workload: &Workload| {
        let (stem, ending) = workload.program.split_once('.')?;
        matches!(ending, "c" | "cc").then_some(stem)
    };
    let mut names: Vec<_> = all.iter().filter_map(stem).collect();
    names.dedup();
    names
}

/// `None` where what it needs is not installed, which has been said on screen.
fn start(workload: &Workload, times: &Times, scratch: &Scratch) -> Option<Driven> {
    let (stem, ending) = workload.program.split_once('.')?;
    let script = sources().join(workload.program).display().to_string();
    let mut words = vec![workload.name.to_owned()];
    words.extend(times.words());
    words.push(scratch.text(""));
    let program = match ending {
        "py" | "js" => {
            words.insert(0, script);
            let interpreter = if ending == "py" { "python3" } else { "node" };
            machine::has(interpreter)
                .then(|| on_path(interpreter))??
                .display()
                .to_string()
        }
        _ => program(stem),
    };
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    Some(Driven::start(&program, &words))
}
