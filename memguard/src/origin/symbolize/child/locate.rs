//! Finding the file that a process has mapped: as long as it lives through its own mappings, after
//! that by its path.

use std::{
    fs::File,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

use super::{
    super::wire::{Request, unhex},
    elf::{Facts, facts},
    regular::{directory, open_in, open_link},
};
use crate::model::origin::BuildId;

/// Most mappings of a process that are searched; the kernel's own default limit.
const MAPPINGS: usize = 65_530;

/// The file.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) file: File,
    pub(super) facts: Facts,
}

/// A file that may be the one.
struct Candidate {
    file: File,
    /// Nothing but the path says that it is.
    by_path: bool,
}

/// The first file that proves to be the one, or why there is none.
pub(super) fn locate(request: &Request) -> Result<Located, String> {
    let wanted = request.build_id.as_deref().and_then(unhex);
    let wanted = wanted.and_then(|bytes| BuildId::new(&bytes));
    // A file that was found and is another one says more than one that was not found.
    let (mut refused, mut missed) = (None, String::new());
    for find in [mapped, in_root, executable, by_path] {
        match find(request).map(|candidate| check(candidate, wanted, request)) {
            Ok(Ok(located)) => return Ok(located),
            Ok(Err(reason)) => refused = Some(reason),
            Err(reason) => missed = reason,
        }
    }
    Err(refused.unwrap_or(missed))
}

fn check(
    candidate: Candidate,
    wanted: Option<BuildId>,
    request: &Request,
) -> Result<Located, String> {
    let Candidate { file, by_path } = candidate;
    let facts = facts(&file).map_err(|error| format!("no ELF file: {error}"))?;
    match wanted {
        Some(_) if wanted == facts.build_id => {}
        Some(_) => return Err("the file was replaced: it has another build id".to_owned()),
        None if by_path && !older(&file, request.start_ticks) => {
            return Err("the file has changed since the process began".to_owned());
        }
        None => {}
    }
    Ok(Located { file, facts })
}

/// Whether a file was last changed before the process began: then it is the one that it found
/// there. A file that was put in the place of another has a younger change time, whatever its
/// modification time says. The beginning is known to a clock tick.
fn older(file: &File, start_ticks: u64) -> bool {
    let now = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    let boot = now(ClockId::Realtime).saturating_sub(now(ClockId::Boottime));
    let began = boot + Duration::from_millis(start_ticks.saturating_add(1).saturating_mul(10));
    let time = |metadata: std::fs::Metadata| {
        let (seconds, nanos) = (metadata.ctime(), metadata.ctime_nsec());
        Some(Duration::new(
            seconds.try_into().ok()?,
            nanos.try_into().ok()?,
        ))
    };
    let changed = file.metadata().ok().and_then(time);
    changed.is_some_and(|changed| changed < began)
}

/// Through the mapping itself: right also where the file was deleted or replaced.
fn mapped(request: &Request) -> Result<Candidate, String> {
    let folder = process(request).join("map_files");
    let entries = folder.read_dir().map_err(|error| error.to_string())?;
    let ours = entries.take(MAPPINGS).find_map(|entry| {
        let name = entry.ok()?.file_name();
        let name = name.to_str()?;
        let (start, end) = name.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let inside = (number(start)?..number(end)?).contains(&request.ip);
        inside.then(|| folder.join(name))
    });
    linked(&ours.ok_or("not mapped any more")?, request)
}

/// The file of the process that runs it, also where it was deleted or replaced.
fn executable(request: &Request) -> Result<Candidate, String> {
    linked(&process(request).join("exe"), request)
}

fn linked(link: &Path, request: &Request) -> Result<Candidate, String> {
    let path = link.read_link().map_err(|error| error.to_string())?;
    let path = path.to_string_lossy();
    if bare(&path) != bare(&request.path) {
        return Err("another file is mapped there".to_owned());
    }
    let file = open_link(link).map_err(|error| error.to_string())?;
    Ok(Candidate {
        file,
        by_path: false,
    })
}

/// As the process finds it now.
fn in_root(request: &Request) -> Result<Candidate, String> {
    found(
        &process_root(request).map_err(|error| error.to_string())?,
        request,
    )
}

/// As everybody finds it.
fn by_path(request: &Request) -> Result<Candidate, String> {
    found(
        &directory(Path::new("/")).map_err(|error| error.to_string())?,
        request,
    )
}

fn found(root: &OwnedFd, request: &Request) -> Result<Candidate, String> {
    let file = open_in(root.as_fd(), Path::new(bare(&request.path)));
    let file = file.map_err(|error| error.to_string())?;
    Ok(Candidate {
        file,
        by_path: true,
    })
}

/// The root directory of the process, while it lives.
pub(super) fn process_root(request: &Request) -> std::io::Result<OwnedFd> {
    directory(&process(request).join("root"))
}

/// The path of a file that may have been deleted.
pub(super) fn bare(path: &str) -> &str {
    path.strip_suffix(" (deleted)").unwrap_or(path)
}

fn process(request: &Request) -> PathBuf {
    Path::new(&request.procfs).join(request.tgid.to_string())
}
