//! Who a process is: from `/proc` while it lives, from the kernel's records once it is gone.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::{
    ledger::{Judgement, processes::Process},
    model::{ids::ProcessId, process::ProcessInfo},
    source::procfs::Procfs,
};

/// Most processes remembered; beyond it all are forgotten and looked up again.
const REMEMBERED: usize = 16384;

/// What was found out, kept so that a process can be named after it has gone.
#[derive(Debug, Default)]
pub struct Identities {
    known: HashMap<ProcessId, (Option<u32>, Arc<ProcessInfo>)>,
}

impl Identities {
    /// A living process. `process` is what the ledger knows: a new program image is looked at anew.
    pub fn living(
        &mut self,
        procfs: &Procfs,
        id: ProcessId,
        process: Option<&Process>,
    ) -> Arc<ProcessInfo> {
        let exec_id = process.and_then(|process| process.exec_id);
        if let Some((known, info)) = self.known.get(&id)
            && (*known == exec_id || exec_id.is_none())
        {
            return Arc::clone(info);
        }
        let found = procfs.info(id.tgid).ok().filter(|info| info.id == id);
        let info = found.unwrap_or_else(|| recorded(id, process, None));
        let info = Arc::new(info);
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(id, (exec_id, Arc::clone(&info)));
        info
    }

    /// A process that has ended; it is forgotten.
    pub fn ended(&mut self, judgement: &Judgement) -> Arc<ProcessInfo> {
        let id = judgement.exited.process;
        let known = self.known.remove(&id);
        let same_image = |known: &(Option<u32>, Arc<ProcessInfo>)| {
            known
                .0
                .is_none_or(|exec_id| exec_id == judgement.exited.exec_id)
        };
        if let Some((_, info)) = known.filter(same_image) {
            return info;
        }
        let mut info = recorded(id, Some(&judgement.process), Some(&judgement.exited.comm));
        info.uid = Some(judgement.exited.uid);
        Arc::new(info)
    }
}

/// What the kernel's own records tell.
fn recorded(id: ProcessId, process: Option<&Process>, comm: Option<&[u8; 16]>) -> ProcessInfo {
    let image = process.and_then(|process| process.image.as_deref());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let filled = |text: String| (!text.is_empty()).then_some(text);
    ProcessInfo {
        parent: process.and_then(|process| process.parent),
        name: comm.map(|comm| text(until_nul(comm))).and_then(filled),
        executable: image.map(|image| text(&image.path)).and_then(filled),
        command_line: image
            .map(|image| command_line(&image.args))
            .and_then(filled),
        ..ProcessInfo::unknown(id)
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn command_line(args: &[u8]) -> String {
    let args: Vec<_> = args
        .split(|byte| *byte == 0)
        .filter(|arg| !arg.is_empty())
        .collect();
    String::from_utf8_lossy(&args.join(&b' ')).into_owned()
}
