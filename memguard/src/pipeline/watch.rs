//! `watch`: running processes, until a time, a signal, or their end.

use std::{path::Path, time::Duration};

use memguard_common::settings::FILTERS;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use super::{
    Agent, Faults, Judging, SWEEP, baselines::Baselines, cgroups::Cgroups, faults, output,
    output::Terminal, progress, progress::ProgressLine,
};
use crate::{
    cli::{Attribute, CommonArgs, Format, WatchArgs, WatchGate},
    cost,
    failure::Failure,
    files,
    model::{
        finding::Verdict,
        report::{Cost, Report, Summary},
    },
    preflight::{self, Facts},
    source::{
        kernel::{self, Sizes, Target, plan::Wanted},
        procfs::Procfs,
    },
};

/// Longest command name, `TASK_COMM_LEN` without its NUL.
const COMM: usize = 15;
/// Exit code where a finding reached the gate.
const GATE: u8 = 1;
/// Exit code of `--strict` where events were lost.
pub(super) const LOSSES: u8 = 4;

/// Runs until the end; returns the exit code.
pub fn watch(args: &WatchArgs) -> Result<u8, Failure> {
    let target = target(args)?;
    check(args)?;
    let screen = files::screen(&args.common.suppress, None)?;
    let mut file = output::open(&args.common)?;
    let facts = preflight::facts(wanted(&args.common))?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let out = output::outputs(&args.common, file.as_ref(), Terminal::Stdout)?;
        let out = out.screened(screen);
        let judging = Judging {
            min_age: args.min_age,
            short_lives: false,
            warm_up: args.warm_up,
            interval: args.interval,
            kinds: args.common.kinds.clone(),
            sizes: args.rules(),
            pace: args.pace(),
        };
        let kept = args.state_dir.as_deref();
        let kept = kept.map(|directory| Baselines::open(directory, kernel::now()));
        let kept = kept.transpose()?;
        let mut agent = Agent::start(&facts, sizes(&args.common), judging, out)?;
        agent.usages.kept = kept;
        agent.cgroups = Cgroups::new(&args.cgroups);
        if args.attribute == Some(Attribute::Faults) {
            agent.faults = Faults::start();
            let silent = args.common.quiet
                || args.common.output.is_some()
                || args.common.format == Some(Format::Jsonl);
            if let Some((what, why)) = agent.faults.missing.as_ref().filter(|_| silent) {
                crate::complain(&format!("goes on without {what}: {why}"));
            }
        }
        let mut watch = Watch::new(args)?;
        if let Some(file) = &mut file {
            file.keep();
        }
        agent.begin_watch(&facts, &target, args)?;
        agent.out.progress = ProgressLine::new(&args.common);
        watch.run(&mut agent, args).await;
        Ok(agent.end_watch(args).await)
    })
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| Failure::caused("cannot start the event loop", error))
}

pub(super) fn wanted(args: &CommonArgs) -> Wanted {
    Wanted {
        memory: args.memory(),
        rare: args.rare(),
    }
}

pub(super) fn sizes(args: &CommonArgs) -> Sizes {
    let default = Sizes::of_windows(args.stack_bytes.bytes());
    Sizes {
        nursery_sets: args.nursery_sets.unwrap_or(default.nursery_sets),
        ring_bytes: args.ring_bytes.unwrap_or(default.ring_bytes),
        ..default
    }
}

/// Arguments against each other.
fn check(args: &WatchArgs) -> Result<(), Failure> {
    let needed = args.warm_up + args.min_age;
    if let Some(duration) = args.duration.filter(|duration| *duration < needed) {
        let [duration, needed] = [duration, needed].map(humantime::format_duration);
        return Err(Failure::usage(format!(
            "-d {duration} is too short: nothing is judged before --warm-up and --min-age are over, \
             {needed} together"
        ))
        .fix(format!("use -d {needed} or more, or a shorter --warm-up and --min-age")));
    }
    if args.cgroups.len() > FILTERS || args.comms.len() > FILTERS {
        return Err(Failure::usage(format!(
            "more than {FILTERS} of --cgroup or --comm"
        )));
    }
    if let Some(comm) = args.comms.iter().find(|comm| comm.len() > COMM) {
        return Err(Failure::usage(format!(
            "--comm {comm} is longer than the {COMM} characters of a command name"
        ))
        .fix("name it as `ps -e` shows it"));
    }
    if args.interval.is_zero() {
        return Err(Failure::usage("-i must be longer than zero"));
    }
    if args.attribute.is_some() && !args.common.grows() {
        return Err(Failure::usage(
            "--attribute is about memory that grows, which is not looked at",
        )
        .fix("add heap to --kinds"));
    }
    let procfs = Procfs::new("/proc");
    match args.pids.iter().find(|pid| !procfs.exists(**pid)) {
        Some(pid) => Err(Failure::usage(format!("there is no process {pid}"))
            .fix("choose one that `ps -e` shows")),
        None => Ok(()),
    }
}

