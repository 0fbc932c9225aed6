//! Growth of whole control groups: of many processes, or one after the other, none of which grows
//! by itself.

use std::path::{Path, PathBuf};

use super::{Agent, watch::members};
use crate::{
    detect::growth::{Growth, Monitor, Outcome, Series},
    ledger::population::GroupId,
    model::{
        course::Course,
        finding::{Finding, Resolution},
        ids::{ProcessId, Stamp},
        resource::Kind,
    },
};

/// One that was named with `--cgroup`.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    monitor: Monitor,
}

/// What is known of the sizes of control groups.
#[derive(Debug, Default)]
pub(super) struct Cgroups {
    watched: Vec<Watched>,
}

impl Cgroups {
    /// Of these, which are directories.
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        let watched = paths.iter().map(|path| Watched {
            path: path.clone(),
            monitor: Monitor::new(Series::of_bytes()),
        });
        Self {
            watched: watched.collect(),
        }
    }
}

impl Agent {
    /// Samples and judges every group. One of which a member grows by itself is not told beside it.
    pub(super) fn judge_cgroups(&mut self, now: Stamp) {
        if !self.judging.wants(Kind::HeapAnon) {
            return;
        }
        let mut cgroups = std::mem::take(&mut self.cgroups);
        for (index, Watched { path, monitor }) in cgroups.watched.iter_mut().enumerate() {
            let members = self.sampled(&members(path));
            let bytes = members.iter().map(|(_, bytes)| *bytes);
            let bytes = bytes.fold(0, u64::saturating_add);
            let largest = members.iter().max_by_key(|(_, bytes)| *bytes);
            let outcome = monitor.observe(self.usages.sizes(), now, bytes);
            let group = group(index);
            match (outcome, largest) {
                (Outcome::Growing(growth), Some((largest, _))) if !self.one_grows(&members) => {
                    let history = monitor.series().course();
                    self.cgroup_grows((group, path), *largest, (growth, history), now);
                }
                _ => self.resolve(group, Resolution::Stopped, now),
            }
        }
        self.cgroups = cgroups;
    }

    /// Anonymous memory of those of these thread groups that are sampled, in bytes.
    fn sampled(&self, tgids: &[u32]) -> Vec<(ProcessId, u64)> {
        let sizes = self.usages.sizes_now();
        sizes
            .filter(|(process, _)| tgids.contains(&process.tgid))
            .collect()
    }

    fn one_grows(&self, members: &[(ProcessId, u64)]) -> bool {
        let outcome = |process| self.usages.outcome(process, Kind::HeapAnon);
        members
            .iter()
            .any(|(process, _)| outcome(*process).growing().is_some())
    }

    fn cgroup_grows(
        &mut self,
        (group, path): (GroupId, &Path),
        largest: ProcessId,
        (growth, history): (Growth, Option<Course>),
        now: Stamp,
    ) {
        let of = GroupId::of(largest, group.kind);
        let finding = self.describe_growth(of, growth, Vec::new(), now);
        let cgroup = path.display().to_string();
        let parts = ["cgroup".to_owned(), cgroup.clone()];
        let finding = Finding {
            fingerprint: crate::findings::fingerprint::hash(parts),
            cgroup: Some(cgroup),
            history,
            ..finding
        };
        self.tell(group, finding, now);
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
