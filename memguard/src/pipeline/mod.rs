//! Wires sources, ledger, detectors and sinks together, and does nothing else.
//!
//! One task owns everything here. It waits for records, for the clock and for signals, and after
//! each lets the modules do their work in the order of the data: kernel → decode → ledger → detect
//! → findings → sinks.

mod baselines;
mod census;
mod cgroups;
mod dead;
mod faults;
mod growth;
mod idle;
mod living;
mod losses;
mod mappings;
mod origins;
mod output;
mod progress;
mod run;
mod segments;
mod sockets;
mod standing;
mod strangers;
mod usage;
mod watch;

use std::time::Duration;

use hashbrown::HashMap;

use self::{
    cgroups::Cgroups, faults::Faults, idle::Ended, living::Piles, losses::Losses, origins::Stacks,
    output::Outputs, sockets::Sockets, strangers::Strangers, usage::Usages,
};
pub use self::{output::stdout_style, run::run, watch::watch};
use crate::{
    cli::KindFilter,
    decode::decode,
    detect::{Detector, growth::Rules},
    failure::Failure,
    findings::{Findings, Pace},
    identify::Identities,
    ledger::{AcquisitionId, Ledger},
    model::{
        self,
        event::Event,
        ids::{ProcessId, Stamp},
        report::{Report, Started},
        resource::{Kind, Resource},
    },
    preflight::Facts,
    sampler::Sampler,
    source::{
        kernel::{self, Kernel, OwnTime, Ring, Sizes},
        procfs::{Procfs, Segment},
    },
};

/// How often the nursery is swept, and how old a record must be to be taken.
const SWEEP: Duration = Duration::from_secs(1);

/// How to judge.
#[derive(Clone, Debug)]
pub struct Judging {
    /// How long a handle must be held to be looked at.
    pub min_age: Duration,
    /// What is acquired this early is resident.
    pub warm_up: Duration,
    /// Whether a site that has released nothing is judged at the end of any process, however short
    /// it was seen: of a command that was asked about. Of all processes of a host some are
    /// starved of CPU time, and open in two seconds what they open at once elsewhere.
    pub short_lives: bool,
    /// How often.
    pub interval: Duration,
    /// Which handles to report.
    pub kinds: Vec<KindFilter>,
    /// What of memory counts as growth.
    pub sizes: Rules,
    /// How often findings are told again.
    pub pace: Pace,
}

impl Judging {
    fn wants(&self, kind: Kind) -> bool {
        let resource = kind.resource();
        self.kinds.iter().any(|filter| match filter {
            KindFilter::All => true,
            KindFilter::Fd => resource == Resource::Fd,
            KindFilter::Socket => resource == Resource::Socket,
            KindFilter::Mmap => resource == Resource::Mmap,
            KindFilter::Heap => {
                !matches!(resource, Resource::Fd | Resource::Socket | Resource::Mmap)
            }
        })
    }
}

/// Everything that runs.
#[derive(Debug)]
struct Agent {
    kernel: Kernel,
    own: OwnTime,
    ring: Ring,
    ledger: Ledger,
    procfs: Procfs,
    identities: Identities,
    findings: Findings,
    detectors: Vec<Box<dyn Detector>>,
    piles: Piles,
    losses: Losses,
    strangers: Strangers,
    stacks: Stacks,
    usages: Usages,
    faults: Faults,
    ended: Ended,
    segments: Vec<Segment>,
    sockets: Sockets,
    cgroups: Cgroups,
    out: Outputs,
    judging: Judging,
    attached_at: Stamp,
    /// CPU time that the start took.
    cpu_at_start: Duration,
    tally: Tally,
}

/// What the agent itself counts.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    read: u64,
    swept: u64,
    undecodable: u64,
    judged: u64,
    left: u64,
}

impl Agent {
    /// Loads and attaches. Nothing is watched yet.
    fn start(facts: &Facts, sizes: Sizes, judging: Judging, out: Outputs) -> Result<Self, Failure> {
        let load = |error| Failure::caused("cannot load the BPF programs", error).fix(DOCTOR);
        let mut kernel = Kernel::load(facts.layout, &facts.plan, sizes).map_err(load)?;
        let attach = |error| Failure::caused("cannot attach the BPF programs", error).fix(DOCTOR);
        let attached_at = kernel.attach(&facts.plan).map_err(attach)?;
        let poll = |error| Failure::caused("cannot poll the ring buffer", error);
        let ring = kernel.ring().map_err(poll)?;
        let stacks = Stacks::start();
        let procfs = Procfs::new("/proc");
        let sampler = Sampler::new(judging.interval);
        let usages = Usages::new(sampler, judging.sizes, procfs.swaps());
        let mut ledger = Ledger::new();
        ledger.populations.count_as_long(judging.min_age);
        Ok(Self {
            kernel,
            own: OwnTime::default(),
            ring,
            ledger,
            procfs,
            identities: Identities::default(),
            findings: Findings::new(judging.pace),
            detectors: crate::detect::all(),
            piles: Piles::default(),
            losses: Losses::without(facts.plan.blind()),
            strangers: Strangers::default(),
            stacks,
            usages,
            faults: Faults::default(),
            ended: Ended::default(),
            segments: Vec::new(),
            sockets: Sockets::default(),
            cgroups: Cgroups::default(),
            out,
            judging,
            attached_at,
            cpu_at_start: crate::cost::cpu(),
            tally: Tally::default(),
        })
    }

