//! `watch`: running processes, until a time, a signal, or their end.

use std::time::Duration;

use tokio::{
    signal::unix::Signal,
    time::{Instant, Interval, sleep_until},
};

use super::{
    Agent, SWEEP,
    baselines::Baselines,
    every,
    outputs::{self, Outputs},
    runtime, signals, snapshot,
    start::{Extras, wanted},
    target,
};
use crate::{
    config::{WatchConfig, output::OutputFormat},
    failure::Failure,
    files,
    findings::selection::Selection,
    model::{
        report::{Mappings, Report},
        status::ComponentStatus,
    },
    output::hub::SnapshotCell,
    preflight::{self, KernelSupport},
    source::kernel::{self, Target},
};

/// Exit code where a finding reached the gate.
const GATE: u8 = 1;
/// How often samples of page faults are taken: their rings hold no more.
const FAULTS: Duration = Duration::from_millis(50);
/// How often the line on the terminal and the snapshot are renewed.
const SHOW: Duration = Duration::from_secs(1);

/// Runs until the end; returns the exit code.
pub fn watch(config: &WatchConfig) -> Result<u8, Failure> {
    let target = target::target(&config.target)?;
    let suppressor = files::suppressor(&config.common.suppress, None)?;
    let selection = Selection::new(suppressor, config.fail_on.clone()).show_left(config.left);
    let mut file = outputs::open(&config.common.output)?;
    let support = preflight::support(wanted(config.detect.kinds))?;
    if let Some(why) = config.in_vain() {
        crate::complain(&why);
    }
    runtime()?.block_on(async {
        let out = outputs::outputs(&config.common.output, file.as_ref(), selection)?;
        let mut agent = start(config, &support, out)?;
        let mut watch = Watch::new(config, &agent)?;
        if let Some(file) = &mut file {
            file.keep();
        }
        agent.begin_watch(&target, config)?;
        watch.run(&mut agent, config).await;
        Ok(agent.end_watch(config).await)
    })
}

fn start(config: &WatchConfig, support: &KernelSupport, out: Outputs) -> Result<Agent, Failure> {
    let kept = config.state_dir.as_deref();
    let kept = kept.map(|directory| Baselines::open(directory, kernel::now()));
    let (baselines, kept) = kept.transpose()?.unzip();
    let extras = Extras {
        faults: config.faults,
        cgroups: config.target.cgroups.clone(),
        kept,
    };
    let mut agent = Agent::start(
        support,
        (&config.common, config.detect.clone()),
        out,
        extras,
    )?;
    agent.core.baselines = baselines;
    if is_silent(config) {
        agent.complain_of_faults();
    }
    Ok(agent)
}

/// Whether what could not be had is in no report that a person sees.
fn is_silent(config: &WatchConfig) -> bool {
    let output = &config.common.output;
    output.quiet || output.path.is_some() || output.format() == OutputFormat::Jsonl
}

/// What a watch waits for.
struct Watch {
    interrupt: Signal,
    terminate: Signal,
    sweep: Interval,
    judge: Interval,
    faults: Interval,
    show: Interval,
    until: Option<Instant>,
    /// For the line on the terminal, where there is one.
    snapshots: Option<SnapshotCell>,
}

impl Watch {
    fn new(config: &WatchConfig, agent: &Agent) -> Result<Self, Failure> {
        let [interrupt, terminate] = signals()?;
        Ok(Self {
            interrupt,
            terminate,
            sweep: every(SWEEP),
            judge: every(config.detect.interval),
            faults: every(FAULTS),
            show: every(SHOW),
            until: config.duration.map(|duration| Instant::now() + duration),
            snapshots: agent.core.out.has_progress().then(|| agent.snapshots()),
        })
    }

    async fn run(&mut self, agent: &mut Agent, config: &WatchConfig) {
        let ends_with_its_processes = config.target.ends_with_its_processes();
        while self.turn(agent, config).await {
            let ended = ends_with_its_processes && agent.core.engine.running() == 0;
            if ended || agent.core.out.is_broken() {
                return;
            }
        }
    }

    /// False where it is over.
    async fn turn(&mut self, agent: &mut Agent, config: &WatchConfig) -> bool {
        let deadline = deadline(self.until);
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => return is_told_to_end(),
            _ = self.terminate.recv() => return is_told_to_end(),
            () = deadline => return false,
            _ = self.sweep.tick() => agent.sweep(),
            _ = self.show.tick() => self.show(agent, config),
            _ = self.faults.tick(), if agent.faults.is_some() => agent.take_faults(),
            answer = agent.core.origins.next() => agent.heard(answer),
            answer = agent.core.facts.next() => agent.answered(answer),
            _ = self.judge.tick() => agent.judge_at_pace(&mut self.judge),
            ready = agent.ring.readable() => {
                if let Err(error) = ready {
                    crate::complain(&format!("cannot wait for events any more: {error}"));
                    return false;
                }
                agent.drain_for_now().await;
            }
        }
        true
    }
}

impl Watch {
    /// Renews what shows how far it has come.
    fn show(&self, agent: &Agent, config: &WatchConfig) {
        agent.publish_snapshot();
        if let Some(snapshots) = &self.snapshots {
            let progress = snapshot::progress(config, &snapshots.latest());
            agent.core.out.progress(progress);
        }
    }
}

/// What is under way is waited for; a second signal ends memguard at once.
fn is_told_to_end() -> bool {
    crate::end_at_next_signal();
    false
}

async fn deadline(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

impl Agent {
    /// Names the processes, first to the kernel, then to the engine, so that none is missed
    /// between; then counts what they hold.
    fn begin_watch(&mut self, target: &Target, config: &WatchConfig) -> Result<(), Failure> {
        let refused = |error| Failure::caused("cannot watch that", error);
        let comms = &config.target.comms;
        self.kernel.target(target, comms).map_err(refused)?;
        let tgids = self.find(target, &config.target)?;
        self.announce(config.target.scope());
        let census = tgids.iter().filter_map(|tgid| self.seed(*tgid)).collect();
        self.ask_census(census);
        Ok(())
    }

    /// Page faults were asked for and cannot be had: said where no report says it.
    fn complain_of_faults(&self) {
        let status = self.fault_status.as_ref();
        if let Some((what, why)) = status.and_then(ComponentStatus::missing) {
            crate::complain(&format!("continuing without {what}: {why}"));
        }
    }

    async fn end_watch(mut self, config: &WatchConfig) -> u8 {
        self.settle().await;
        self.save_baselines();
        if config.show_mappings {
            self.show_mappings();
        }
        let summary = self.summary();
        let failing = self.failing(config.common.strict, GATE, &summary);
        self.core.report(Report::Stopped(Box::new(summary)));
        self.core.out.finish();
        if let Some((code, reason)) = &failing {
            crate::complain_of_code(*code, reason);
        }
        self.leave();
        failing.map_or(0, |(code, _)| code)
    }

    /// Writes what is held of every process.
    fn show_mappings(&mut self) {
        let stamp = kernel::now();
        let running = self.core.engine.ledger().processes.running();
        let id = |(tgid, id): (u32, Option<_>)| id.or_else(|| self.procfs.identity(tgid).ok());
        let running: Vec<_> = running.filter_map(id).collect();
        for process in running {
            let held = self.core.engine.ledger().memory.held_by(process);
            let ranges = held.map(|piece| piece.range).collect();
            let process = self.core.engine.identity(process);
            self.core.report(Report::Mappings(Mappings {
                stamp,
                process,
                ranges,
            }));
        }
    }
}
