//! Values for tests of any module.

use std::sync::Arc;

use super::{
    finding::{Evidence, Finding, Moment, Verdict},
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
    let process = Arc::new(ProcessInfo::unknown(process));
    let at_exit = matches!(verdict, Verdict::Left | Verdict::Inherited);
    Finding {
        moment: if at_exit {
            Moment::Exit
        } else {
            Moment::Running
        },
        id: 1,
        fingerprint: 1,
        confidence: 1.0,
        verified: true,
        open_count,
        acquired_count: open_count,
        ..Finding::of(process, Kind::File, verdict, Evidence::default(), Stamp(0))
    }
}
