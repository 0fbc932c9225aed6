//! Where names are to be found: which file, which address in it.

use std::{path::Path, sync::Arc};

use crate::model::{
    ids::ProcessId,
    origin::{Frame, Module},
};

/// A file, as far as names go: the same everywhere by its build id, within one mount namespace, so
/// that no container can lend its names to the files of the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    pub(super) namespace: Option<Arc<Path>>,
    /// `None` for the code that a process made.
    pub(super) module: Option<Arc<Module>>,
    /// What has no build id is known of one process alone.
    pub(super) process: Option<ProcessId>,
}

/// An address, and the file that it is to be looked up in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CodeAddress {
    pub(super) file: FileId,
    pub(super) address: u64,
}

/// What is asked of one file.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) file: FileId,
    /// An address of the process where the file was mapped.
    pub(super) ip: u64,
    pub(super) addresses: Vec<u64>,
    /// Which frames these are the addresses of.
    pub(super) frames: Vec<usize>,
}

pub(super) fn want(wanted: &mut Vec<Wanted>, place: CodeAddress, ip: u64, frame: usize) {
    let CodeAddress { file, address } = place;
    if let Some(same) = wanted.iter_mut().find(|wanted| wanted.file == file) {
        same.addresses.push(address);
        same.frames.push(frame);
        return;
    }
    wanted.push(Wanted {
        file,
        ip,
        addresses: vec![address],
        frames: vec![frame],
    });
}

/// Where the name of a frame is to be found; nowhere for code that the kernel made, like `[vdso]`.
pub(super) fn code_address(
    frame: &Frame,
    namespace: Option<&Arc<Path>>,
    process: ProcessId,
) -> Option<CodeAddress> {
    let path = frame.module.as_ref().map_or("", |module| &module.path);
    let made = path.is_empty() || path.starts_with("//anon") || path.starts_with("[anon");
    let module = frame.module.as_ref().filter(|_| !made);
    let known_everywhere = module.is_some_and(|module| module.build_id.is_some());
    let address = if made { frame.ip } else { frame.offset };
    (made || path.starts_with('/')).then(|| CodeAddress {
        file: FileId {
            namespace: namespace.cloned(),
            module: module.cloned(),
            process: (!known_everywhere).then_some(process),
        },
        // The call ends right before the address that it returns to, which may be the first one of
        // another function.
        address: address.saturating_sub(u64::from(frame.is_return)),
    })
}
