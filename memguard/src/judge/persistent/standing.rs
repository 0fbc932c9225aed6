//! What was left and told: as long as it stands, what is left beside it at the same place counts
//! with it.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::leftover::Made;
use crate::{
    judge::question::ObjectsRequest,
    model::{
        finding::Finding,
        ids::ProcessId,
        persistent::{FoundObject, ObjectId},
    },
};

/// Most objects that are remembered; those beyond are told, and count with no others.
const OBJECTS: usize = 16_384;
/// So many of one place are a pile.
const PILE: u64 = 12;
/// If so many processes have left them.
const MAKERS: usize = 3;

/// One that was told.
#[derive(Clone, Copy, Debug)]
struct Told {
    fingerprint: u64,
    maker: ProcessId,
    size: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Standing {
    objects: HashMap<ObjectId, Told>,
    /// Of places that were told to leak: with how many objects that is told again.
    again: HashMap<u64, u64>,
}

impl Standing {
    /// All that stood when it was last looked.
    pub(super) fn objects(&self) -> impl Iterator<Item = ObjectId> {
        self.objects.keys().copied()
    }

    /// Whether one was told, and stood when it was last looked.
    pub(super) fn knows(&self, id: ObjectId) -> bool {
        self.objects.contains_key(&id)
    }

    /// Those that are not there any more do not stand.
    pub(super) fn found(&mut self, asked: &ObjectsRequest, there: &HashMap<ObjectId, FoundObject>) {
        self.objects
            .retain(|id, _| !asked.made.contains(id) || there.contains_key(id));
        let places: BTreeSet<u64> = self.objects.values().map(|told| told.fingerprint).collect();
        self.again.retain(|place, _| places.contains(place));
    }

    /// What is told now. Returns objects and bytes of the place where that is to be told as a leak:
    /// when it has become a pile, and each time it has doubled.
    pub(super) fn add(
        &mut self,
        finding: &Finding,
        objects: &[(Made, FoundObject)],
    ) -> Option<(u64, u64)> {
        let (fingerprint, maker) = (finding.fingerprint, finding.process.id);
        let room = OBJECTS.saturating_sub(self.objects.len());
        for (_, found) in objects.iter().take(room) {
            let size = found.size;
            self.objects.insert(
                found.id,
                Told {
                    fingerprint,
                    maker,
                    size,
                },
            );
        }
        let same = || {
            let all = self.objects.values();
            all.filter(|told| told.fingerprint == fingerprint)
        };
        let makers: BTreeSet<_> = same().map(|told| told.maker).collect();
        let count = same().count() as u64;
        let bytes = same().fold(0, |sum: u64, told| sum.saturating_add(told.size));
        let least = self.again.get(&fingerprint).copied().unwrap_or(PILE);
        if count < least || makers.len() < MAKERS {
            return None;
        }
        self.again.insert(fingerprint, count.saturating_mul(2));
        Some((count, bytes))
    }
}
