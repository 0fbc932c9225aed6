//! Who a process is: from `/proc` while it lives, from the kernel's records once it is gone.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::{
    ledger::{Judgement, processes::Process},
    model::{ids::ProcessId, process::ProcessInfo},
};

/// Most processes remembered; beyond it all are forgotten and looked up again.
const REMEMBERED: usize = 16384;

/// What was found out, kept so that a process can be named after it has gone.
#[derive(Debug, Default)]
pub struct Identities {
    known: HashMap<ProcessId, (Option<u32>, Arc<ProcessInfo>)>,
}

impl Identities {
    /// Whether `/proc` need not be asked. `process` is what the ledger knows: a new program image
    /// is looked at anew.
    pub fn knows(&self, id: ProcessId, process: Option<&Process>) -> bool {
        self.get(id, process).is_some()
    }

    fn get(&self, id: ProcessId, process: Option<&Process>) -> Option<&Arc<ProcessInfo>> {
        let exec_id = process.and_then(|process| process.exec_id);
        let (known, info) = self.known.get(&id)?;
        (*known == exec_id || exec_id.is_none()).then_some(info)
    }

    /// What `/proc` says.
    pub fn learn(&mut self, info: ProcessInfo, process: Option<&Process>) {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        let exec_id = process.and_then(|process| process.exec_id);
        self.known.insert(info.id, (exec_id, Arc::new(info)));
    }

    /// A process that has not been judged.
    pub fn of(&self, id: ProcessId, process: Option<&Process>) -> Arc<ProcessInfo> {
        let known = self.get(id, process).map(Arc::clone);
        known.unwrap_or_else(|| Arc::new(recorded(id, process, None)))
    }

    /// A process that has ended; it is forgotten.
    pub fn ended(&mut self, judgement: &Judgement) -> Arc<ProcessInfo> {
        let exited = &judgement.exited;
        let known = self.known.remove(&exited.process);
        let same_image =
            |exec_id: &Option<u32>| exec_id.is_none_or(|exec_id| exec_id == exited.exec_id);
        if let Some((_, info)) = known.filter(|(exec_id, _)| same_image(exec_id)) {
            return info;
        }
        let process = Some(&judgement.process);
        let mut info = recorded(exited.process, process, Some(&exited.comm));
        info.uid = Some(exited.uid);
        Arc::new(info)
    }

    /// The process has gone.
    pub fn forget(&mut self, id: ProcessId) {
        self.known.remove(&id);
    }

    /// Whether anything is known of a process; for tests.
    pub fn mentions(&self, id: ProcessId) -> bool {
        self.known.contains_key(&id)
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
