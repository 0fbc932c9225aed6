//! All workloads at work, each with a sampler.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use super::{Milestones, ProcSampler, Times, Workload, workloads};
use crate::{
    driven::Driven,
    machine,
    memory::Said,
    programs::{on_path, program, sources},
    scratch::Scratch,
    servers::Servers,
    times::now,
    wait::holds_within,
};

/// How much longer than they are told to the workloads may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// One workload at work.
#[derive(Debug)]
pub struct RunningWorkload {
    /// What it is.
    pub workload: Workload,
    /// Its first process.
    pub pid: u32,
    /// When it began, in seconds since 1970; before, the end of time.
    pub begun: f64,
    /// How long it has been at work when memguard comes.
    pub age: Duration,
    driven: Option<Driven>,
    sampler: ProcSampler,
}

impl RunningWorkload {
    fn of(workload: Workload, age: Duration, pid: u32, driven: Option<Driven>) -> Self {
        Self {
            workload,
            pid,
            begun: f64::INFINITY,
            age,
            driven,
            sampler: ProcSampler::of(pid),
        }
    }

    /// What it says of itself; a server says nothing.
    pub fn said(&self) -> Said {
        Said::of(&self.printed())
    }

    /// What it says of its course.
    pub fn milestones(&self) -> Milestones {
        Milestones::of(&self.printed())
    }

    /// Why it is not what it is called, by what `/proc` showed.
    pub fn untrue(&self) -> Vec<String> {
        let (said, sampler) = (self.said(), &self.sampler);
        let mut untrue = Vec::new();
        if !self.is_done() {
            untrue.push("never done, or ended early".to_owned());
        }
        if said.is_healthy() == self.workload.leaks {
            untrue.push(format!("says that it loses {}", said.summary()));
        }
        untrue.extend(
            said.finds
                .iter()
                .filter_map(|finds| sampler.contradicts(finds)),
        );
        let growing = said.grows.iter();
        untrue.extend(growing.filter_map(|grows| sampler.contradicts_growth(grows)));
        if said.is_healthy() {
            let has_runtime = stem(&self.workload).is_none();
            untrue.extend(sampler.contradicts_health(self.milestones().at_most, has_runtime));
        }
        let named = |why| format!("{}: {why}", self.workload.name);
        untrue.into_iter().map(named).collect()
    }

    /// How many samples there are.
    pub fn samples(&self) -> usize {
        self.sampler.samples()
    }

    fn begin(&mut self) {
        self.begun = now();
        self.driven.as_mut().map(Driven::go);
    }

    /// Looks at the process that does it, which may have come later.
    fn sample(&mut self, pause: Duration) {
        let printed = self.printed();
        let who = printed.lines().find_map(|line| line.strip_prefix("who "));
        let who = who.and_then(|pid| pid.parse().ok()).unwrap_or(self.pid);
        if who == self.sampler.pid() {
            self.sampler.sample(pause);
        } else {
            self.sampler = ProcSampler::of(who);
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

/// All workloads that this machine can run.
#[derive(Debug)]
pub struct WorkloadPool {
    /// Those that run, in the order of the catalogue.
    pub running: Vec<RunningWorkload>,
    servers: Servers,
    visited: bool,
    _scratch: Scratch,
}

impl WorkloadPool {
    /// Starts everything, and lets nothing begin.
    pub fn start(times: &Times) -> Self {
        let scratch = Scratch::new();
        let mut all = workloads::chosen();
        let suits = |one: &Workload| times.suit(one);
        let left_out = all.extract_if(.., |one| !suits(one)).count();
        println!("{left_out} workloads are for other times than these");
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
        let workload = |workload: &Workload| {
            let age = times.age_of(workload);
            if workload.program == "server" {
                let pid = **by_name.get(&workload.name.to_owned())?;
                return Some(RunningWorkload::of(*workload, age, pid, None));
            }
            let driven = start(workload, times, &scratch)?;
            let pid = driven.pid();
            Some(RunningWorkload::of(*workload, age, pid, Some(driven)))
        };
        let running = all.iter().filter_map(workload).collect();
        Self {
            running,
            servers,
            visited: false,
            _scratch: scratch,
        }
    }

    /// Lets those work for as long as they have to that are older than memguard's coming.
    pub fn grow_old(&mut self, times: &Times) {
        let ages = self.running.iter().map(|workload| workload.age);
        let mut ages: Vec<_> = ages.chain([Duration::ZERO]).collect();
        ages.sort_unstable_by(|one, other| other.cmp(one));
        ages.dedup();
        for (age, next) in ages.iter().zip(ages.iter().skip(1)) {
            self.begin(times, *age);
            holds_within(age.saturating_sub(*next), || {
                self.sample(times.interval * 2);
                false
            });
        }
    }

    /// All first processes, as `-p` takes them.
    pub fn pids(&self) -> String {
        let pids: Vec<_> = self.running.iter().map(|it| it.pid.to_string()).collect();
        pids.join(",")
    }

    /// Lets the others begin, and all work until they are done and what they lost last has been
    /// told of.
    pub fn carry_out(&mut self, times: &Times) {
        self.begin(times, Duration::ZERO);
        let (pause, mut done) = (times.interval * 2, None);
        holds_within(times.span + times.settled + PATIENCE, || {
            self.sample(pause);
            if done.is_none() && self.running.iter().all(RunningWorkload::is_done) {
                done = Some(Instant::now());
            }
            done.is_some_and(|done| done.elapsed() > times.settled)
        });
        self.servers.visits_end();
    }

    /// Those of this age; servers have clients as soon as one of them begins.
    fn begin(&mut self, times: &Times, age: Duration) {
        for workload in self.running.iter_mut().filter(|it| it.age == age) {
            let serves = workload.workload.program == "server";
            if serves && !std::mem::replace(&mut self.visited, true) {
                let seconds = (age + times.span + times.settled).as_secs() + 5;
                self.servers.visit(&seconds.to_string());
            }
            workload.begin();
        }
    }

    fn sample(&mut self, pause: Duration) {
        for workload in &mut self.running {
            workload.sample(pause);
        }
    }
}

impl Drop for WorkloadPool {
    fn drop(&mut self) {
        // All end together, instead of one after the other as their guards go.
        for workload in &mut self.running {
            workload.driven.as_mut().map(Driven::end_input);
        }
    }
}

/// The names of those that have to be compiled, each once.
fn compiled(all: &[Workload]) -> Vec<&'static str> {
    let mut names: Vec<_> = all.iter().filter_map(stem).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The name of what has to be compiled; scripts and servers have a runtime instead.
fn stem(workload: &Workload) -> Option<&'static str> {
    let (stem, ending) = workload.program.split_once('.')?;
    matches!(ending, "c" | "cc").then_some(stem)
}

/// `None` where what it needs is not installed, which has been said on screen.
fn start(workload: &Workload, times: &Times, scratch: &Scratch) -> Option<Driven> {
    let (stem, ending) = workload.program.split_once('.')?;
    let script = sources().join(workload.program).display().to_string();
    let mut words = vec![workload.name.to_owned()];
    words.extend(times.words(times.age_of(workload)));
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
