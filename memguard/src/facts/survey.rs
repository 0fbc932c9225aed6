//! The periodic look at everything that is watched.

use super::cgroup_members::cgroup_members;
use crate::{
    judge::question::{
        DescriptorRequest, InfoRequest, Survey, SurveyRequest, Surveyed, SurveyedProcess,
        UsageRequest,
    },
    model::{ids::ProcessId, memory::Usage},
    source::{kernel::NurseryReader, procfs::Procfs},
};

/// Most descriptors of a process that are compared, 0.9 µs each; beyond it nothing is found.
const LISTED: usize = 65_536;

/// Looks once.
pub(super) fn survey(procfs: &Procfs, nursery: &NurseryReader, survey: &Survey) -> Surveyed {
    let mut surveyed = Surveyed {
        zombies: zombies(procfs, &survey.ended),
        cgroups: survey
            .cgroups
            .iter()
            .map(|path| cgroup_members(path))
            .collect(),
        ..Surveyed::default()
    };
    let identity = |tgid: &u32| procfs.identity(*tgid).ok();
    surveyed.identified = survey.unidentified.iter().filter_map(identity).collect();
    for request in &survey.processes {
        match process(procfs, nursery, request) {
            Some(found) => surveyed.processes.push(found),
            None => surveyed.gone.push(request.process),
        }
    }
    surveyed
}

/// Of those that are there.
pub(super) fn samples(
    procfs: &Procfs,
    nursery: &NurseryReader,
    requests: &[SurveyRequest],
) -> Vec<SurveyedProcess> {
    let found = requests.iter().map(|it| process(procfs, nursery, it));
    found.flatten().collect()
}

/// `None` where it has gone.
fn process(
    procfs: &Procfs,
    nursery: &NurseryReader,
    request: &SurveyRequest,
) -> Option<SurveyedProcess> {
    let mut found = SurveyedProcess {
        process: request.process,
        usage: None,
        ceilings: Vec::new(),
        info: None,
        descriptor_count: None,
        open: None,
        modes: Vec::new(),
        watches: None,
    };
    if let Some(usage) = request.usage {
        sample(procfs, usage, &mut found);
    }
    if let Some(descriptors) = &request.descriptors {
        compare(procfs, nursery, descriptors, &mut found);
    }
    if request.watches {
        found.watches = procfs.inotify_watches(request.process.tgid);
    }
    let something = found.usage.is_some() || found.descriptor_count.is_some_and(|count| count > 0);
    (something || is_there(procfs, request.process)).then_some(found)
}

/// One that waits for its parent has ended.
fn is_there(procfs: &Procfs, process: ProcessId) -> bool {
    procfs.is_alive(process) && !procfs.is_zombie(process)
}

fn sample(procfs: &Procfs, request: UsageRequest, found: &mut SurveyedProcess) {
    let process = found.process;
    // Of one that has ended, or is about to, its exit tells.
    let usage = usage(procfs, process.tgid, request).filter(|_| procfs.is_alive(process));
    let Some(usage) = usage else {
        return;
    };
    let near = usage.anonymous_bytes >= request.near;
    if near {
        found.ceilings = procfs.memory_ceilings(process.tgid);
    }
    if request.info == InfoRequest::Yes || (near && request.info == InfoRequest::WhereNear) {
        let info = procfs.info(process.tgid).ok();
        found.info = info.filter(|info| info.id == process);
    }
    found.usage = Some(usage);
}

fn usage(procfs: &Procfs, tgid: u32, request: UsageRequest) -> Option<Usage> {
    let mut usage = procfs.usage(tgid, request.detail)?;
    if let Some((size, threads)) = request.last {
        let unchanged = threads.filter(|_| usage.size_bytes == size);
        let counted = || unchanged.or_else(|| procfs.thread_count(tgid));
        usage.threads = usage.threads.or_else(counted);
    }
    Some(usage)
}

fn compare(
    procfs: &Procfs,
    nursery: &NurseryReader,
    request: &DescriptorRequest,
    found: &mut SurveyedProcess,
) {
    let tgid = found.process.tgid;
    let Ok(count) = procfs.descriptor_count(tgid) else {
        return;
    };
    found.descriptor_count = Some(count);
    if request.last_count == Some(count) {
        return;
    }
    let Ok((open, false)) = procfs.descriptors(tgid, None, LISTED) else {
        return;
    };
    let is_young = |fd: u32| nursery.youngest(request.table, fd).is_some();
    found.open = Some(open.into_iter().filter(|fd| !is_young(*fd)).collect());
    let mode = |fd: &u32| {
        let seen = procfs.look(tgid, tgid, *fd).ok().flatten()?;
        Some((*fd, seen.mode))
    };
    found.modes = request.suspects.iter().filter_map(mode).collect();
}

fn zombies(procfs: &Procfs, ended: &[ProcessId]) -> Vec<(ProcessId, Option<ProcessId>)> {
    let zombies = ended.iter().filter(|process| procfs.is_zombie(**process));
    let with_parent = zombies.map(|process| {
        let parent = procfs.parent(*process);
        let parent = parent.and_then(|parent| procfs.identity(parent).ok());
        (*process, parent)
    });
    with_parent.collect()
}
