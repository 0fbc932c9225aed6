//! Which frames of a stack are the program's own.
//!
//! A handle is acquired deep in libraries; people want the place in *their* code, and a finding is
//! recognised by it. So every frame is judged, by its module (`modules`), by the name of its
//! function (`functions`) and by its source file, and what is neither of the C library, nor of a
//! language's own library, nor of an interpreter is the program's. Libraries that a program chose
//! (tokio, OpenSSL) are its own code here: another version of the program may use them
//! differently.
//!
//! Pure functions of names, which come from files of others: any text may come.

mod allocators;
mod functions;
mod golang;
mod modules;
mod signature;

pub use self::allocators::maps_for_many;
use crate::model::origin::NamedFrame;

/// What a frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The program, or a library of its choice.
    Program,
    /// An interpreter, with its name.
    Interpreter(&'static str),
    /// A language's library: C++'s, Rust's, Go's.
    Language,
    /// The C library, and what stands in for parts of it: the frames right above a system call.
    System,
    /// What calls `main` or the function of a thread.
    Start,
    /// Code of no file and without a name, as a just-in-time compiler makes it.
    Nobody,
}

/// Marks the program's own frames. Gives the interpreter, where the innermost frame that is no
/// library's is an interpreter's: every handle that its scripts acquire has this same place.
///
/// Of a whole stack at least one frame is marked: if there is no frame of the program, then the
/// first of an interpreter, else of a language's library, else the outermost of the C library. Of
/// Go's library it is the outermost that its users know: what a library does in a goroutine of its
/// own has no frame of the program on its stack.
/// Where a stack ends early, the program's frames may be in the part that is missing, and a
/// library's are not taken for them, but for those of Go's packages, which say more than the call.
pub fn mark(frames: &mut [NamedFrame], is_whole: bool) -> Option<&'static str> {
    let owners = owners(frames);
    let is_own = |owner: &Owner| matches!(owner, Owner::Program | Owner::Interpreter(_));
    let has_own = owners.iter().any(is_own);
    let known = public_of_go(frames, &owners).filter(|_| !has_own);
    let first = place(&owners);
    let first = first.filter(|place| is_whole || owners.get(*place).is_some_and(is_own));
    let place = known.or(first);
    for (at, (frame, owner)) in frames.iter_mut().zip(&owners).enumerate() {
        frame.application = *owner == Owner::Program || Some(at) == place;
    }
    match owners.get(place?)? {
        Owner::Interpreter(name) => Some(name),
        _ => None,
    }
}

/// The frame in a few words: `connect_upstream (pool.c:88)`, `connect_upstream (api)` where lines
/// are unknown, `api+0x14e10` where the function is.
pub fn brief(frame: &NamedFrame) -> String {
    let module = frame.module_name();
    let file = frame
        .file
        .as_deref()
        .and_then(|path| path.rsplit('/').next());
    let line = file
        .zip(frame.line)
        .map(|(file, line)| format!("{file}:{line}"));
    let address = || match module {
        Some(module) => format!("{module}+{:#x}", frame.offset),
        None => format!("{:#x}", frame.ip),
    };
    let Some(function) = &frame.function else {
        return line.unwrap_or_else(address);
    };
    let function = signature::without_parameters(function);
    match line.as_deref().or(module) {
        Some(place) => format!("{function} ({place})"),
        None => function.to_owned(),
    }
}

/// The outermost frame of Go's library that its users know; what the compiler has made of a `go`
/// statement or a literal only where there is none else.
fn public_of_go(frames: &[NamedFrame], owners: &[Owner]) -> Option<usize> {
    let outermost = |is_wanted: fn(&str) -> bool| {
        let name = |frame: &NamedFrame| frame.function.as_deref().is_some_and(is_wanted);
        let mut both = frames.iter().zip(owners);
        both.rposition(|(frame, owner)| *owner == Owner::Language && name(frame))
    };
    let named = |name: &str| golang::is_public_in_go(name) && !golang::is_literal_in_go(name);
    outermost(named).or_else(|| outermost(golang::is_public_in_go))
}

