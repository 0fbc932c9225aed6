//! Shared memory of System V that outlives its makers: nobody is attached to it, and nobody has it
//! removed.

use std::sync::Arc;

use super::{SAMPLES, exits::End};
use crate::{
    findings::fingerprint,
    model::{
        finding::{Finding, Handle, Moment, Sample, Verdict},
        ids::{ProcessId, USER_HZ},
        observed::ShmSegment,
        resource::Kind,
    },
};

/// What a process made and left behind at its end; nothing where it left none. `boot_seconds` is
/// when the host was booted, in seconds since 1970.
pub fn describe(end: &End, segments: &[ShmSegment], boot_seconds: i64) -> Option<Finding> {
    let left = left_by(end.info.id, segments, boot_seconds);
    if left.is_empty() {
        return None;
    }
    let bytes = |of: fn(&ShmSegment) -> u64| {
        let sizes = left.iter().map(of);
        sizes.fold(0, |sum: u64, size| sum.saturating_add(size))
    };
    let (count, process) = (left.len() as u64, Arc::clone(&end.info));
    let evidence = end.evidence.clone();
    Some(Finding {
        fingerprint: fingerprint::of(&process, Kind::SysvShm, &[], None),
        moment: Moment::Exit,
        verified: true,
        open_count: count,
        open_bytes: Some(bytes(|segment| segment.size)),
        resident_bytes: Some(bytes(|segment| segment.resident_bytes.unwrap_or(0))),
        acquired_count: count,
        samples: left.iter().take(SAMPLES).map(sample).collect(),
        ..Finding::of(process, Kind::SysvShm, Verdict::Left, evidence, end.stamp)
    })
}

/// What is older than the process was made by another of its number.
fn left_by(process: ProcessId, segments: &[ShmSegment], boot_seconds: i64) -> Vec<ShmSegment> {
    // Rounded down.
    let born = boot_seconds + (process.start_ticks / USER_HZ) as i64 - 1;
    let left = segments.iter().filter(|segment| {
        let own = segment.creator == process.tgid && segment.changed >= born;
        own && segment.attached == 0 && !segment.removed
    });
    left.copied().collect()
}

fn sample(segment: &ShmSegment) -> Sample {
    Sample {
        handle: Handle::Id(segment.shmid as u32),
        acquired_at: None,
        age: None,
        call: None,
        target: Some(format!("key {:#x}", segment.key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: ProcessId = ProcessId {
        tgid: 42,
        start_ticks: 5_000,
    };

    fn segment(creator: u32, changed: i64, attached: u64, removed: bool) -> ShmSegment {
        ShmSegment {
            shmid: 1,
            key: 0,
            perms: 0o600,
            removed,
            size: 4096,
            creator,
            last: 0,
            attached,
            uid: 0,
            changed,
            resident_bytes: None,
        }
    }

    #[test]
    fn left_is_what_it_made_itself_and_nobody_uses() {
        for (segment, expected, why) in [
            (segment(42, 1_060, 0, false), 1, "made by it"),
            (segment(43, 1_060, 0, false), 0, "another's"),
            (
                segment(42, 900, 0, false),
                0,
                "of who had the number before",
            ),
            (segment(42, 1_060, 1, false), 0, "in use"),
            (segment(42, 1_060, 0, true), 0, "removed"),
        ] {
            assert_eq!(left_by(PROCESS, &[segment], 1_000).len(), expected, "{why}");
        }
    }
}
