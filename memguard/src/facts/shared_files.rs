//! Which files in memory have a name, and of those whose maker has ended, who holds them.

use std::collections::BTreeSet;

use crate::{
    judge::question::SharedFilesRequest,
    model::shared_file::{SharedFile, SharedFileId},
    source::procfs::Procfs,
};

/// Looks once; `None` where nothing could be learned.
pub(super) fn look(procfs: &Procfs, request: &SharedFilesRequest) -> Option<Vec<SharedFile>> {
    let wanted = request.made.union(&request.left).copied().collect();
    let mut files = procfs.shared_files(&wanted)?;
    let named = files.iter().map(|file| file.id);
    let left: BTreeSet<SharedFileId> = named.filter(|id| request.left.contains(id)).collect();
    if !left.is_empty() {
        // Looking through all processes is dear, and needed for these only.
        let held = procfs.held_files(&left).ok()?;
        for file in files.iter_mut().filter(|file| left.contains(&file.id)) {
            file.held = Some(held.contains(&file.id));
        }
    }
    Some(files)
}
