//! Names of functions, files and lines for the stacks that are reported.
//!
//! The files that names come from belong to the traced processes: they may be broken, endless,
//! replaced or truncated while they are read, on a file system that never answers. So they are
//! opened and read by a child process (`child`), which may be killed at any moment (`client`);
//! this module only says what it wants to know (`places`, `wire`) and remembers what it was told
//! (`cache`). A file whose reading ended the child, or took too long, is read once more without
//! its debug information, and if that fails too, not again (`asker`).

mod asker;
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

pub use self::{asker::Counts, child::child_main};
use self::{
    asker::{Asker, Said},
    cache::Cache,
    client::Client,
    places::{Place, Wanted, place, want},
    wire::{Name, unhex},
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

/// How the arguments of the child begin, NUL after each: by them it is told from what it names.
pub const CHILD: &[u8] = b"memguard\0symbolize";

/// Gives names to stacks. Blocks, so it has a thread of its own.
#[derive(Debug)]
pub struct Symbolizer {
    asker: Asker,
    cache: Cache<Place, Arc<Known>>,
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
            asker: Asker::new(procfs.into(), Client::new(command, deadline)),
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

    /// Ends the child until it is needed again: to be called when there was nothing to name for a
    /// while. It ends by itself too, but then nobody buries it.
    pub fn rest(&mut self) {
        self.asker.rest();
    }

    /// Why the frames of a file have no names, or no lines, where that is so; for people.
    pub fn reason(&self, module: &Module) -> Option<Arc<str>> {
        self.asker.reasons.get(module).cloned()
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        Counts {
            evicted: self.cache.evicted,
            ..self.asker.counts
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
            let said = self.asker.ask(wanted, process);
            let found = said
                .map(|said| self.learn(wanted, said))
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
            .asker
            .procfs
            .join(process.tgid.to_string())
            .join("ns/mnt");
        std::fs::read_link(link).ok().map(Arc::from)
    }

    /// What was said, in the order of the addresses, to be remembered.
    fn learn(&mut self, wanted: &Wanted, said: Said) -> Vec<Arc<Known>> {
        let Said { build_id, names } = said;
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
