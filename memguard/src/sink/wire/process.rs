//! Where it happened: host, service, process, container.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    model::process::ProcessInfo,
    sink::wire::scribe::{Scribe, Text, Time},
};

/// The host that is reported about.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Host {
    /// Its name.
    pub name: Text,
}

/// The program that reports.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Service {
    /// Always `memguard`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl Service {
    pub(super) fn this() -> Self {
        Self {
            name: "memguard",
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// A process.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Process {
    /// Process id in the initial PID namespace.
    pub pid: u32,
    /// Process id of its parent.
    pub parent_pid: Option<u32>,
    /// Its start.
    pub creation: Creation,
    /// What it runs.
    pub executable: Executable,
    /// Its arguments, joined by blanks; what looks like a secret is `***` unless that was switched
    /// off.
    pub command_line: Option<Text>,
    /// Who it runs as.
    pub user: User,
    /// What only Linux has.
    pub linux: Linux,
}

/// Start of a process.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Creation {
    /// When, exact to 10 ms. With the pid it identifies the process.
    pub time: Time,
}

/// Program of a process.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Executable {
    /// Last part of the path, else the command name.
    pub name: Option<Text>,
    /// Full path.
    pub path: Option<Text>,
}

/// User of a process.
#[derive(Debug, Serialize, JsonSchema)]
pub struct User {
    /// Effective user id.
    pub id: Option<u32>,
}

/// What only Linux has.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Linux {
    /// Path of the control group.
    pub cgroup: Option<Text>,
}

impl Process {
    pub(super) fn new(process: &ProcessInfo, scribe: &Scribe<'_>) -> Self {
        let ProcessInfo {
            id,
            parent,
            command_line,
            uid,
            cgroup,
            ..
        } = process;
        Self {
            pid: id.tgid,
            parent_pid: *parent,
            creation: Creation {
                time: scribe.birth(*id),
            },
            executable: Executable::new(process, scribe),
            command_line: command_line.as_deref().map(|line| scribe.shown(line)),
            user: User { id: *uid },
            linux: Linux {
                cgroup: scribe.maybe(cgroup.as_deref()),
            },
        }
    }
}

impl Executable {
    fn new(process: &ProcessInfo, scribe: &Scribe<'_>) -> Self {
        let named = process.name.is_some() || process.executable.is_some();
        Self {
            name: named.then(|| scribe.text(&process.label())),
            path: scribe.maybe(process.executable.as_deref()),
        }
    }
}

/// A container.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Container {
    /// Its id, as found in the control group's path.
    pub id: Text,
}

impl Container {
    pub(super) fn new(process: &ProcessInfo, scribe: &Scribe<'_>) -> Option<Self> {
        process.container.as_deref().map(|id| Self {
            id: scribe.text(id),
        })
    }
}
