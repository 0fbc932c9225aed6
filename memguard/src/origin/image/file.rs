//! Finds the file that a process has mapped, and makes sure that it is that file.

use std::{
    fs::{File, Metadata},
    io,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::Path,
};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, fstatfs, openat, openat2},
    io::Errno,
};

use super::elf::{Bytes, Elf, ImageError};
use crate::model::origin::Mapping;

/// File systems that somebody else answers for: FUSE, NFS, Ceph, 9P, AFS, SMB in three versions;
/// `statfs(2)`.
const DISTANT: [i64; 8] = [
    0x6573_5546,
    0x6969,
    0x00c3_6400,
    0x0102_1997,
    0x5346_414f,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
];

/// Which file, and which content of it. A build id is not enough: anybody may give a file any, and
/// would spoil the stacks of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileKey {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl FileKey {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Opens the file of a mapping: through the memory of one of `processes`, which works for removed
/// files too, then in the file system that one of them sees, then by its path.
pub(super) fn find(
    procfs: &Path,
    processes: &[u32],
    mapping: &Mapping,
) -> Result<(Elf, FileKey), ImageError> {
    let mut error = ImageError::Gone;
    for process in processes {
        let process = procfs.join(process.to_string());
        for lookup in [Lookup::MapFiles(&process), Lookup::ProcessRoot(&process)] {
            match open(&lookup, mapping) {
                Ok(found) => return Ok(found),
                Err(ImageError::Gone) => {}
                Err(other) => error = other,
            }
        }
    }
    open(&Lookup::OwnRoot, mapping).map_err(|other| match other {
        ImageError::Gone => error,
        other => other,
    })
}

/// Where to look.
enum Lookup<'a> {
    /// `/proc/PID/map_files`: what is mapped there now.
    MapFiles(&'a Path),
    /// `/proc/PID/root`: the path, as that process sees it.
    ProcessRoot(&'a Path),
    /// The path, as memguard sees it.
    OwnRoot,
}

impl Lookup<'_> {
    /// Opens nothing yet: a device may not like to be opened.
    fn path(&self, mapping: &Mapping) -> Result<rustix::fd::OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let path = &*mapping.module.path;
        match self {
            Self::MapFiles(process) => {
                let name = format!("map_files/{:x}-{:x}", mapping.start, mapping.end);
                openat(CWD, process.join(name), flags, Mode::empty())
            }
            Self::ProcessRoot(process) => {
                let directory = flags | OFlags::DIRECTORY;
                let root = openat(CWD, process.join("root"), directory, Mode::empty())?;
                let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
                openat2(root, path, flags, Mode::empty(), resolve)
            }
            Self::OwnRoot => openat(CWD, path, flags, Mode::empty()),
        }
    }

    /// Whether the file is certainly the mapped one as far as its inode tells. Some file systems
    /// number their devices differently in mappings, so the kernel's own link need not agree.
    fn agrees(&self, metadata: &Metadata, mapping: &Mapping) -> bool {
        let device = metadata.dev() == mapping.device || matches!(self, Self::MapFiles(_));
        device && metadata.ino() == mapping.inode
    }
}

fn open(lookup: &Lookup<'_>, mapping: &Mapping) -> Result<(Elf, FileKey), ImageError> {
    let found = lookup.path(mapping).map_err(|errno| match errno {
        Errno::NOENT | Errno::SRCH | Errno::NOTDIR | Errno::ACCESS | Errno::PERM => {
            ImageError::Gone
        }
        other => io::Error::from(other).into(),
    })?;
    let metadata = stat(&found)?;
    if !metadata.is_file() {
        return Err(ImageError::NotRegular);
    }
    let known = mapping.module.build_id;
    if known.is_none() && !lookup.agrees(&metadata, mapping) {
        return Err(ImageError::Replaced);
    }
    let file = reopen(&found)?;
    let distant = fstatfs(&file).is_ok_and(|system| DISTANT.contains(&system.f_type));
    let mut elf = Elf::parse(Bytes::File(file))?;
    elf.distant = distant;
    if known.is_some() && elf.build_id != known {
        return Err(ImageError::Replaced);
    }
    Ok((elf, FileKey::of(&metadata)))
}

fn stat(found: &rustix::fd::OwnedFd) -> io::Result<Metadata> {
    File::from(found.try_clone()?).metadata()
}

/// The same file for reading.
fn reopen(found: &rustix::fd::OwnedFd) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let place = format!("/proc/self/fd/{}", found.as_raw_fd());
    Ok(openat(CWD, place, flags, Mode::empty())?.into())
}
