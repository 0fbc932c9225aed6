//! Where it happened: host, service, process, container.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::process::ProcessInfo,
    output::wire::builder::{Text, Time, WireBuilder},
};

/// The host that is reported about.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Host {
    /// Its name.
    pub name: Text,
}

/// The program that reports.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Service {
    /// Always `memguard`.
    pub name: Cow<'static, str>,
    /// Its version.
    pub version: Cow<'static, str>,
}

impl Service {
    pub(super) fn this() -> Self {
        Self {
            name: "memguard".into(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

/// A process.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Process id in the initial PID namespace.
    pub pid: u32,
    /// Process id of its parent.
    pub parent_pid: Option<u32>,
    /// Its start.
    #[serde(default)]
    #[schemars(!default)]
    pub creation: Creation,
    /// What it runs.
    #[serde(default)]
    #[schemars(!default)]
    pub executable: Executable,
    /// Its arguments, joined by blanks; what looks like a secret is `***` unless that was switched
    /// off.
    pub command_line: Option<Text>,
    /// Who it runs as.
    #[serde(default)]
    #[schemars(!default)]
    pub user: User,
    /// What only Linux has.
    #[serde(default)]
    #[schemars(!default)]
    pub linux: Linux,
}

/// Start of a process.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Creation {
    /// When, exact to 10 ms. With the pid it identifies the process.
    pub time: Time,
}

/// Program of a process.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Executable {
    /// Last part of the path, else the command name.
    pub name: Option<Text>,
    /// Full path.
    pub path: Option<Text>,
}

/// User of a process.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct User {
    /// Effective user id.
    pub id: Option<u32>,
}

/// What only Linux has.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Linux {
    /// Path of the control group.
    pub cgroup: Option<Text>,
}

impl Process {
    pub(super) fn new(process: &ProcessInfo, builder: &WireBuilder<'_>) -> Self {
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
                time: builder.birth(*id),
            },
            executable: Executable::new(process, builder),
            command_line: command_line.as_deref().map(|line| builder.redacted(line)),
            user: User { id: *uid },
            linux: Linux {
                cgroup: builder.optional(cgroup.as_deref()),
            },
        }
    }
}

impl Executable {
    fn new(process: &ProcessInfo, builder: &WireBuilder<'_>) -> Self {
        let named = process.name.is_some() || process.executable.is_some();
        Self {
            name: named.then(|| builder.text(&process.label())),
            path: builder.optional(process.executable.as_deref()),
        }
    }
}

/// A container.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Container {
    /// Its id, as found in the control group's path.
    pub id: Text,
}

impl Container {
    pub(super) fn new(process: &ProcessInfo, builder: &WireBuilder<'_>) -> Option<Self> {
        process.container.as_deref().map(|id| Self {
            id: builder.text(id),
        })
    }
}
