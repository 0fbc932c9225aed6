//! Which objects that outlive their makers are there, and of those whose maker has ended, who holds
//! them.

use std::collections::BTreeSet;

use crate::{
    judge::question::ObjectsRequest,
    model::persistent::{FoundObject, ObjectId, SharedFileId},
    source::{keys, procfs::Procfs},
};

/// Looks once; `None` where nothing could be learned.
pub(super) fn look(procfs: &Procfs, request: &ObjectsRequest) -> Option<Vec<FoundObject>> {
    let wanted = || request.made.union(&request.left).copied();
    let mut found = keys::keys(&wanted().filter_map(key).collect());
    found.extend(files(
        procfs,
        &wanted().filter_map(file).collect(),
        request,
    )?);
    Some(found)
}

fn key(id: ObjectId) -> Option<u32> {
    match id {
        ObjectId::Key(serial) => Some(serial),
        ObjectId::File(_) => None,
    }
}

fn file(id: ObjectId) -> Option<SharedFileId> {
    match id {
        ObjectId::File(id) => Some(id),
        ObjectId::Key(_) => None,
    }
}

fn files(
    procfs: &Procfs,
    wanted: &BTreeSet<SharedFileId>,
    request: &ObjectsRequest,
) -> Option<Vec<FoundObject>> {
    if wanted.is_empty() {
        return Some(Vec::new());
    }
    let mut files = procfs.shared_files(wanted)?;
    let left = files.iter().map(|file| file.id);
    let left = left.filter(|id| request.left.contains(id)).filter_map(file);
    let left: BTreeSet<SharedFileId> = left.collect();
    if !left.is_empty() {
        // Looking through all processes is dear, and needed for these only.
        let held = procfs.held_files(&left).ok()?;
        for found in &mut files {
            let asked = file(found.id).filter(|id| left.contains(id));
            found.held = asked.map(|id| held.contains(&id));
        }
    }
    Some(files)
}
