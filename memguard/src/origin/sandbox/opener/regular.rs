//! Opening what may be anything: a device that acts when it is opened, a FIFO that waits for a
//! writer, a link that leaves the container.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, open, openat2};

/// A directory to look up paths in, whose links do not lead out of it.
pub(super) fn directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::empty())?)
}

/// Opens a regular file below `root`, as a process with that root would.
pub(super) fn open_in(root: BorrowedFd<'_>, path: &Path) -> io::Result<File> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let place = openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)?;
    if_regular(&place)
}

/// Opens a regular file through a link of procfs, which no path leads to.
pub(super) fn open_link(link: &Path) -> io::Result<File> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let place = openat2(CWD, link, flags, Mode::empty(), ResolveFlags::empty())?;
    if_regular(&place)
}

/// Nothing has been opened so far, only found: that is what `O_PATH` is for.
fn if_regular(place: &OwnedFd) -> io::Result<File> {
    let kind = File::from(place.as_fd().try_clone_to_owned()?).metadata()?;
    if !kind.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let again = format!("/proc/self/fd/{}", place.as_raw_fd());
    Ok(File::from(open(again.as_str(), flags, Mode::empty())?))
}
