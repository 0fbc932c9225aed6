//! Whom the example reports are about.

use std::sync::Arc;

use crate::{
    model::{ids::ProcessId, process::ProcessInfo},
    output::{Clock, Host, Redaction, wire::Context},
};

pub(super) const SECOND: u64 = 1_000_000_000;

pub(in crate::output) fn context() -> Context {
    Context {
        host: Host {
            name: "node-7".to_owned(),
        },
        clock: Clock::new(1_795_212_530_123_456_789, 500 * SECOND, 600 * SECOND),
        redaction: Redaction::On,
    }
}

pub(in crate::output) fn process() -> Arc<ProcessInfo> {
    Arc::new(ProcessInfo {
        id: ProcessId {
            tgid: 4242,
            start_ticks: 12_345,
        },
        parent: Some(1),
        name: Some("api".to_owned()),
        executable: Some("/usr/bin/api".to_owned()),
        command_line: Some("api --port 80 --password=hunter2".to_owned()),
        uid: Some(1000),
        cgroup: Some("/system.slice/api.service".to_owned()),
        container: Some("73051af2".to_owned()),
    })
}

pub(super) fn unknown_process() -> Arc<ProcessInfo> {
    Arc::new(ProcessInfo::unknown(ProcessId {
        tgid: 77,
        start_ticks: 60_000,
    }))
}
