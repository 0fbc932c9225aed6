//! Asking the two processes, and remembering what they could not answer.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use hashbrown::HashMap;

use super::{
    client::{Answer, Client},
    places::{FileId, Wanted},
    process::Failure,
    wire::{Code, MappedFile, Name, Process, Request},
};
use crate::model::{
    ids::ProcessId,
    origin::{BuildId, Module},
};

/// Files whose failure is remembered, and others of which nothing was found; beyond it all are
/// tried again.
const REMEMBERED: usize = 1024;

/// After this time a file that was not found is looked for again.
const REFUSAL: Duration = Duration::from_mins(1);

/// The two processes, and their history with files.
#[derive(Debug)]
pub(super) struct SymbolClient {
    pub(super) procfs: PathBuf,
    client: Client,
    failed: HashMap<FileId, Failed>,
    refused: HashMap<(FileId, ProcessId), Instant>,
    pub(super) reasons: HashMap<Arc<Module>, Arc<str>>,
    pub(super) counts: Counts,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests to the processes that read files.
    pub requests: u64,
    /// Files that were not found, or were not the ones that had been mapped.
    pub refused: u64,
    /// Processes that died or were killed because of a file.
    pub children_lost: u64,
    /// Names that were forgotten to make room for others.
    pub evicted: u64,
}

/// An answer with names.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) build_id: Option<String>,
    /// In the order of the addresses.
    pub(super) names: Vec<Vec<Name>>,
}

/// What a file did to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    /// Its debug information is left alone.
    Lines,
    /// All of it is.
    Everything,
}

impl SymbolClient {
    pub(super) fn new(procfs: PathBuf, client: Client) -> Self {
        Self {
            procfs,
            client,
            failed: HashMap::new(),
            refused: HashMap::new(),
            reasons: HashMap::new(),
            counts: Counts::default(),
        }
    }

    pub(super) fn rest(&mut self) {
        self.client.rest();
    }

    /// Names for the addresses, and the build id of the file; `None` where it cannot be read, is
    /// not there, or was not there a short time ago.
    pub(super) fn ask(&mut self, wanted: &Wanted, process: ProcessId) -> Option<Reply> {
        let again = (wanted.file.clone(), process);
        let refused = self.refused.get(&again);
        if refused.is_some_and(|at| at.elapsed() < REFUSAL) {
            return None;
        }
        match self.ask_processes(wanted, process)? {
            Answer::Named { build_id, names } => Some(Reply { build_id, names }),
            Answer::Refused { reason } => {
                self.counts.refused += 1;
                self.remember(&wanted.file, &reason);
                make_room(&mut self.refused);
                self.refused.insert(again, Instant::now());
                None
            }
        }
    }

    /// Asks, with less and less where that ends a process.
    fn ask_processes(&mut self, wanted: &Wanted, process: ProcessId) -> Option<Answer> {
        loop {
            let lines = match self.failed.get(&wanted.file) {
                None => true,
                Some(Failed::Lines) => false,
                Some(Failed::Everything) => return None,
            };
            let request = self.request(wanted, process, lines);
            self.counts.requests += 1;
            match self.client.ask(&request) {
                Ok(answer) => return Some(answer),
                Err(failure @ Failure::NotStarted(_)) => {
                    self.remember(&wanted.file, &failure.to_string());
                    return None;
                }
                // It may have died of the files that it had read before.
                Err(Failure::Died { answered, .. }) if answered > 0 => {}
                Err(failure) => self.blame(&wanted.file, lines, &failure),
            }
        }
    }

    fn request(&self, wanted: &Wanted, process: ProcessId, lines: bool) -> Request {
        let mapped = |module: &Arc<Module>| {
            Code::File(MappedFile {
                path: module.path.to_string(),
                build_id: module.build_id.as_ref().map(BuildId::to_string),
                ip: wanted.ip,
                lines,
            })
        };
        Request {
            process: Process {
                procfs: self.procfs.to_string_lossy().into_owned(),
                tgid: process.tgid,
                start_ticks: process.start_ticks,
            },
            code: wanted.file.module.as_ref().map_or(Code::Generated, mapped),
            addresses: wanted.addresses.clone(),
        }
    }

    fn blame(&mut self, file: &FileId, lines: bool, failure: &Failure) {
        self.counts.children_lost += 1;
        self.remember(file, &failure.to_string());
        make_room(&mut self.failed);
        let failed = if lines {
            Failed::Lines
        } else {
            Failed::Everything
        };
        self.failed.insert(file.clone(), failed);
    }

    fn remember(&mut self, file: &FileId, reason: &str) {
        if let Some(module) = &file.module {
            make_room(&mut self.reasons);
            self.reasons.insert(Arc::clone(module), Arc::from(reason));
        }
    }
}

/// Forgets all where there is too much.
fn make_room<K, V>(table: &mut HashMap<K, V>) {
    if table.len() >= REMEMBERED {
        table.clear();
    }
}
