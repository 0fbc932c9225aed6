//! Who did it: what is known about a process.

use serde::{Deserialize, Serialize};

use crate::model::ids::ProcessId;

/// What is known about a process. Unknown is `None`, never empty or zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Which process.
    pub id: ProcessId,
    /// Its parent's thread group.
    pub parent: Option<u32>,
    /// Command name (`comm`).
    pub name: Option<String>,
    /// Path of the executable.
    pub executable: Option<String>,
    /// Command line, arguments separated by blanks; not redacted yet, sinks do that.
    pub command_line: Option<String>,
    /// Effective user id.
    pub uid: Option<u32>,
    /// cgroup v2 path, or the longest v1 path where v2 has none.
    pub cgroup: Option<String>,
    /// Container id found in the cgroup path.
    pub container: Option<String>,
}

impl ProcessInfo {
    /// A process of which nothing else is known.
    pub fn unknown(id: ProcessId) -> Self {
        Self {
            id,
            parent: None,
            name: None,
            executable: None,
            command_line: None,
            uid: None,
            cgroup: None,
            container: None,
        }
    }

    /// What people call it: base name of the executable, else the command name, else the pid.
    pub fn label(&self) -> String {
        let base = self
            .executable
            .as_deref()
            .and_then(|path| path.rsplit('/').next());
        let base = base.filter(|base| !base.is_empty());
        base.or(self.name.as_deref())
            .map_or_else(|| format!("pid {}", self.id.tgid), str::to_owned)
    }
}
