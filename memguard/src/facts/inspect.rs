//! A close look at one process: every handle is looked at twice, everything else once, with the
//! second look.

use super::fd_verifier::{FdVerifier, Outcome};
use crate::{
    judge::question::{Ceilings, Inspect, Inspected, Look},
    ledger::{HandleId, HeldFd},
    model::{
        memory::{Ceiling, Range},
        observed::Residency,
    },
    source::{kernel::NurseryReader, procfs::Procfs},
};

/// What the first look at the handles of a process has shown.
#[derive(Debug)]
pub(super) struct FirstLook {
    inspect: Inspect,
    looks: Vec<(HeldFd, Option<Look>)>,
}

impl FirstLook {
    /// Looks at every handle.
    pub(super) fn take(procfs: &Procfs, nursery: &NurseryReader, mut inspect: Inspect) -> Self {
        let handles = std::mem::take(&mut inspect.looks);
        let Some(verifier) = FdVerifier::of(procfs, nursery, inspect.process) else {
            let unknown = |held| (held, Some(Look::Unknown));
            let looks = handles.into_iter().map(unknown).collect();
            return Self { inspect, looks };
        };
        let looks = handles.into_iter().map(|mut held| {
            let look = verifier.look(&held);
            let look = settle(&mut held, look);
            (held, look)
        });
        Self {
            looks: looks.collect(),
            inspect,
        }
    }

    /// No handle need be looked at again.
    pub(super) fn is_final(&self) -> bool {
        self.looks.iter().all(|(_, look)| look.is_some())
    }

    /// Looks again at those that were seen for the first time, and at everything else.
    pub(super) fn finish(self, procfs: &Procfs, nursery: &NurseryReader) -> Inspected {
        let Self { inspect, looks } = self;
        let verifier = FdVerifier::of(procfs, nursery, inspect.process);
        let second = |(mut held, first): (HeldFd, Option<Look>)| {
            let look = first.or_else(|| {
                let look = verifier.as_ref()?.look(&held);
                settle(&mut held, look)
            });
            (
                HandleId::from(&held.acquired),
                look.unwrap_or(Look::Unknown),
            )
        };
        let looks = looks.into_iter().map(second).collect();
        let found = Inspected {
            looks,
            ..read(procfs, &inspect)
        };
        if procfs.is_alive(inspect.process) {
            found
        } else {
            Inspected::gone(&inspect)
        }
    }
}

/// What a look says for good; `None` where it is to be looked at again, which it remembers.
fn settle(held: &mut HeldFd, look: Outcome) -> Option<Look> {
    match look {
        Outcome::Verified { seen, identity } => Some(Look::Verified { seen, identity }),
        Outcome::Identified(identity) => {
            held.identity = Some(identity);
            None
        }
        Outcome::Refuted => Some(Look::Refuted),
        Outcome::Unknown => Some(Look::Unknown),
    }
}

/// Everything but the handles.
fn read(procfs: &Procfs, inspect: &Inspect) -> Inspected {
    let tgid = inspect.process.tgid;
    let mut found = Inspected::gone(inspect);
    found.alive = true;
    if inspect.info {
        let info = procfs.info(tgid).ok();
        found.info = info.filter(|info| info.id == inspect.process);
    }
    found.residency = residency(procfs, tgid, &inspect.ranges);
    if inspect.mapped {
        found.mapped = procfs.mapped_ranges(tgid).unwrap_or_default();
    }
    if inspect.shared_capacity {
        found.shared_capacity = procfs.shared_capacity(tgid).ok();
    }
    if inspect.runtime {
        found.runtime = procfs.runtime(tgid).ok().flatten();
    }
    found.ceilings = ceilings(procfs, inspect);
    found
}

fn residency(procfs: &Procfs, tgid: u32, ranges: &[Range]) -> Option<Vec<Residency>> {
    if ranges.is_empty() {
        return Some(Vec::new());
    }
    procfs.residency(tgid, ranges).ok()
}

fn ceilings(procfs: &Procfs, inspect: &Inspect) -> Ceilings {
    let (tgid, wanted) = (inspect.process.tgid, inspect.ceilings);
    let mut ceilings = Ceilings::default();
    if wanted.descriptors {
        ceilings.descriptors = descriptors(procfs, tgid);
    }
    if wanted.memory {
        ceilings.memory = procfs.memory_ceilings(tgid);
    }
    if wanted.threads {
        ceilings.threads = procfs.thread_ceilings(tgid);
    }
    if wanted.mappings {
        ceilings.mappings = procfs.map_ceiling(tgid);
    }
    if wanted.timers {
        ceilings.timers = procfs.timer_ceiling(tgid);
    }
    if wanted.watches {
        ceilings.watches = procfs.watch_ceiling(tgid);
    }
    if wanted.keys {
        ceilings.keys = procfs.key_ceiling(tgid);
    }
    ceilings
}

fn descriptors(procfs: &Procfs, tgid: u32) -> Option<Ceiling> {
    Some(Ceiling {
        name: "RLIMIT_NOFILE",
        value: procfs.nofile_limit(tgid)?,
        used: procfs.descriptor_count(tgid).ok()?,
    })
}
