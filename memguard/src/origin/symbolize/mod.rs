//! Names of functions, files and lines for the stacks that are reported.
//!
//! The files that names come from belong to the traced processes: they may be broken, endless,
//! replaced or truncated while they are read, on a file system that never answers. So they are
//! opened and read by a child process (`child`), which may be killed at any moment (`client`);
//! this module only says what it wants to know (`wire`) and remembers what it was told (`cache`).
//! A file whose reading ended the child, or took too long, is read once more without its debug
//! information, and if that fails too, not again.

mod cache;
mod child;
mod client;
mod places;
mod wire;

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use hashbrown::HashMap;

pub use self::child::child_main;
use self::{
    cache::Cache,
    client::{Client, Failure},
    places::{FileId, Place, Wanted, place, want},
    wire::{Answer, Mapped, Name, Process, Request, Subject, unhex},
};
use super::application;
use crate::model::{
    ids::ProcessId,
    origin::{BuildId, Frame, Module, NamedFrame, NamedStack, Stack},
};

/// Longest time that one file may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// After this time the files that are left of a stack are not asked for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of names that are remembered, at least; at most twice as many.
const CACHE_BYTES: usize = 8 << 20;

/// Files whose failure is remembered, and others of which nothing was found; beyond it all are
/// tried again.
const REMEMBERED: usize = 1024;

/// After this time a file that was not found is looked for again.
const REFUSAL: Duration = Duration::from_mins(1);

/// Gives names to stacks. Blocks, so it has a thread of its own.
#[derive(Debug)]
pub struct Symbolizer {
    procfs: PathBuf,
    client: Client,
    cache: Cache<Place, Arc<Known>>,
    failed: HashMap<FileId, Failed>,
    refused: HashMap<(FileId, ProcessId), Instant>,
    reasons: HashMap<Arc<Module>, Arc<str>>,
    counts: Counts,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests to the child.
    pub requests: u64,
    /// Files that were not found, or were not the ones that had been mapped.
    pub refused: u64,
    /// Children that died or were killed because of a file.
    pub children_lost: u64,
    /// Names that were forgotten to make room for others.
    pub evicted: u64,
}

/// What the child said of an address.
#[derive(Debug)]
struct Known {
    names: Vec<Name>,
    /// The file, with the build id that was found where none was known.
    module: Option<Arc<Module>>,
}

impl Known {
    fn bytes(&self) -> usize {
        size_of::<(Place, Self)>() + self.names.iter().map(Name::bytes).sum::<usize>()
    }
}

/// What a file did to the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    /// Its debug information is left alone.
    Lines,
    /// All of it is.
    Everything,
}

impl Symbolizer {
    /// `procfs` is where processes are looked up, `/proc` in production.
    pub fn new(procfs: impl Into<PathBuf>) -> Self {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("memguard").arg("symbolize");
        Self::with_command(procfs, command)
    }

    /// With another way to start the child, for tests.
    pub fn with_command(procfs: impl Into<PathBuf>, command: Command) -> Self {
        Self::with_deadline(procfs, command, DEADLINE)
    }

    /// With another deadline for one file, for tests.
    pub fn with_deadline(procfs: impl Into<PathBuf>, command: Command, deadline: Duration) -> Self {
        Self {
            procfs: procfs.into(),
            client: Client::new(command, deadline),
            cache: Cache::new(CACHE_BYTES),
            failed: HashMap::new(),
            refused: HashMap::new(),
            reasons: HashMap::new(),
            counts: Counts::default(),
        }
    }

    /// The stack with its names, and with the frames marked that are the program's own. Files are
    /// looked for through `process`, which may have ended.
    pub fn name(&mut self, stack: &Stack, process: ProcessId) -> NamedStack {
        let known = self.look_up(&stack.frames, process);
        let mut frames = Vec::with_capacity(stack.frames.len());
        for (frame, known) in stack.frames.iter().zip(known) {
            name_frame(frame, known.as_deref(), &mut frames);
        }
        let interpreter = application::mark(&mut frames);
        NamedStack {
            id: stack.id,
            frames,
            incomplete: stack.incomplete.clone(),
            interpreter,
        }
    }

    /// Ends the child until it is needed again: to be called when there was nothing to name for a
    /// while. It ends by itself too, but then nobody buries it.
    pub fn rest(&mut self) {
        self.client.rest();
    }

    /// Why the frames of a file have no names, or no lines, where that is so; for people.
    pub fn reason(&self, module: &Module) -> Option<Arc<str>> {
        self.reasons.get(module).cloned()
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        Counts {
            evicted: self.cache.evicted,
            ..self.counts
        }
    }