fn target(args: &WatchArgs) -> Result<Target, Failure> {
    let pids = !args.pids.is_empty() || !args.comms.is_empty();
    match (args.all, args.cgroups.is_empty(), pids) {
        (true, _, _) => Ok(Target::All),
        (false, true, true) => Ok(Target::Pids),
        (false, false, false) => args
            .cgroups
            .iter()
            .map(|path| cgroup(path))
            .collect::<Result<_, _>>()
            .map(Target::Cgroups),
        (false, false, true) => Err(Failure::usage(
            "--cgroup cannot be combined with --pid or --comm",
        )),
        (false, true, false) => Err(Failure::usage("nothing to watch")
            .fix("name it: memguard watch -p PID, --comm NAME, --cgroup PATH, or -a for all")),
    }
}

/// Id and level of a cgroup v2 directory.
fn cgroup(path: &Path) -> Result<(u64, u32), Failure> {
    let refuse = |why: String| {
        Failure::usage(format!("{} {why}", path.display()))
            .fix("name a directory of the cgroup v2 hierarchy, see `mount -t cgroup2`")
    };
    let full = path
        .canonicalize()
        .map_err(|error| refuse(format!("cannot be used: {error}")))?;
    let inode = |path: &Path| rustix::fs::stat(path).ok().map(|stat| stat.st_ino);
    let is_v2 = |path: &Path| {
        rustix::fs::statfs(path).is_ok_and(|fs| fs.f_type == libc::CGROUP2_SUPER_MAGIC)
    };
    if !is_v2(&full) {
        return Err(refuse("is not a cgroup v2 directory".to_owned()));
    }
    let level = full
        .ancestors()
        .skip(1)
        .take_while(|parent| is_v2(parent))
        .count() as u32;
    let id = inode(&full).ok_or_else(|| refuse("has no inode".to_owned()))?;
    Ok((id, level))
}

/// Processes of a cgroup and those below it; directories that vanish meanwhile have none.
pub(super) fn members(directory: &Path) -> Vec<u32> {
    let own = std::fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let mut members: Vec<u32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            members.extend(self::members(&entry.path()));
        }
    }
    members
}

/// What a watch waits for.
struct Watch {
    interrupt: Signal,
    terminate: Signal,
    sweep: Interval,
    judge: Interval,
    faults: Interval,
    progress: Interval,
    until: Option<Instant>,
    ends_with_its_processes: bool,
}

impl Watch {
    fn new(args: &WatchArgs) -> Result<Self, Failure> {
        let [interrupt, terminate] = signals()?;
        Ok(Self {
            interrupt,
            terminate,
            sweep: every(SWEEP),
            judge: every(args.interval),
            faults: every(faults::EVERY),
            progress: every(progress::EVERY),
            until: args.duration.map(|duration| Instant::now() + duration),
            ends_with_its_processes: !args.pids.is_empty() && args.comms.is_empty(),
        })
    }

    async fn run(&mut self, agent: &mut Agent, args: &WatchArgs) {
        loop {
            let until = self.until;
            let deadline = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                () = deadline => return,
                _ = self.sweep.tick() => agent.sweep(),
                _ = self.progress.tick() => agent.show_progress(args),
                _ = self.faults.tick(), if agent.faults.are_sampled() => agent.take_faults(),
                answer = agent.stacks.next() => agent.heard(answer),
                _ = self.judge.tick() => agent.judge_living(),
                ready = agent.ring.readable() => {
                    if ready.is_err() {
                        return;
                    }
                    agent.drain_for_now().await;
                }
            }
            let ended = self.ends_with_its_processes && agent.running() == 0;
            if ended || agent.out.is_broken() {
                return;
            }
        }
    }
}

/// SIGINT and SIGTERM.
pub(super) fn signals() -> Result<[Signal; 2], Failure> {
    let listen =
        |kind| signal(kind).map_err(|error| Failure::caused("cannot listen for signals", error));
    Ok([
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    ])
}

/// A tick that is never made up for.
pub(super) fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

