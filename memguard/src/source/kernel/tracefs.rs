//! Where the tracepoints are described: tracefs, found or mounted.
//!
//! Hosts with systemd mount it at boot; minimal systems, containers and test machines often do not.
//! There memguard mounts it for itself alone: in a mount namespace of its own, so that nothing is
//! left behind when it exits, and nothing changes for anybody else.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::{UnshareFlags, unshare_unsafe},
};

/// Where aya looks for tracepoints, in this order.
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// How tracefs is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tracefs {
    /// Mounted by the host.
    Mounted(PathBuf),
    /// Mounted by memguard, for itself.
    Private(PathBuf),
}

impl Tracefs {
    /// Its root.
    pub fn path(&self) -> &Path {
        match self {
            Self::Mounted(path) | Self::Private(path) => path,
        }
    }
}

/// The host's tracefs, where it is mounted.
pub fn mounted() -> Option<PathBuf> {
    let places = PLACES.iter().map(PathBuf::from);
    places
        .into_iter()
        .find(|place| fs::exists(place.join("events/syscalls")).unwrap_or(false))
}

/// A place where tracefs may be mounted, but into which this user may not look.
pub fn unreadable() -> Option<PathBuf> {
    let places = PLACES.iter().map(PathBuf::from);
    let denied = |place: &PathBuf| {
        let look = fs::metadata(place.join("events"));
        look.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    places.into_iter().find(denied)
}

/// Finds tracefs or mounts it privately. To be called while the process has one thread: the others
/// would stay in the host's namespace.
pub fn ensure() -> io::Result<Tracefs> {
    if let Some(path) = mounted() {
        return Ok(Tracefs::Mounted(path));
    }
    // SAFETY: a namespace of mounts shares no memory, and no other thread exists.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
    // Mounts of the host still arrive here, ours do not go there.
    mount_change(
        "/",
        MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
    )?;
    let [place, _] = PLACES;
    mount(
        "tracefs",
        place,
        "tracefs",
        MountFlags::NOEXEC | MountFlags::NOSUID,
        None,
    )?;
    mounted()
        .map(Tracefs::Private)
        .ok_or_else(|| io::Error::other("mounted tracefs has no events"))
}
