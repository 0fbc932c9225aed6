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

mod functions;
mod modules;
mod signature;

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
/// At least one frame is marked where there is any: if there is no frame of the program, then the
/// first of an interpreter, else of a language's library, else the outermost of the C library.
pub fn mark(frames: &mut [NamedFrame]) -> Option<&'static str> {
    let owners = owners(frames);
    let place = place(&owners);
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
    let owners = frames.iter().map(|frame| surroundings.owner(frame));
    let mut owners: Vec<_> = owners.collect();
    // The assembly that enters the kernel has no symbol with a size in musl. In a static program
    // nothing else tells it from the program's own code.
    if let ([first, ..], [stub, Owner::System, ..]) = (frames, owners.as_mut_slice())
        && surroundings.is_static
        && first.function.is_none()
    {
        *stub = Owner::System;
    }
    owners
}

/// What the whole stack tells about one frame.
#[derive(Clone, Copy, Debug)]
struct Surroundings {
    /// No frame is in a C library: then the functions of the C library are in the program's file.
    is_static: bool,
    /// Names with a dot are packages of Go.
    is_go: bool,
}

impl Surroundings {
    fn of(frames: &[NamedFrame]) -> Self {
        let mut paths = frames.iter().filter_map(module_path);
        let go = |frame: &NamedFrame| {
            let file = frame.file.as_deref();
            let function = frame.function.as_deref();
            file.is_some_and(|file| functions::is_source(file, "go"))
                || function.is_some_and(|name| name.starts_with("runtime."))
        };
        Self {
            is_static: !paths.any(|path| modules::owner(path) == Some(Owner::System)),
            is_go: frames.iter().any(go),
        }
    }

