//! Which detector looks at descriptors of which age: one stage after the other, the gravest verdict
//! first.
//!
//! | stage | age | says |
//! |---|---|---|
//! | [`Accumulation`] | the minimum age | `leak` |
//! | [`Outliving`] | 35 s, 100 s for what may be cached or wait for its peer | `leak` |
//! | [`Suspicion`] | 2 s | `suspect` |
//! | [`Age`] | the minimum age | `aged` |
//!
//! Where `--min-age` was given, nothing younger is looked at.

use std::time::Duration;

use hashbrown::HashSet;

use super::{Context, stamps};
use crate::{
    detect::{Accumulation, Age, Check, Detector, GroupSample, History, Outliving, Suspicion},
    ledger::{
        HeldFd,
        population::{GroupId, Population},
    },
    model::{
        finding::Verdict,
        ids::Stamp,
        resource::{Kind, Resource},
    },
};

/// What was decided of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What it amounts to.
    pub verdict: Verdict,
    /// Handles that are younger than this do not belong to it.
    pub age: Duration,
}

/// The youngest that any stage looks at.
pub fn least_age(context: &Context) -> Duration {
    at_least_asked(context, Suspicion::AGE)
}

/// What the stages say of the handles of a group: the oldest first, all of the least age; and of
/// those that are younger.
pub fn decide(
    context: &Context,
    group: GroupId,
    held: &[HeldFd],
    young: &[Stamp],
    history: &History,
) -> Option<Decision> {
    let repeats = holds_the_same(held);
    let stages: [(&dyn Detector, Duration); 4] = [
        (&Accumulation, context.config.min_age),
        (&Outliving, outliving_age(context, group, repeats)),
        (&Suspicion, least_age(context)),
        (&Age, context.config.min_age),
    ];
    let population = context.ledger.populations.get(group);
    let sample = context.sample(group, &population, history);
    let stamps = stamps(held);
    stages.into_iter().find_map(|(detector, age)| {
        let old = held.partition_point(|held| is_old(context, held, age));
        let (survivors, younger) = stamps.split_at_checked(old)?;
        let young = [younger, young].concat();
        let sample = GroupSample {
            survivors,
            young: &young,
            ..sample
        };
        match detector.check(&sample) {
            Check::Suspect(verdict) => Some(Decision {
                verdict,
                age: told_age(context, &population, verdict, age),
            }),
            Check::Clear | Check::Recheck => None,
        }
    })
}

/// Whether a handle has been held for so long.
pub fn is_old(context: &Context, held: &HeldFd, age: Duration) -> bool {
    context.now.since(held.acquired.stamp) >= age
}

/// Of a site that releases nothing but at once everything that left the nursery stays.
fn told_age(
    context: &Context,
    population: &Population,
    verdict: Verdict,
    age: Duration,
) -> Duration {
    if verdict == Verdict::Leak && population.released == 0 {
        least_age(context)
    } else {
        age
    }
}

/// Idle connections and cached files are released too, later.
fn outliving_age(context: &Context, group: GroupId, repeats: bool) -> Duration {
    let kept = match group.kind {
        kind if kind.resource() == Resource::Socket => true,
        Kind::File | Kind::Dir => !repeats,
        _ => false,
    };
    let age = if kept {
        Outliving::AGE_OF_KEPT
    } else {
        Outliving::AGE
    };
    at_least_asked(context, age)
}

fn at_least_asked(context: &Context, age: Duration) -> Duration {
    if context.config.learns_age {
        age
    } else {
        age.max(context.config.min_age)
    }
}

/// Whether most of those that were looked at are of a file that others of them are of too.
fn holds_the_same(held: &[HeldFd]) -> bool {
    let files = held.iter().filter_map(|held| held.identity);
    let files: Vec<_> = files.map(|file| (file.device, file.inode)).collect();
    let different: HashSet<_> = files.iter().collect();
    files.len() >= 5 && different.len().saturating_mul(2) <= files.len()
}