    /// What is known of each frame.
    fn look_up(&mut self, frames: &[Frame], process: ProcessId) -> Vec<Option<Arc<Known>>> {
        let namespace = self.namespace(process);
        let mut known = Vec::with_capacity(frames.len());
        let mut wanted = Vec::<Wanted>::new();
        for (at, frame) in frames.iter().enumerate() {
            let place = place(frame, namespace.as_ref(), process);
            let weigh = |known: &Arc<Known>| known.bytes();
            let cached = place
                .as_ref()
                .and_then(|place| self.cache.get(place, weigh));
            if let (Some(place), None) = (place, &cached) {
                want(&mut wanted, place, frame.ip, at);
            }
            known.push(cached);
        }
        let until = Instant::now() + PATIENCE;
        for wanted in wanted.iter().take_while(|_| Instant::now() < until) {
            let found = self.ask(wanted, process);
            for (at, found) in wanted.frames.iter().zip(found) {
                if let Some(known) = known.get_mut(*at) {
                    *known = Some(found);
                }
            }
        }
        known
    }

    /// The mount namespace; `None` once the process is gone.
    fn namespace(&self, process: ProcessId) -> Option<Arc<Path>> {
        let link = self.procfs.join(process.tgid.to_string()).join("ns/mnt");
        std::fs::read_link(link).ok().map(Arc::from)
    }

    /// What the child says of one file, in the order of the addresses; nothing where it says
    /// nothing.
    fn ask(&mut self, wanted: &Wanted, process: ProcessId) -> Vec<Arc<Known>> {
        let again = (wanted.file.clone(), process);
        if self
            .refused
            .get(&again)
            .is_some_and(|at| at.elapsed() < REFUSAL)
        {
            return Vec::new();
        }
        match self.ask_of(wanted, process) {
            Some(Answer::Named { build_id, names }) => self.learn(wanted, build_id, names),
            Some(Answer::Refused { reason }) => {
                self.counts.refused += 1;
                self.remember(&wanted.file, &reason);
                make_room(&mut self.refused);
                self.refused.insert(again, Instant::now());
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Asks, with less and less where that ends the child.
    fn ask_of(&mut self, wanted: &Wanted, process: ProcessId) -> Option<Answer> {
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
            Subject::File(Mapped {
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
            subject: wanted.file.module.as_ref().map_or(Subject::Made, mapped),
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

    fn learn(
        &mut self,
        wanted: &Wanted,
        build_id: Option<String>,
        names: Vec<Vec<Name>>,
    ) -> Vec<Arc<Known>> {
        let module = with_build_id(wanted.file.module.as_ref(), build_id);
        let mut learnt = Vec::with_capacity(names.len());
        for (address, names) in wanted.addresses.iter().zip(names) {
            let module = module.clone();
            let known = Arc::new(Known { names, module });
            // Code that a process made may be other code the next time.
            if known.module.is_some() {
                let place = Place {
                    file: wanted.file.clone(),
                    address: *address,
                };
                self.cache.insert(place, Arc::clone(&known), known.bytes());
            }
            learnt.push(known);
        }
        learnt
    }
}

/// The file, with the build id that was found where none was known.
fn with_build_id(module: Option<&Arc<Module>>, found: Option<String>) -> Option<Arc<Module>> {
    let module = module?;
    let found = found.and_then(|text| BuildId::new(&unhex(&text)?));
    let found = found.filter(|_| module.build_id.is_none());
    Some(found.map_or_else(
        || Arc::clone(module),
        |build_id| {
            Arc::new(Module {
                path: Arc::clone(&module.path),
                build_id: Some(build_id),
            })
        },
    ))
}

/// Forgets all where there is too much.
fn make_room<K, V>(table: &mut HashMap<K, V>) {
    if table.len() >= REMEMBERED {
        table.clear();
    }
}

/// The frame, after the functions that were inlined there.
fn name_frame(frame: &Frame, known: Option<&Known>, into: &mut Vec<NamedFrame>) {
    let none = [Name::default()];
    let names = known
        .map(|known| known.names.as_slice())
        .unwrap_or_default();
    let names = if names.is_empty() { &none } else { names };
    let found = known.and_then(|known| known.module.as_ref());
    let module = found.or(frame.module.as_ref());
    for (left, name) in (0..names.len()).rev().zip(names) {
        into.push(NamedFrame {
            ip: frame.ip,
            module: module.cloned(),
            offset: frame.offset,
            function: name.function.as_deref().map(Arc::from),
            file: name.file.as_deref().map(Arc::from),
            line: name.line,
            inlined: left > 0,
            application: false,
        });
    }
}