    /// By the module, where that decides; else by the source file, else by the name.
    fn owner(self, frame: &NamedFrame) -> Owner {
        let function = frame.function.as_deref();
        let starts = function.is_some_and(functions::is_start);
        match module_path(frame).map(modules::owner) {
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
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::origin::Module;

    const LIBC: &str = "/usr/lib/x86_64-linux-gnu/libc.so.6";
    const APP: &str = "/usr/bin/api";
    const PYTHON: &str = "/usr/bin/python3.11";

    /// `module function file`, where `-` is none.
    fn frame(text: &str) -> NamedFrame {
        let mut words = text.split('|');
        let mut word = || words.next().filter(|word| *word != "-");
        let module = word().map(|path| {
            Arc::new(Module {
                path: Arc::from(path),
                build_id: None,
            })
        });
        NamedFrame {
            ip: 0x5555,
            module,
            offset: 0x10,
            function: word().map(Arc::from),
            file: word().map(Arc::from),
            line: Some(7),
            inlined: false,
            application: false,
        }
    }

    /// The marked frames, by number, and the interpreter.
    #[track_caller]
    fn check(stack: &[String], marked: &[usize], interpreter: Option<&str>) {
        let mut frames: Vec<_> = stack.iter().map(|text| frame(text)).collect();
        assert_eq!(mark(&mut frames), interpreter, "{stack:#?}");
        let own = frames
            .iter()
            .enumerate()
            .filter(|(_, frame)| frame.application);
        let own: Vec<_> = own.map(|(at, _)| at).collect();
        assert_eq!(own, marked, "{stack:#?}");
    }

    fn at(module: &str, function: &str) -> String {
        format!("{module}|{function}|-")
    }

    #[test]
    fn a_program_in_c() {
        let stack = [
            at(LIBC, "open64"),
            at(LIBC, "_IO_file_open"),
            at(LIBC, "fopen64"),
            at(APP, "read_config"),
            at(APP, "main"),
            at(LIBC, "__libc_start_call_main"),
            at(LIBC, "__libc_start_main_impl"),
            at(APP, "_start"),
        ];
        check(&stack, &[3, 4], None);
    }

    /// A function that is called from the C library, like the comparison of `qsort`.
    #[test]
    fn callbacks_are_the_programs_own() {
        let stack = [
            at(LIBC, "open64"),
            at(APP, "compare"),
            at(LIBC, "qsort_r"),
            at(APP, "main"),
        ];
        check(&stack, &[1, 3], None);
    }

    #[test]
    fn a_thread() {
        let stack = [
            at(LIBC, "__socket"),
            at(APP, "-"),
            at(LIBC, "start_thread"),
            at(LIBC, "clone3"),
        ];
        check(&stack, &[1], None);
    }

    #[test]
    fn a_static_program() {
        let stack = [
            at(APP, "__open64_nocancel"),
            at(APP, "__fopen_internal"),
            at(APP, "read_config"),
            at(APP, "main"),
            at(APP, "__libc_start_call_main"),
            at(APP, "_start"),
        ];
        check(&stack, &[2, 3], None);
    }

    /// With musl the frame that enters the kernel has no name.
    #[test]
    fn a_static_program_with_musl() {
        let stack = [
            at(APP, "-"),
            at(APP, "__syscall_cp"),
            at(APP, "open"),
            at(APP, "leak"),
            at(APP, "main"),
            at(APP, "libc_start_main_stage2"),
            at(APP, "_start"),
        ];
        check(&stack, &[3, 4], None);
    }

    /// A function of the program that has the name of one of the C library: only where that is in
    /// a file of its own.
    #[test]
    fn a_name_of_the_c_library_in_a_dynamic_program() {
        let stack = [at(LIBC, "socket"), at(APP, "accept"), at(APP, "main")];
        check(&stack, &[1, 2], None);
    }

    #[test]
    fn a_program_in_rust() {
        let stack = [
            at(LIBC, "open64"),
            at(APP, "std::sys::pal::unix::fs::File::open_c"),
            at(APP, "<std::path::Path as core::convert::AsRef<T>>::as_ref"),
            format!(
                "{APP}|open<&str>|/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/fs.rs"
            ),
            at(APP, "api::config::load"),
            at(
                APP,
                "<api::Job as core::ops::function::FnOnce<()>>::call_once",
            ),
            at(APP, "core::ops::function::FnOnce::call_once{{vtable.shim}}"),
            at(APP, "tokio::runtime::task::harness::poll"),
            at(APP, "std::rt::lang_start::{{closure}}"),
            at(APP, "main"),
            at(LIBC, "__libc_start_main"),
        ];
        check(&stack, &[4, 5, 7, 9], None);
    }

    #[test]
    fn a_program_in_go() {
        let stack = [
            at(APP, "runtime/internal/syscall.Syscall6"),
            at(APP, "syscall.socket"),
            at(APP, "net.sysSocket"),
            at(APP, "net/http.(*Client).Do"),
            at(APP, "github.com/acme/api/pool.(*Pool).Get"),
            at(APP, "api/internal/jobs.Run"),
            at(APP, "main.main.func1"),
            at(APP, "runtime.goexit"),
        ];
        check(&stack, &[4, 5, 6], None);
    }

    #[test]
    fn a_program_in_cpp() {
        let stdcpp = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6";
        let stack = [
            at(LIBC, "fopen64"),
            at(
                stdcpp,
                "std::__basic_file<char>::open(char const*, std::_Ios_Openmode, int)",
            ),
            at(
                APP,
                "std::basic_ifstream<char, std::char_traits<char> >::basic_ifstream(char const*)",
            ),
            at(APP, "api::Config::load(std::string const&)"),
            at(
                APP,
                "void std::__invoke_impl<void, main::{lambda()#1}>(std::__invoke_other)",
            ),
            at(APP, "core::Engine::run()"),
            at(stdcpp, "-"),
            at(LIBC, "start_thread"),
        ];
        check(&stack, &[3, 5], None);
    }

    #[test]
    fn a_script() {
        let stack = [
            at(LIBC, "open64"),
            at(PYTHON, "_io_FileIO___init__"),
            at(PYTHON, "_PyEval_EvalFrameDefault"),
            at(PYTHON, "main"),
            at(LIBC, "__libc_start_main"),
        ];
        check(&stack, &[1], Some("python"));
        let socket = "/usr/lib/python3.11/lib-dynload/_socket.cpython-311-x86_64-linux-gnu.so";
        let stack = [at(LIBC, "__socket"), at(socket, "-"), at(PYTHON, "-")];
        check(&stack, &[1], Some("python"));
    }

    /// What an extension acquires is its own, as with any other program.
    #[test]
    fn an_extension_of_an_interpreter() {
        let extension = "/srv/site-packages/fast.cpython-311-x86_64-linux-gnu.so";
        let stack = [
            at(LIBC, "open64"),
            at(extension, "fast_open"),
            at(PYTHON, "-"),
        ];
        check(&stack, &[1], None);
        // It called a function of the interpreter, which opened a file.
        let stack = [
            at(LIBC, "open64"),
            at(PYTHON, "_io_FileIO___init__"),
            at(extension, "fast_load"),
            at(PYTHON, "-"),
        ];
        check(&stack, &[1, 2], Some("python"));
    }

    #[test]
    fn code_of_no_file() {
        let node = "/usr/bin/node";
        let stack = [
            at(LIBC, "open64"),
            at(node, "uv__fs_open"),
            "-|-|-".to_owned(),
            at(node, "-"),
        ];
        check(&stack, &[1], Some("node"));
        // A just-in-time compiler that tells names.
        let stack = [
            at(LIBC, "open64"),
            at(node, "-"),
            "-|LazyCompile:*load /srv/app.js:3|-".to_owned(),
        ];
        check(&stack, &[1, 2], Some("node"));
    }

    /// Where every frame is a library's, the one closest to the program is taken.
    #[test]
    fn there_is_always_a_place() {
        let stack = [
            at(APP, "syscall.Syscall"),
            at(APP, "net.(*sysDialer).dialTCP"),
            at(APP, "net/http.(*Transport).dialConn"),
            at(APP, "runtime.goexit"),
        ];
        check(&stack, &[1], None);
        check(
            &[at(LIBC, "mmap"), at(LIBC, "sysmalloc"), at(LIBC, "malloc")],
            &[2],
            None,
        );
        check(
            &[
                at(LIBC, "socket"),
                at(LIBC, "gaih_inet"),
                at(LIBC, "start_thread"),
            ],
            &[1],
            None,
        );
        check(&["-|-|-".to_owned()], &[0], None);
        check(&[], &[], None);
    }

    #[test]
    fn a_frame_in_a_few_words() {
        for (text, expected) in [
            (
                "/srv/api|connect_upstream|/src/pool.c",
                "connect_upstream (pool.c:7)",
            ),
            ("/srv/api|connect_upstream|-", "connect_upstream (api)"),
            ("/srv/api|int ns::f<int>(int, char)|-", "ns::f<int> (api)"),
            ("/srv/api|-|-", "api+0x10"),
            ("-|-|-", "0x5555"),
            ("-|jitted|-", "jitted"),
        ] {
            assert_eq!(brief(&frame(text)), expected);
        }
    }
}
