//! What a process may have left, and what is said of it.

use std::{sync::Arc, time::Duration};

use hashbrown::HashMap;

use crate::{
    findings::fingerprint,
    judge::{Context, SAMPLES, calls, exits::End, question::ObjectsRequest},
    model::{
        finding::{Finding, Handle, Moment, Sample, Verdict},
        ids::Stamp,
        origin::StackId,
        persistent::{CreatedObject, FoundObject, ObjectId},
        resource::Kind,
    },
};

/// From the end of a maker to the look at what it left: who waits for it removes it by then.
const SETTLES: Duration = Duration::from_secs(10);
/// To the next look at what somebody else holds; twice as long each time.
const HELD: Duration = Duration::from_secs(30);
/// The longest.
const HELD_LONG: Duration = Duration::from_mins(10);

/// An object, and where it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) created: CreatedObject,
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
    pub(super) objects: Vec<(Made, FoundObject)>,
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

    pub(super) fn was_asked(&self, asked: &ObjectsRequest) -> bool {
        let mut made = self.made.iter();
        made.all(|made| asked.left.contains(&made.created.id))
    }

    /// Takes out what is not there any more, and what nobody holds; the latter was left.
    pub(super) fn leftover(&mut self, there: &HashMap<ObjectId, FoundObject>) -> Option<Leftover> {
        let mut objects = Vec::new();
        self.made.retain(|made| match there.get(&made.created.id) {
            Some(found) if found.held == Some(false) => {
                objects.push((*made, found.clone()));
                false
            }
            Some(_) => true,
            None => false,
        });
        let end = self.end.clone();
        (!objects.is_empty()).then_some(Leftover { end, objects })
    }
}

/// What was left of one place.
pub(super) fn describe(
    context: &Context,
    end: &End,
    kind: Kind,
    stack: Option<StackId>,
    objects: &[(Made, FoundObject)],
) -> Finding {
    let has_size = kind == Kind::PosixShm;
    let sum = |of: fn(&FoundObject) -> u64| {
        let sizes = objects.iter().map(|(_, found)| of(found));
        has_size.then(|| sizes.fold(0, u64::saturating_add))
    };
    let (process, count) = (Arc::clone(&end.info), objects.len() as u64);
    let calls = calls(objects.iter().map(|(made, _)| made.created.call));
    let origin = context.names.origin(stack);
    let evidence = end.evidence.clone();
    let ages = objects.iter().map(|(made, _)| made.age(end.stamp));
    Finding {
        fingerprint: fingerprint::of(&process, kind, &calls, origin.as_ref()),
        calls,
        origin,
        moment: Moment::Exit,
        verified: true,
        open_count: count,
        open_bytes: sum(|found| found.size),
        resident_bytes: sum(|found| found.used_bytes),
        acquired_count: count,
        oldest_age: ages.max(),
        samples: objects
            .iter()
            .take(SAMPLES)
            .map(|(made, found)| made.sample(found, end.stamp))
            .collect(),
        ..Finding::of(process, kind, Verdict::Left, evidence, end.stamp)
    }
}

impl Made {
    fn age(&self, end: Stamp) -> Duration {
        end.since(self.created.stamp)
    }

    pub(super) fn kind(&self) -> Kind {
        self.created.id.kind()
    }

    fn sample(&self, found: &FoundObject, end: Stamp) -> Sample {
        let (id, target) = match found.id {
            ObjectId::File(file) => {
                let number = u32::try_from(file.inode).unwrap_or(u32::MAX);
                (number, Some(format!("/dev/shm/{}", found.name)))
            }
            ObjectId::Key(serial) => {
                let name = Some(found.name.clone());
                (serial, name.filter(|name| !name.is_empty()))
            }
        };
        Sample {
            handle: Handle::Id(id),
            acquired_at: Some(self.created.stamp),
            age: Some(self.age(end)),
            call: Some(self.created.call),
            target,
        }
    }
}
