//! A control group of a test's own: what is in it is the test's and nobody else's.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::wait::wait_until;

/// A directory of the v2 hierarchy, removed when all in it have ended.
#[derive(Debug)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// A new one without processes.
    ///
    /// # Panics
    ///
    /// Where no cgroup v2 hierarchy is mounted, or none can be made in it.
    pub fn make() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mount = mount().unwrap_or_else(|| panic!("no cgroup v2 hierarchy is mounted"));
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = mount.join(format!("memguard-test-{}-{count}", std::process::id()));
        fs::create_dir(&path)
            .unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        Self(path)
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Moves a process into it; what the process starts from now on is in it too.
    pub fn takes(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string())
            .unwrap_or_else(|error| panic!("cannot move {pid} to {}: {error}", self.0.display()));
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let removed = || fs::remove_dir(&self.0).is_ok();
        wait_until(Duration::from_secs(10), "an empty control group", removed);
    }
}

fn mount() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let place = fields.next()?;
        (fields.next()? == "cgroup2").then(|| PathBuf::from(place))
    })
}
