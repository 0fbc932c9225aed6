//! Names of functions, files and lines for the stacks that are reported.
//!
//! The files that names come from belong to the traced processes, and may do harm to whoever opens
//! or reads them. So that is left to two processes of [`sandbox`](super::sandbox), which may be
//! killed at any moment (`process`, `client`); this module only says what it wants to know
//! (`places`, `wire`) and remembers what it was told (`cache`). A file whose reading ended a
//! process, or took too long, is read once more without its debug information, and if that fails
//! too, not again (`requests`).

mod cache;
mod client;
mod places;
mod process;
mod requests;
pub(in crate::origin) mod wire;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use self::{
    cache::Cache,
    client::Client,
    places::{CodeAddress, Wanted, code_address, want},
    requests::{Reply, SymbolClient},
    wire::{Name, unhex},
};
pub use self::{process::Program, requests::Counts};
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

/// How the arguments of the two processes begin, NUL after each: by them they are told from what
/// they name.
pub const CHILD: &[u8] = b"memguard\0symbolize";

/// Gives names to stacks. Blocks, so it has a thread of its own.
#[derive(Debug)]
pub struct Symbolizer {
    client: SymbolClient,
    cache: Cache<CodeAddress, Arc<Known>>,
}

/// What was said of an address.
#[derive(Debug)]
struct Known {
    names: Vec<Name>,
    /// The file, with the build id that was found where none was known.
    module: Option<Arc<Module>>,
}

impl Known {
    fn bytes(&self) -> usize {
        size_of::<(CodeAddress, Self)>() + self.names.iter().map(Name::bytes).sum::<usize>()
    }
}

impl Symbolizer {
    /// `procfs` is where processes are looked up, `/proc` in production.
    pub fn new(procfs: impl Into<PathBuf>) -> Self {
        Self::with_program(procfs, Program::own())
    }

    /// With another program to start, for tests.
    pub fn with_program(procfs: impl Into<PathBuf>, program: Program) -> Self {
        Self::with_deadline(procfs, program, DEADLINE)
    }

    /// With another deadline for one file, for tests.
    pub fn with_deadline(procfs: impl Into<PathBuf>, program: Program, deadline: Duration) -> Self {
        Self {
            client: SymbolClient::new(procfs.into(), Client::new(program, deadline)),
            cache: Cache::new(CACHE_BYTES),
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
        let interpreter = application::mark(&mut frames, stack.incomplete.is_none());
        NamedStack {
            id: stack.id,
            frames,
            incomplete: stack.incomplete.clone(),
            interpreter,
        }
    }

    /// Ends the processes until they are needed again: to be called when there was nothing to name
    /// for a while. They end by themselves too, but are buried only with the next question.
    pub fn rest(&mut self) {
        self.client.rest();
    }

    /// Why the frames of a file have no names, or no lines, where that is so; for people.
    pub fn reason(&self, module: &Module) -> Option<Arc<str>> {
        self.client.reasons.get(module).cloned()
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        Counts {
            evicted: self.cache.evicted,
            ..self.client.counts
        }
    }

    /// What is known of each frame.
    fn look_up(&mut self, frames: &[Frame], process: ProcessId) -> Vec<Option<Arc<Known>>> {
        let namespace = self.namespace(process);
        let mut known = Vec::with_capacity(frames.len());
        let mut wanted = Vec::<Wanted>::new();
        for (at, frame) in frames.iter().enumerate() {
            let place = code_address(frame, namespace.as_ref(), process);
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
            let reply = self.client.ask(wanted, process);
            let found = reply
                .map(|reply| self.learn(wanted, reply))
                .unwrap_or_default();
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
        let link = self
            .client
            .procfs
            .join(process.tgid.to_string())
            .join("ns/mnt");
        std::fs::read_link(link).ok().map(Arc::from)
    }

    /// What was said, in the order of the addresses, to be remembered.
    fn learn(&mut self, wanted: &Wanted, reply: Reply) -> Vec<Arc<Known>> {
        let Reply { build_id, names } = reply;
        let module = with_build_id(wanted.file.module.as_ref(), build_id);
        let mut learnt = Vec::with_capacity(names.len());
        for (address, names) in wanted.addresses.iter().zip(names) {
            let module = module.clone();
            let known = Arc::new(Known { names, module });
            // Code that a process made may be other code the next time.
            if known.module.is_some() {
                let place = CodeAddress {
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
