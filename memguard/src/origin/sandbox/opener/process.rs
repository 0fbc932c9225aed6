//! What `/proc` tells of a process: whether it is still the one, what its root directory is, when
//! it began.

use std::{
    fs::{self, Metadata},
    io,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

use super::regular::directory;
use crate::{model::ids::TICK_NANOSECONDS, origin::symbolize::wire::Process};

const TICK: Duration = Duration::from_nanos(TICK_NANOSECONDS);

impl Process {
    /// Its directory in `/proc`.
    pub(super) fn folder(&self) -> PathBuf {
        Path::new(&self.procfs).join(self.tgid.to_string())
    }

    /// Whether it lives: another process may have got its number.
    pub(super) fn is_alive(&self) -> bool {
        self.start() == Some(self.start_ticks)
    }

    /// Field 22 of `stat`; the name in field 2 may have anything in it, also brackets.
    fn start(&self) -> Option<u64> {
        let stat = fs::read(self.folder().join("stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let (_, fields) = stat.rsplit_once(')')?;
        fields.split_whitespace().nth(19)?.parse().ok()
    }

    /// Its root directory, while it lives.
    pub(super) fn root(&self) -> io::Result<OwnedFd> {
        directory(&self.folder().join("root"))
    }

    /// Whether what is `ours` for us is `its` for it, which may have another root directory.
    pub(super) fn calls(&self, ours: &str, its: &str) -> bool {
        let (ours, its) = (bare(ours), bare(its));
        let root = self.folder().join("root").read_link();
        let below = root.is_ok_and(|root| {
            let ours = Path::new(ours).strip_prefix(root);
            ours.is_ok_and(|ours| its.strip_prefix('/') == ours.to_str())
        });
        ours == its || below
    }

    /// Its number as it knows it itself, in its own PID namespace.
    pub(super) fn own_number(&self) -> Option<u32> {
        let status = fs::read(self.folder().join("status")).ok()?;
        let status = String::from_utf8_lossy(&status);
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("NSpid:"))?;
        line.split_whitespace().last()?.parse().ok()
    }

    /// Whether the file at a path is the one that it found there: last changed before it began. A
    /// file that was put in the place of another has a younger change time, whatever its
    /// modification time says.
    pub(super) fn found(&self, file: &Metadata) -> bool {
        // The beginning is known to a clock tick.
        changed(file).is_some_and(|changed| changed < self.began() + TICK)
    }

    /// Whether a file may be written by it, and not by another that had its number before.
    pub(super) fn may_have_written(&self, file: &Metadata) -> bool {
        changed(file).is_some_and(|changed| self.began() <= changed)
    }

    /// Since the beginning of time as files count it.
    fn began(&self) -> Duration {
        let now = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
        let boot = now(ClockId::Realtime).saturating_sub(now(ClockId::Boottime));
        boot + TICK.saturating_mul(u32::try_from(self.start_ticks).unwrap_or(u32::MAX))
    }
}

/// The path of a file that may have been deleted.
pub(super) fn bare(path: &str) -> &str {
    path.strip_suffix(" (deleted)").unwrap_or(path)
}

/// The last change of content, name or owner.
fn changed(file: &Metadata) -> Option<Duration> {
    let seconds = u64::try_from(file.ctime()).ok()?;
    let nanos = u32::try_from(file.ctime_nsec()).ok()?;
    Some(Duration::new(seconds, nanos))
}
