//! Growth of whole control groups: of many processes, or one after the other, none of which grows
//! by itself.

use std::path::{Path, PathBuf};

use super::{Agent, watch::members};
use crate::{
    detect::growth::{Growth, Monitor, Outcome, Series},
    ledger::population::GroupId,
    model::{
        finding::Finding,
        ids::{ProcessId, Stamp},
        report::Report,
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

/// How a group stands now.
struct Size {
    /// Anonymous memory of all members, in bytes.
    bytes: u64,
    /// The largest member.
    largest: Option<ProcessId>,
}

impl Agent {
    /// Samples and judges every group. One of which a member grows by itself is not told beside it.
    pub(super) fn judge_cgroups(&mut self, now: Stamp) {
        if !self.judging.wants(Kind::HeapAnon) {
            return;
        }
        let mut cgroups = std::mem::take(&mut self.cgroups);
        for (index, Watched { path, monitor }) in cgroups.watched.iter_mut().enumerate() {
            let size = self.size_of(path);
            let outcome = monitor.observe(self.usages.sizes(), now, size.bytes);
            let group = group(index);
            match (outcome, size.largest) {
                (Outcome::Growing(growth), Some(largest)) if !self.member_grows(path) => {
                    self.cgroup_grows(group, path, largest, growth, now);
                }
                _ => self.resolve(group, now),
            }
        }
        self.cgroups = cgroups;
    }

    fn size_of(&self, path: &Path) -> Size {
        let tgids = members(path);
        let of_group = self.usages.sizes_now();
        let of_group = of_group.filter(|(process, _)| tgids.contains(&process.tgid));
        let mut size = Size {
            bytes: 0,
            largest: None,
        };
        let mut most = 0;
        for (process, bytes) in of_group {
            size.bytes = size.bytes.saturating_add(bytes);
            if bytes >= most {
                (most, size.largest) = (bytes, Some(process));
            }
        }
        size
    }

    fn member_grows(&self, path: &Path) -> bool {
        let tgids = members(path);
        let outcomes = self.usages.outcomes();
        let growing = outcomes.iter().filter(|(process, kind, outcome)| {
            let grows = outcome.growing().is_some() && *kind == Kind::HeapAnon;
            grows && tgids.contains(&process.tgid)
        });
        growing.count() > 0
    }

    fn cgroup_grows(
        &mut self,
        group: GroupId,
        path: &Path,
        largest: ProcessId,
        growth: Growth,
        now: Stamp,
    ) {
        let of = GroupId {
            process: largest,
            ..group
        };
        let finding = self.describe_growth(of, growth, Vec::new(), now);
        let cgroup = path.display().to_string();
        let parts = ["cgroup".to_owned(), cgroup.clone()];
        let finding = Finding {
            fingerprint: crate::findings::fingerprint(parts),
            cgroup: Some(cgroup),
            suggestion: Some("look which of its processes become larger, or more".to_owned()),
            ..finding
        };
        if let Some(finding) = self.findings.judged(group, finding, now) {
            self.out.report(&Report::Finding(Box::new(finding)));
        }
    }
}

/// No process has the number 0.
fn group(index: usize) -> GroupId {
    GroupId {
        process: ProcessId {
            tgid: 0,
            start_ticks: index as u64,
        },
        kind: Kind::HeapAnon,
        stack: None,
        topic: None,
    }
}
