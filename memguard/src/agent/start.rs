//! Loads, attaches, and starts the threads.

use super::{Agent, Core, DOCTOR, LossReader, origins::OriginClient, outputs::Outputs, sizes};
use crate::{
    config::{CommonConfig, DetectConfig, Kinds},
    cost,
    engine::{Engine, Setup},
    facts::Facts,
    failure::Failure,
    model::{
        baseline::BaselineRecord,
        ids::ProcessId,
        report::{Report, Started},
        status::{Component, ComponentStatus},
    },
    preflight::KernelSupport,
    recording::Recorder,
    source::{
        kernel::{
            self, Kernel, OwnTime,
            faults::Faults,
            plan::{Probe, Wanted},
        },
        procfs::Procfs,
    },
};

/// What a `watch` wants beyond what every agent has.
#[derive(Debug, Default)]
pub(super) struct Extras {
    /// Page faults are to be sampled.
    pub(super) faults: bool,
    /// Control groups that are judged as a whole.
    pub(super) cgroups: Vec<std::path::PathBuf>,
    /// What an earlier run knew.
    pub(super) kept: Option<Vec<(ProcessId, BaselineRecord)>>,
}

/// Which calls are to be traced for these kinds.
pub(super) fn wanted(kinds: Kinds) -> Wanted {
    Wanted {
        memory: kinds.mmap || kinds.heap,
        rare: kinds.rare,
    }
}

impl Agent {
    /// Loads and attaches. Nothing is watched yet.
    pub(super) fn start(
        support: &KernelSupport,
        config: (&CommonConfig, DetectConfig),
        out: Outputs,
        extras: Extras,
    ) -> Result<Self, Failure> {
        let (common, detect) = config;
        let load = |error| Failure::caused("cannot load the BPF programs", error).fix(DOCTOR);
        let sizes = sizes(common.sizes);
        let mut kernel = Kernel::load(support.layout, &support.plan, sizes).map_err(load)?;
        let attach = |error| Failure::caused("cannot attach the BPF programs", error).fix(DOCTOR);
        let attached_at = kernel.attach(&support.plan).map_err(attach)?;
        let poll = |error| Failure::caused("cannot poll the ring buffer", error);
        let ring = kernel.ring().map_err(poll)?;
        let origins = OriginClient::start();
        let procfs = Procfs::new("/proc");
        let faults = extras.faults.then(Faults::open);
        let fault_status = faults.as_ref();
        let fault_status =
            fault_status.map(|it| ComponentStatus::of(Component::PageFaultSamples, it));
        let faults = faults.and_then(Result::ok);
        let setup = Setup {
            config: detect,
            attached_at,
            own: std::process::id(),
            suspended: kernel::suspended(),
            blind: support.plan.blind().collect(),
            names: origins.are_available(),
            swaps: procfs.swaps(),
            faults: faults.is_some(),
            cgroups: extras.cgroups,
            kept: extras.kept,
        };
        let recorder = common.record.as_deref();
        let recorder = recorder.map(|path| Recorder::create(path, &setup));
        let recorder = recorder.transpose()?;
        let worker = |error| Failure::caused("cannot start the thread that reads /proc", error);
        let facts = Facts::start("/proc".into(), kernel.nursery.reader()).map_err(worker)?;
        Ok(Self {
            kernel,
            own: OwnTime::default(),
            ring,
            core: Core::new(Box::new(Engine::new(setup)), facts, origins, out, recorder),
            faults,
            fault_status,
            tracepoints: support.plan.statuses().collect(),
            procfs,
            losses: LossReader::default(),
            unwinding: None,
            attached_at,
            cpu_at_start: cost::cpu(),
        })
    }

    /// How every part is doing.
    pub(super) fn components(&self) -> Vec<ComponentStatus> {
        let tracepoints = self.tracepoints.iter().cloned();
        let others = [self.core.origins.status.clone()];
        let others = others.into_iter().chain(self.fault_status.clone());
        tracepoints.chain(others).collect()
    }

    /// Tells that it has begun: whoever is to be watched is, from now on.
    pub(super) fn announce(&mut self, scope: String) {
        let attached = self.kernel.attached().iter();
        let missing = self.components();
        let started = Started {
            stamp: self.attached_at,
            scope,
            attached: attached.map(Probe::tracepoint).collect(),
            missing: missing
                .iter()
                .filter_map(ComponentStatus::missing)
                .collect(),
            kernel_bytes: self.kernel_bytes(),
        };
        self.core.report(Report::Started(started));
    }
}