/// The innermost frame worth telling of.
fn place(owners: &[Owner]) -> Option<usize> {
    let first = |wanted: fn(&Owner) -> bool| owners.iter().position(wanted);
    first(|owner| matches!(owner, Owner::Program | Owner::Interpreter(_)))
        .or_else(|| first(|owner| *owner == Owner::Language))
        .or_else(|| owners.iter().rposition(|owner| *owner == Owner::System))
        .or_else(|| first(|_| true))
}

fn owners(frames: &[NamedFrame]) -> Vec<Owner> {
    let surroundings = Surroundings::of(frames);
    let mut owners = Vec::with_capacity(frames.len());
    for (at, frame) in frames.iter().enumerate().rev() {
        let by_system = owners.last() == Some(&Owner::System);
        let owner = match surroundings.owner(frame) {
            Owner::Program if by_system && surroundings.is_internal(frame, at) => Owner::System,
            owner => owner,
        };
        owners.push(owner);
    }
    owners.reverse();
    owners
}

/// What the whole stack tells about one frame.
#[derive(Clone, Copy, Debug)]
struct Surroundings<'a> {
    /// No frame is in a C library: then the functions of the C library are in the program's file.
    is_static: bool,
    /// Names with a dot are packages of Go.
    is_go: bool,
    /// A file that has an interpreter in it, whatever it is called.
    interpreter: Option<(&'a str, &'static str)>,
}

impl<'a> Surroundings<'a> {
    fn of(frames: &'a [NamedFrame]) -> Self {
        let mut paths = frames.iter().filter_map(module_path);
        let go = |frame: &NamedFrame| {
            let file = frame.file.as_deref();
            let function = frame.function.as_deref();
            file.is_some_and(|file| functions::is_source(file, "go"))
                || function.is_some_and(|name| name.starts_with("runtime."))
        };
        let interpreter = |frame: &'a NamedFrame| {
            let name = functions::interpreter(frame.function.as_deref()?)?;
            Some((module_path(frame)?, name))
        };
        Self {
            is_static: !paths.any(|path| modules::owner(path) == Some(Owner::System)),
            is_go: frames.iter().any(go),
            interpreter: frames.iter().find_map(interpreter),
        }
    }

    /// By the module, where that decides; else by the source file, else by the name.
    fn owner(self, frame: &NamedFrame) -> Owner {
        let function = frame.function.as_deref();
        let starts = function.is_some_and(functions::is_start);
        match module_path(frame).map(|path| self.owner_by_module(path)) {
            None if function.is_none() => return Owner::Nobody,
            None => return Owner::Program,
            Some(Some(Owner::System)) if starts => return Owner::Start,
            Some(Some(owner)) => return owner,
            Some(None) => {}
        }
        let by_file = frame.file.as_deref().and_then(functions::owner_by_file);
        let by_name = || {
            let name = function?;
            self.owner_by_name(name, frame.file.as_deref())
        };
        by_file.or_else(by_name).unwrap_or(Owner::Program)
    }

    /// Of a frame that the C library called: whether it is its own, too. The assembly that enters
    /// the kernel, innermost, has no symbol with a size in musl.
    fn is_internal(self, frame: &NamedFrame, at: usize) -> bool {
        let internal = frame.function.as_deref().map(functions::is_internal);
        self.is_static && internal.unwrap_or(at == 0)
    }

    fn owner_by_module(self, path: &str) -> Option<Owner> {
        let embedded = self.interpreter.filter(|(other, _)| *other == path);
        let embedded = embedded.map(|(_, name)| Owner::Interpreter(name));
        modules::owner(path).or(embedded)
    }

    fn owner_by_name(self, name: &str, file: Option<&str>) -> Option<Owner> {
        let reserved = functions::owner_by_reserved_name(name);
        let of_c = || functions::owner_in_static_program(name).filter(|_| self.is_static);
        let of_go = || functions::owner_by_package(name).filter(|_| self.is_go);
        let of_path = || functions::owner_by_path(name, file);
        reserved.or_else(of_c).or_else(of_go).or_else(of_path)
    }
}

fn module_path(frame: &NamedFrame) -> Option<&str> {
    frame.module.as_ref().map(|module| &*module.path)
}

#[cfg(test)]
mod tests;
