//! What a process may have left, and what is said of it.

use std::{sync::Arc, time::Duration};

use hashbrown::HashMap;

use crate::{
    findings::fingerprint,
    judge::{Context, SAMPLES, calls, exits::End, question::SharedFilesRequest},
    model::{
        finding::{Finding, Handle, Moment, Sample, Verdict},
        ids::Stamp,
        origin::StackId,
        resource::Kind,
        shared_file::{CreatedFile, SharedFile, SharedFileId},
    },
};

/// From the end of a maker to the look at what it left: who waits for it removes it by then.
const SETTLES: Duration = Duration::from_secs(10);
/// To the next look at what somebody else holds; twice as long each time.
const HELD: Duration = Duration::from_secs(30);
/// The longest.
const HELD_LONG: Duration = Duration::from_mins(10);

/// A file, and where it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) created: CreatedFile,
    pub(super) stack: Option<StackId>,
}

/// A process that ended, and what it may have left.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) made: Vec<Made>,
    pub(super) due: Stamp,
    pause: Duration,
}

/// What a process has left for certain.
#[derive(Debug)]
pub(super) struct Leftover {
    pub(super) end: End,
    pub(super) files: Vec<(Made, SharedFile)>,
}

impl Ended {
    /// With `waits` it is looked for when the command has ended.
    pub(super) fn new(end: &End, made: Vec<Made>, waits: bool) -> Self {
        let settled = end.stamp.after(SETTLES);
        Self {
            end: end.clone(),
            made,
            due: if waits { Stamp(u64::MAX) } else { settled },
            pause: HELD,
        }
    }

    /// Somebody else holds what is still there.
    pub(super) fn wait(&mut self, now: Stamp) {
        self.due = now.after(self.pause);
        self.pause = self.pause.saturating_mul(2).min(HELD_LONG);
    }

    pub(super) fn was_asked(&self, asked: &SharedFilesRequest) -> bool {
        let mut made = self.made.iter();
        made.all(|made| asked.left.contains(&made.created.id))
    }

    /// Takes out what has no name any more, and what nobody holds; the latter was left.
    pub(super) fn leftover(
        &mut self,
        named: &HashMap<SharedFileId, SharedFile>,
    ) -> Option<Leftover> {
        let mut files = Vec::new();
        self.made.retain(|made| match named.get(&made.created.id) {
            Some(file) if file.held == Some(false) => {
                files.push((*made, file.clone()));
                false
            }
            Some(_) => true,
            None => false,
        });
        let end = self.end.clone();
        (!files.is_empty()).then_some(Leftover { end, files })
    }
}

/// What was left of one place.
pub(super) fn describe(
    context: &Context,
    end: &End,
    stack: Option<StackId>,
    files: &[(Made, SharedFile)],
) -> Finding {
    let sum = |of: fn(&SharedFile) -> u64| {
        let sizes = files.iter().map(|(_, file)| of(file));
        sizes.fold(0, u64::saturating_add)
    };
    let (process, count) = (Arc::clone(&end.info), files.len() as u64);
    let calls = calls(files.iter().map(|(made, _)| made.created.call));
    let origin = context.names.origin(stack);
    let evidence = end.evidence.clone();
    let ages = files.iter().map(|(made, _)| made.age(end.stamp));
    Finding {
        fingerprint: fingerprint::of(&process, Kind::PosixShm, &calls, origin.as_ref()),
        calls,
        origin,
        moment: Moment::Exit,
        verified: true,
        open_count: count,
        open_bytes: Some(sum(|file| file.size)),
        resident_bytes: Some(sum(|file| file.used_bytes)),
        acquired_count: count,
        oldest_age: ages.max(),
        samples: files
            .iter()
            .take(SAMPLES)
            .map(|(made, file)| made.sample(file, end.stamp))
            .collect(),
        ..Finding::of(process, Kind::PosixShm, Verdict::Left, evidence, end.stamp)
    }
}

impl Made {
    fn age(&self, end: Stamp) -> Duration {
        end.since(self.created.stamp)
    }

    fn sample(&self, file: &SharedFile, end: Stamp) -> Sample {
        Sample {
            handle: Handle::Id(u32::try_from(file.id.inode).unwrap_or(u32::MAX)),
            acquired_at: Some(self.created.stamp),
            age: Some(self.age(end)),
            call: Some(self.created.call),
            target: Some(format!("/dev/shm/{}", file.name)),
        }
    }
}