impl Agent {
    /// Empties the ring, giving the runtime a turn after each budget.
    pub(super) async fn drain_for_now(&mut self) {
        for _ in 0..self.kernel.ring_budgets() {
            if self.drain() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Names the processes, first to the kernel, then to the ledger, so that none is missed
    /// between; then counts what they hold.
    fn begin_watch(
        &mut self,
        facts: &Facts,
        target: &Target,
        args: &WatchArgs,
    ) -> Result<(), Failure> {
        self.kernel.target(target, &args.comms);
        let tgids = self.find(target, args)?;
        self.announce(facts, scope(args));
        for tgid in &tgids {
            self.seed(*tgid);
        }
        self.census(&tgids);
        Ok(())
    }

    /// The processes to watch that run now. Those named are given to the kernel, which follows
    /// their children from then on; children born before are found by looking again.
    fn find(&mut self, target: &Target, args: &WatchArgs) -> Result<Vec<u32>, Failure> {
        let list = |error| Failure::caused("cannot list processes", error);
        let own = std::process::id();
        if *target != Target::Pids {
            let mut all = match target {
                Target::All => self.procfs.processes().map_err(list)?,
                _ => args.cgroups.iter().flat_map(|path| members(path)).collect(),
            };
            all.retain(|tgid| *tgid != own);
            return Ok(all);
        }
        let mut roots = args.pids.clone();
        for tgid in self.procfs.processes().map_err(list)? {
            let name = self.procfs.name(tgid);
            if tgid != own && name.is_some_and(|name| args.comms.contains(&name)) {
                roots.push(tgid);
            }
        }
        let mut watched: Vec<u32> = Vec::new();
        loop {
            let found = self.procfs.with_descendants(&roots).map_err(list)?;
            let new: Vec<_> = found
                .into_iter()
                .filter(|tgid| *tgid != own && !watched.contains(tgid))
                .collect();
            if new.is_empty() {
                return Ok(watched);
            }
            for tgid in new {
                let full = |error| Failure::caused("cannot watch that many processes", error);
                self.kernel.watch(tgid).map_err(full)?;
                watched.push(tgid);
            }
        }
    }

    async fn end_watch(mut self, args: &WatchArgs) -> u8 {
        self.settle().await;
        self.save_baselines(kernel::now());
        if args.show_mappings {
            self.show_mappings();
        }
        let summary = self.summary();
        let lost = !summary.evidence.conclusive();
        self.out.report(&Report::Stopped(Box::new(summary)));
        self.out.finish();
        let [leaks, growing] = [Verdict::Leak, Verdict::Growth].map(|it| self.reaching(it));
        let code = match (args.fail_on, args.common.strict) {
            (_, true) if lost => LOSSES,
            (WatchGate::Leak | WatchGate::Growth, _) if leaks > 0 => GATE,
            (WatchGate::Growth, _) if growing > 0 => GATE,
            _ => 0,
        };
        self.leave();
        code
    }

    /// The last sweep and judgement; after it nothing more is taken from the kernel.
    pub(super) async fn settle(&mut self) {
        self.catch_up().await;
        self.take_faults();
        self.sweep_all();
        self.catch_up().await;
        self.judge_living();
        for finding in self.findings.last_words() {
            self.out.report(&Report::Finding(Box::new(finding)));
        }
        self.kernel.stop();
        self.drain_past();
        self.note_losses();
    }

    /// How it went and what it cost.
    pub(super) fn summary(&self) -> Summary {
        let stamp = kernel::now();
        let mut summary = Summary {
            stamp,
            observed: stamp.since(self.attached_at),
            processes_judged: self.tally.judged,
            processes_running: self.running() as u64,
            findings: self.findings.counts(),
            left: self.tally.left,
            suppressions: Vec::new(),
            known: None,
            counters: self.counters(),
            evidence: self.evidence(None),
            cost: self.cost(),
            exit: None,
        };
        self.out.screen().apply(&mut summary);
        summary
    }

    fn cost(&self) -> Cost {
        let cpu = cost::cpu();
        Cost {
            cpu,
            cpu_observing: Some(cpu.saturating_sub(self.cpu_at_start)),
            rss_bytes: cost::anonymous_rss(&self.procfs),
            kernel_bytes: self.kernel_bytes(),
            events_read: Some(self.tally.read + self.tally.swept),
            bpf_time: self.own.estimate(&self.kernel),
        }
    }

    /// Findings of a verdict that reach a gate.
    pub(super) fn reaching(&self, verdict: Verdict) -> u64 {
        let all = self.findings.count(verdict);
        self.out.screen().reaching(verdict, all)
    }

    /// Leaves the kernel without waiting for it.
    pub(super) fn leave(self) {
        let Self { kernel, out, .. } = self;
        if let Some(error) = out.error() {
            crate::complain(&format!("findings could not be written: {error}"));
        }
        kernel.leave(out.fds());
    }
}

fn scope(args: &WatchArgs) -> String {
    if args.all {
        return "the whole host".to_owned();
    }
    let pids = args.pids.iter().map(|pid| format!("pid {pid}"));
    let comms = args.comms.iter().map(|comm| format!("every {comm}"));
    let cgroups = args
        .cgroups
        .iter()
        .map(|path| format!("cgroup {}", path.display()));
    let all: Vec<_> = pids.chain(comms).chain(cgroups).collect();
    format!("{} and descendants", all.join(", "))
}
