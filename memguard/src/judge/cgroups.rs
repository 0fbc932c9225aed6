//! Growth of whole control groups: of many processes, or one after the other, none of which grows
//! by itself.

use std::path::{Path, PathBuf};

use super::{Context, usage::Usages};
use crate::{
    detect::growth::{Growth, Monitor, Outcome, Series},
    findings::fingerprint,
    ledger::population::GroupId,
    model::{finding::Finding, ids::ProcessId, resource::Kind, series_summary::SeriesSummary},
};

/// One that was named with `--cgroup`.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    monitor: Monitor,
}

/// What is known of the sizes of control groups.
#[derive(Debug, Default)]
pub struct Cgroups {
    watched: Vec<Watched>,
}

/// A control group that grows.
#[derive(Clone, Debug)]
pub struct GrowingCgroup {
    /// Which, in the order they were named.
    pub index: usize,
    /// Its largest member.
    pub largest: ProcessId,
    /// How it grows.
    pub growth: Growth,
    /// Its size over time.
    pub history: Option<SeriesSummary>,
}

impl Cgroups {
    /// Of these, which are directories.
    pub fn new(paths: &[PathBuf]) -> Self {
        let watched = paths.iter().map(|path| Watched {
            path: path.clone(),
            monitor: Monitor::new(Series::of_bytes()),
        });
        Self {
            watched: watched.collect(),
        }
    }

    /// The directories.
    pub fn paths(&self) -> Vec<PathBuf> {
        let paths = self.watched.iter().map(|watched| &watched.path);
        paths.cloned().collect()
    }

    /// Takes the members of every group, and says which grow; the others do not. One of which a
    /// member grows by itself is not told beside it.
    pub fn observe(
        &mut self,
        members: &[Vec<u32>],
        context: &Context,
        usages: &Usages,
    ) -> Vec<(GroupId, Option<GrowingCgroup>)> {
        let groups = self.watched.iter_mut().zip(members).enumerate();
        let observed = groups.map(|(index, (watched, members))| {
            let growing = watched.observe(index, members, context, usages);
            (group(index), growing)
        });
        observed.collect()
    }

    /// The finding; `of_largest` is one about the largest member.
    pub fn describe(&self, growing: &GrowingCgroup, of_largest: Finding) -> Option<Finding> {
        let path = &self.watched.get(growing.index)?.path;
        Some(named(path, growing.history.clone(), of_largest))
    }
}

impl Watched {
    fn observe(
        &mut self,
        index: usize,
        members: &[u32],
        context: &Context,
        usages: &Usages,
    ) -> Option<GrowingCgroup> {
        let sizes = usages.sizes_now();
        let members: Vec<(ProcessId, u64)> = sizes
            .filter(|(process, _)| members.contains(&process.tgid))
            .collect();
        let bytes = members.iter().map(|(_, bytes)| *bytes);
        let bytes = bytes.fold(0, u64::saturating_add);
        let outcome = self
            .monitor
            .observe(&context.config.sizes, context.now, bytes);
        let (largest, _) = members
            .iter()
            .max_by_key(|(process, bytes)| (*bytes, *process))?;
        let one_grows = members.iter().any(|(process, _)| {
            let outcome = usages.outcome(*process, Kind::HeapAnon);
            outcome.growing().is_some()
        });
        let Outcome::Growing(growth) = outcome else {
            return None;
        };
        (!one_grows).then(|| GrowingCgroup {
            index,
            largest: *largest,
            growth,
            history: self.monitor.series().summary(),
        })
    }
}

fn named(path: &Path, history: Option<SeriesSummary>, of_largest: Finding) -> Finding {
    let cgroup = path.display().to_string();
    let parts = ["cgroup".to_owned(), cgroup.clone()];
    Finding {
        fingerprint: fingerprint::hash(parts),
        cgroup: Some(cgroup),
        history,
        ..of_largest
    }
}

/// No process has the number 0.
fn group(index: usize) -> GroupId {
    let none = ProcessId {
        tgid: 0,
        start_ticks: index as u64,
    };
    GroupId::of(none, Kind::HeapAnon)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        detect::growth::Rules,
        judge::{
            sampler::Sampler,
            testing::{PROCESS, context, second},
        },
        model::memory::Usage,
    };

    /// Of 1 000 samples, a second apart, what the last says.
    fn observed(bytes: impl Fn(u64) -> u64) -> Option<GrowingCgroup> {
        let rules = Rules::default();
        let mut usages = Usages::new(Sampler::new(Duration::from_secs(1)), rules, false);
        let mut cgroups = Cgroups::new(&["/sys/fs/cgroup/x".into()]);
        let mut context = context();
        let mut last = None;
        for at in 0..1_000 {
            context.now = second(100 + at);
            // A process of its own each time: none of them grows by itself.
            usages.forget(PROCESS);
            let usage = Usage {
                anonymous_bytes: bytes(at),
                ..Usage::default()
            };
            usages.sampled(PROCESS, usage, context.now, None);
            let mut observed = cgroups.observe(&[vec![PROCESS.tgid]], &context, &usages);
            last = observed.pop().and_then(|(_, growing)| growing);
        }
        last
    }

    #[test]
    fn a_group_grows_though_none_of_its_processes_does() {
        let growing = observed(|at| (1 << 28) + at * (1 << 20));
        assert_eq!(growing.map(|it| it.largest), Some(PROCESS));
        assert!(observed(|_| 1 << 28).is_none(), "flat");
    }
}
