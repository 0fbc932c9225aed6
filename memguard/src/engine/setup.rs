//! What an engine is made of.

use std::path::PathBuf;

use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};

use super::{
    Engine, Tally, apply::Attaching, conclude::Telling, ended::EndedQueue, groups::Groups,
    passes::Passes, short_lives::ShortLived,
};
use crate::{
    config::DetectConfig,
    judge::{
        Context,
        cgroups::Cgroups,
        context::{
            identities::Identities, losses::Losses, names::Names, whole_stacks::WholeStacks,
        },
        exhaustion::Exhaustion,
        fault_sites::FaultSites,
        hoard::Hoards,
        persistent::PersistentObjects,
        sampler::Sampler,
        untracked::Untracked,
        usage::Usages,
        watches::Watches,
        zombies::Zombies,
    },
    ledger::Ledger,
    model::{
        baseline::BaselineRecord,
        ids::{ProcessId, Stamp},
    },
};

/// Everything that an engine is told before its first input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// How to judge.
    pub config: DetectConfig,
    /// When the programs were attached.
    pub attached_at: Stamp,
    /// memguard's own process.
    pub own: u32,
    /// How long the host was suspended since its boot.
    #[serde(default)]
    pub suspended: std::time::Duration,
    /// Tracepoints that could not be attached although the kernel may pass them.
    pub blind: Vec<String>,
    /// There is somebody who names stacks.
    pub names: bool,
    /// The host has swap space.
    pub swaps: bool,
    /// Page faults are sampled.
    pub faults: bool,
    /// Control groups that are judged as a whole.
    pub cgroups: Vec<PathBuf>,
    /// What an earlier run knew; `None` where nothing is kept.
    pub kept: Option<Vec<(ProcessId, BaselineRecord)>>,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(setup: Setup) -> Self {
        let Setup { config, .. } = &setup;
        let mut ledger = Ledger::new();
        ledger.populations.count_as_long(config.min_age);
        let sampler = Sampler::new(config.sample_interval.unwrap_or(config.interval));
        let watches = Watches::new(Sampler::new(config.interval));
        Self {
            groups: Groups::new(config.throttle),
            usages: Usages::new(sampler, config.sizes, setup.swaps),
            context: Context {
                ledger,
                names: Names::new(setup.names),
                whole_stacks: WholeStacks::default(),
                identities: Identities::default(),
                losses: Losses::without(setup.blind),
                attached_at: setup.attached_at,
                now: setup.attached_at,
                own: setup.own,
                suspended: setup.suspended,
                full: HashSet::new(),
                config: setup.config,
            },
            untracked: Untracked::default(),
            zombies: Zombies::default(),
            watches,
            persistent: PersistentObjects::default(),
            cgroups: Cgroups::new(&setup.cgroups),
            fault_sites: FaultSites::new(setup.faults),
            exhaustion: Exhaustion::default(),
            hoards: Hoards::default(),
            passes: Passes::default(),
            telling: Telling::default(),
            ended: EndedQueue::default(),
            attaching: Attaching::default(),
            short_lives: ShortLived::default(),
            holders: HashSet::new(),
            sweep: None,
            survey: None,
            sampling: false,
            identified: HashMap::new(),
            gone: HashMap::new(),
            gone_numbers: HashMap::new(),
            kept: setup.kept.map(|kept| kept.into_iter().collect()),
            looks_ended_at: None,
            effects: Vec::new(),
            tally: Tally::default(),
        }
    }
}
