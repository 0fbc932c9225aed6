//! Values for tests of any module.

use std::sync::Arc;

use super::{
    finding::{Evidence, Finding, State, Verdict},
    ids::{ProcessId, Stamp},
    process::ProcessInfo,
    resource::Kind,
};

/// Files held by a process of which nothing is known.
pub(crate) fn finding(verdict: Verdict, open_count: u64) -> Finding {
    let process = ProcessId {
        tgid: 7,
        start_ticks: 1,
    };
    Finding {
        id: 1,
        fingerprint: 1,
        state: State::Opened,
        verdict,
        severity: verdict.severity(),
        process: Arc::new(ProcessInfo::unknown(process)),
        kind: Kind::File,
        calls: Vec::new(),
        origin: None,
        confidence: 1.0,
        verified: true,
        first_seen: Stamp(0),
        last_seen: Stamp(0),
        open_count,
        open_bytes: None,
        resident_bytes: None,
        acquired_count: open_count,
        released_count: 0,
        oldest_age: None,
        growth: None,
        limit: None,
        samples: Vec::new(),
        sites: Vec::new(),
        touched: None,
        cgroup: None,
        suggestion: None,
        evidence: Evidence::default(),
    }
}