    /// Tells the sinks that it has begun: whoever is to be watched is, from now on.
    fn announce(&mut self, facts: &Facts, scope: String) {
        let missing = facts.plan.unavailable.iter();
        let missing = missing.map(|(probe, why)| (probe.tracepoint(), why.clone()));
        let started = Started {
            stamp: self.attached_at,
            scope,
            attached: self
                .kernel
                .attached()
                .iter()
                .map(kernel::plan::Probe::tracepoint)
                .collect(),
            missing: missing
                .chain(self.stacks.missing.clone())
                .chain(self.faults.missing.clone())
                .collect(),
            kernel_bytes: self.kernel_bytes(),
        };
        self.out.report(&Report::Started(started));
    }

    fn kernel_bytes(&self) -> u64 {
        self.kernel.bytes() + self.faults.bytes()
    }

    /// Takes what is in the ring, up to a budget; true where it is empty now.
    fn drain(&mut self) -> bool {
        let Self {
            ring,
            ledger,
            stacks,
            tally,
            procfs,
            ..
        } = self;
        ring.drain(|record| {
            tally.read += 1;
            take(ledger, stacks, tally, procfs, record);
        })
    }

    /// Takes everything that was in the ring when this was called. A flood may fill it as fast as
    /// it is emptied; once as much as the ring holds has been taken, what was there at first
    /// has been.
    fn drain_past(&mut self) {
        for _ in 0..self.kernel.ring_budgets() {
            if self.drain() {
                return;
            }
        }
    }

    /// Takes what is due from the nursery, and judges what has died once its stacks are unwound.
    fn sweep(&mut self) {
        self.own.tick(&self.kernel);
        self.sweep_older_than(SWEEP);
    }

    /// At the end nothing is left to be paired.
    fn sweep_all(&mut self) {
        self.sweep_older_than(Duration::ZERO);
    }

    fn sweep_older_than(&mut self, age: Duration) {
        self.advance();
        if self.stacks.is_unwinding() {
            return;
        }
        #[cfg(feature = "debug-log")]
        self.kernel.show_log();
        self.drain_past();
        let sweep = self.ledger.begin_sweep();
        let now = kernel::now();
        let cutoff = now.before(SWEEP);
        let Self {
            kernel,
            ledger,
            stacks,
            tally,
            procfs,
            ..
        } = self;
        let taken = kernel
            .nursery
            .sweep(now.before(age), &sweep.dead, |record| {
                take(ledger, stacks, tally, procfs, record);
            });
        self.tally.swept += taken;
        self.drain_past();
        self.judge_when_unwound(sweep, cutoff);
    }

    /// Processes that are watched and have not ended.
    fn running(&self) -> usize {
        self.ledger.processes.running().count()
    }

    /// Compares what is believed to run with `/proc`, after ends may have been lost.
    fn reconcile(&mut self) {
        let believed = self.ledger.processes.running();
        let believed: Vec<ProcessId> = believed.filter_map(|(_, id)| id).collect();
        for id in believed {
            if !self.procfs.is_alive(id) {
                self.ledger.missed_end(id);
            }
        }
    }

    /// Puts what a process had open before memguard came into the ledger.
    fn seed(&mut self, tgid: u32) {
        let Ok(id) = self.procfs.identity(tgid) else {
            return;
        };
        let parent = self.procfs.info(tgid).ok().and_then(|info| info.parent);
        let open = self.procfs.descriptors(tgid, None, usize::MAX);
        let open = open.map(|(numbers, _)| numbers).unwrap_or_default();
        self.ledger
            .processes
            .seed(id, parent, open.into_iter().collect());
    }
}

fn take(
    ledger: &mut Ledger,
    stacks: &mut Stacks,
    tally: &mut Tally,
    procfs: &Procfs,
    record: &[u8],
) {
    let Ok(event) = decode(record) else {
        tally.undecodable += 1;
        return;
    };
    match &event {
        Event::Acquired(acquired) => {
            let id = AcquisitionId::Handle(acquired.into());
            stacks.unwind(id, acquired.process, acquired.stamp, record);
        }
        // Nobody asks where memory was acquired that is gone with its process.
        Event::Mapped(mapped) if !ledger.memory.is_over(mapped.space, mapped.stamp) => {
            let id = AcquisitionId::Mapping(mapped.into());
            stacks.unwind(id, mapped.process, mapped.stamp, record);
        }
        Event::Attached(attached) => {
            learn(attached.segment, ledger, procfs);
            let id = AcquisitionId::Mapping(attached.id());
            stacks.unwind(id, attached.process, attached.stamp, record);
        }
        _ => {}
    }
    ledger.apply(event);
}

/// A segment that was made before memguard came, or by somebody who is not watched.
fn learn(id: i32, ledger: &mut Ledger, procfs: &Procfs) {
    if ledger.memory.knows_segment(id) {
        return;
    }
    if let Ok(Some(segment)) = procfs.segment(id) {
        let bytes = segment.size;
        ledger.memory.segment(model::memory::Segment { id, bytes });
    }
}

/// What helps where the kernel refuses.
const DOCTOR: &str = "memguard doctor says what is missing";

/// Counters of a map from names, for reports.
fn sorted(counters: HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut counters: Vec<_> = counters.into_iter().collect();
    counters.sort_unstable();
    counters
}
