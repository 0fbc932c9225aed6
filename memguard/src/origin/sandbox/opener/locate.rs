//! Finding the file that a process has mapped: as long as it lives through its own mappings, after
//! that by its path.

use std::{
    fs::File,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use super::{
    elf::{ElfSummary, summary},
    process::bare,
    regular::{directory, open_in, open_link},
};
use crate::{
    model::origin::BuildId,
    origin::symbolize::wire::{MappedFile, Process, unhex},
};

/// Most mappings of a process that are searched; the kernel's own default limit.
const MAPPINGS: usize = 65_530;

/// Most descriptors of the agent that are looked through.
const DESCRIPTORS: usize = 1024;

/// The file.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) file: File,
    pub(super) about: ElfSummary,
}

/// A file that may be the one.
struct Candidate {
    file: File,
    /// Nothing but the path says that it is.
    by_path: bool,
}

/// The first file that proves to be the one, or why there is none.
pub(super) fn locate(process: &Process, file: &MappedFile) -> Result<Located, String> {
    let wanted = file.build_id.as_deref().and_then(unhex);
    let wanted = wanted.and_then(|bytes| BuildId::new(&bytes));
    let places: &[Find] = if process.is_alive() {
        &[mapped, executable, in_root, by_path]
    } else {
        &[by_path]
    };
    // A file that was found and is another one says more than one that was not found.
    let (mut refused, mut missed) = (None, String::new());
    for find in places {
        match find(process, file).map(|candidate| check(candidate, wanted, process)) {
            Ok(Ok(located)) => return Ok(located),
            Ok(Err(reason)) => refused = Some(reason),
            Err(reason) => missed = reason,
        }
    }
    let kept = kept(file).and_then(|file| check(file, wanted, process).ok());
    kept.ok_or_else(|| refused.unwrap_or(missed))
}

type Find = fn(&Process, &MappedFile) -> Result<Candidate, String>;

fn check(
    candidate: Candidate,
    wanted: Option<BuildId>,
    process: &Process,
) -> Result<Located, String> {
    let Candidate { file, by_path } = candidate;
    let about = summary(&file).map_err(|error| format!("no ELF file: {error}"))?;
    if wanted.is_some() && wanted != about.build_id {
        return Err("the file was replaced: it has another build id".to_owned());
    }
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if wanted.is_none() && by_path && !process.found(&metadata) {
        return Err("the file has changed since the process began".to_owned());
    }
    Ok(Located { file, about })
}

/// Through the mapping itself: right also where the file was deleted or replaced.
fn mapped(process: &Process, file: &MappedFile) -> Result<Candidate, String> {
    let folder = process.folder().join("map_files");
    let entries = folder.read_dir().map_err(|error| error.to_string())?;
    let ours = entries.take(MAPPINGS).find_map(|entry| {
        let name = entry.ok()?.file_name();
        let name = name.to_str()?;
        let (start, end) = name.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let inside = (number(start)?..number(end)?).contains(&file.ip);
        inside.then(|| folder.join(name))
    });
    let link = ours.ok_or("not mapped any more")?;
    // A build id tells more than the path.
    linked(&link, process, file, file.build_id.is_none())
}

/// The file that the process runs, also where it was deleted or replaced.
fn executable(process: &Process, file: &MappedFile) -> Result<Candidate, String> {
    linked(&process.folder().join("exe"), process, file, true)
}

fn linked(
    link: &Path,
    process: &Process,
    file: &MappedFile,
    by_name: bool,
) -> Result<Candidate, String> {
    let path = link.read_link().map_err(|error| error.to_string())?;
    if by_name && !process.calls(&path.to_string_lossy(), &file.path) {
        return Err("another file is mapped there".to_owned());
    }
    let file = open_link(link).map_err(|error| error.to_string())?;
    Ok(Candidate {
        file,
        by_path: false,
    })
}

/// As the process finds it now.
fn in_root(process: &Process, file: &MappedFile) -> Result<Candidate, String> {
    let root = process.root().map_err(|error| error.to_string())?;
    found(&root, file)
}

/// As everybody finds it.
fn by_path(_: &Process, file: &MappedFile) -> Result<Candidate, String> {
    let root = directory(Path::new("/")).map_err(|error| error.to_string())?;
    found(&root, file)
}

/// As the agent keeps it open, having unwound by it: all that is left of a file that was deleted or
/// replaced, or of a container that is gone.
fn kept(file: &MappedFile) -> Option<Candidate> {
    let wanted = file.build_id.as_deref().and_then(unhex)?;
    let agent = rustix::process::getppid()?;
    let folder = format!("/proc/{}/fd", agent.as_raw_nonzero());
    let entries = Path::new(&folder).read_dir().ok()?;
    let mut files = entries
        .take(DESCRIPTORS)
        .filter_map(|entry| open_link(&entry.ok()?.path()).ok());
    let is_wanted = |file: &File| {
        let found = summary(file).ok().and_then(|about| about.build_id);
        found.is_some_and(|found| found.bytes() == wanted)
    };
    let file = files.find(is_wanted)?;
    Some(Candidate {
        file,
        by_path: false,
    })
}

fn found(root: &OwnedFd, file: &MappedFile) -> Result<Candidate, String> {
    let file = open_in(root.as_fd(), Path::new(bare(&file.path)));
    let file = file.map_err(|error| error.to_string())?;
    Ok(Candidate {
        file,
        by_path: true,
    })
}
