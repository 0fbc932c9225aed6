//! `SysV` shared memory that outlives its makers: nobody is attached to it, and nobody has it
//! removed.

use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};

use super::{Agent, living::SAMPLES};
use crate::{
    findings::fingerprint,
    model::{
        finding::{Evidence, Finding, Handle, Moment, Sample, Verdict},
        ids::{ProcessId, Stamp},
        process::ProcessInfo,
        resource::Kind,
    },
    source::procfs::Segment,
};

impl Agent {
    /// Looks at what there is, once for all processes that have ended meanwhile.
    pub(super) fn look_at_segments(&mut self) {
        self.segments = if self.judging.wants(Kind::SysvShm) {
            self.procfs.segments().unwrap_or_default()
        } else {
            Vec::new()
        };
    }

    /// Reports what a process made and left behind at its end.
    pub(super) fn report_segments(
        &mut self,
        process: &Arc<ProcessInfo>,
        evidence: &Evidence,
        stamp: Stamp,
    ) {
        let left: Vec<Segment> = self.left_by(process.id);
        if left.is_empty() {
            return;
        }
        let bytes = |of: fn(&Segment) -> u64| {
            let sizes = left.iter().map(of);
            sizes.fold(0, |sum: u64, size| sum.saturating_add(size))
        };
        let count = left.len() as u64;
        let of = Arc::clone(process);
        let finding = Finding {
            fingerprint: fingerprint::of(process, Kind::SysvShm, &[], None),
            moment: Moment::Exit,
            verified: true,
            open_count: count,
            open_bytes: Some(bytes(|segment| segment.size)),
            resident_bytes: Some(bytes(|segment| segment.resident_bytes.unwrap_or(0))),
            acquired_count: count,
            samples: left.iter().take(SAMPLES).map(sample).collect(),
            ..Finding::of(of, Kind::SysvShm, Verdict::Left, evidence.clone(), stamp)
        };
        self.tell_left(finding, stamp);
    }

    /// What is older than the process was made by another of its number.
    fn left_by(&self, process: ProcessId) -> Vec<Segment> {
        let born = seconds_since_1970(process);
        let left = self.segments.iter().filter(|segment| {
            let own = segment.creator == process.tgid && segment.changed >= born;
            own && segment.attached == 0 && !segment.removed
        });
        left.copied().collect()
    }
}

/// When a process began, rounded down.
fn seconds_since_1970(process: ProcessId) -> i64 {
    const TICKS: u64 = 100;
    let [wall, boot] = [ClockId::Realtime, ClockId::Boottime].map(|id| clock_gettime(id).tv_sec);
    let began = (process.start_ticks / TICKS) as i64;
    wall - boot + began - 1
}

fn sample(segment: &Segment) -> Sample {
    Sample {
        handle: Handle::Id(segment.shmid as u32),
        acquired_at: None,
        age: None,
        call: None,
        target: Some(format!("key {:#x}", segment.key)),
    }
}
