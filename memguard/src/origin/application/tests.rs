//! Stacks of programs in many languages, and the frames of them that are the program's own.

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
    assert_eq!(mark(&mut frames, true), interpreter, "{stack:#?}");
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

/// A name that both use: whose it is tells the caller.
#[test]
fn a_static_program_with_a_name_of_the_c_librarys_inside() {
    let stack = [
        at(APP, "__pipe2"),
        at(APP, "spawn_process"),
        at(APP, "_IO_new_proc_open"),
        at(APP, "popen"),
        at(APP, "spawn_process"),
        at(APP, "main"),
    ];
    check(&stack, &[4, 5], None);
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

/// The program is the interpreter, with another name.
#[test]
fn a_program_that_runs_scripts() {
    let stack = [
        at(LIBC, "open64"),
        at(APP, "_io_FileIO___init__"),
        at(APP, "_PyEval_EvalFrameDefault"),
        at(APP, "main"),
    ];
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
        at(APP, "net/http.newTransport"),
        at(APP, "net/http.(*Transport).queueForDial.func1"),
        at(APP, "runtime.goexit"),
    ];
    check(&stack, &[2], None);
    let literal = [
        at(APP, "net.(*netFD).accept"),
        at(APP, "net/http.(*Server).Serve.gowrap3"),
        at(APP, "runtime.goexit"),
    ];
    check(&literal, &[1], None);
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

#[test]
fn what_users_of_go_know() {
    for (function, expected) in [
        ("net.Dial", true),
        ("net/http.(*Transport).dialConn", true),
        ("net/http.newTransport", false),
        ("slices.SortFunc[go.shape.*github.com/acme/api.Job]", true),
        ("sync.(*Pool[...]).get", true),
        ("main.Get[net/http.Client]", false),
    ] {
        assert_eq!(golang::is_public_in_go(function), expected, "{function}");
    }
}
