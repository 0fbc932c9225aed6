//! Processes of a control group: `cgroup.procs`, cgroups(7).

use std::path::Path;

/// Processes of a cgroup and those below it; directories that vanish meanwhile have none.
pub fn cgroup_members(directory: &Path) -> Vec<u32> {
    let own = std::fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let mut members: Vec<u32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            members.extend(cgroup_members(&entry.path()));
        }
    }
    members
}
