//! Whom to watch: from what was named to what the kernel filters by, and to who runs now.

use std::path::Path;

use super::Agent;
use crate::{
    config::TargetConfig,
    engine::Input,
    facts::cgroup_members,
    failure::Failure,
    judge::question::{CensusRequest, Question},
    source::{kernel::Target, procfs::Procfs},
};

/// What the kernel filters by. Processes that were named exist.
pub(super) fn target(config: &TargetConfig) -> Result<Target, Failure> {
    let procfs = Procfs::new("/proc");
    if let Some(pid) = config.pids.iter().find(|pid| !procfs.exists(**pid)) {
        return Err(Failure::usage(format!("there is no process {pid}"))
            .fix("choose one that `ps -e` shows"));
    }
    if config.all {
        return Ok(Target::All);
    }
    if config.cgroups.is_empty() {
        return Ok(Target::Pids);
    }
    let cgroups = config.cgroups.iter().map(|path| cgroup(path));
    cgroups.collect::<Result<_, _>>().map(Target::Cgroups)
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
    let ancestors = full.ancestors().skip(1);
    let level = ancestors.take_while(|parent| is_v2(parent)).count() as u32;
    let id = inode(&full).ok_or_else(|| refuse("has no inode".to_owned()))?;
    Ok((id, level))
}

impl Agent {
    /// The processes to watch that run now. Those named are given to the kernel, which follows
    /// their children from then on; children born before are found by looking again.
    pub(super) fn find(
        &mut self,
        target: &Target,
        config: &TargetConfig,
    ) -> Result<Vec<u32>, Failure> {
        let list = |error| Failure::caused("cannot list processes", error);
        let own = std::process::id();
        if *target != Target::Pids {
            let mut all = match target {
                Target::All => self.procfs.processes().map_err(list)?,
                _ => config
                    .cgroups
                    .iter()
                    .flat_map(|path| cgroup_members(path))
                    .collect(),
            };
            all.retain(|tgid| *tgid != own);
            return Ok(all);
        }
        let mut roots = config.pids.clone();
        for tgid in self.procfs.processes().map_err(list)? {
            let name = self.procfs.name(tgid);
            if tgid != own && name.is_some_and(|name| config.comms.contains(&name)) {
                roots.push(tgid);
            }
        }
        self.watch_with_descendants(&roots)
    }

    fn watch_with_descendants(&mut self, roots: &[u32]) -> Result<Vec<u32>, Failure> {
        let list = |error| Failure::caused("cannot list processes", error);
        let own = std::process::id();
        let mut watched: Vec<u32> = Vec::new();
        loop {
            let found = self.procfs.with_descendants(roots).map_err(list)?;
            let is_new = |tgid: &u32| *tgid != own && !watched.contains(tgid);
            let new: Vec<_> = found.into_iter().filter(is_new).collect();
            if new.is_empty() {
                return Ok(watched);
            }
            for tgid in new {
                self.watch_process(tgid)?;
                watched.push(tgid);
            }
        }
    }

    /// Gives a process to the kernel.
    pub(super) fn watch_process(&mut self, tgid: u32) -> Result<(), Failure> {
        let full = |error| Failure::caused("cannot watch that many processes", error);
        self.kernel.watch(tgid).map_err(full)
    }

    /// Tells what a process had open before memguard came.
    pub(super) fn seed(&mut self, tgid: u32) -> Option<CensusRequest> {
        let process = self.procfs.identity(tgid).ok()?;
        let parent = self.procfs.info(tgid).ok().and_then(|info| info.parent);
        let open = self.procfs.descriptors(tgid, None, usize::MAX);
        let open = open.map(|(numbers, _)| numbers).unwrap_or_default();
        self.tell(Input::Seeded {
            process,
            parent,
            open: open.clone(),
        });
        Some(CensusRequest {
            tgid,
            preexisting: open,
        })
    }

    /// Asks what each of these holds.
    pub(super) fn ask_census(&mut self, requests: Vec<CensusRequest>) {
        self.core.ask(Question::Census(requests));
    }
}
