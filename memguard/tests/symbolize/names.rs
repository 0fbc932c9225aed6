//! Names that are right, and addresses that have none.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use memguard::{model::origin::Frame, origin::symbolize::Symbolizer};

use crate::{
    files::{Program, has_no_size},
    module, process, stack, stack_of, symbolizer, this_process, told,
};

/// What is told of one address.
fn names(symbolizer: &mut Symbolizer, program: &Program, address: u64) -> Vec<String> {
    let module = module(&program.path, program.build_id());
    let named = symbolizer.name(&stack(&module, address), this_process());
    named.frames.iter().map(told).collect()
}

#[test]
fn lines_and_inlined_functions() {
    let program = Program::compile(&["-g"]);
    let mut symbolizer = symbolizer();
    let expected = [
        "inner program.c:7 (inlined)",
        "middle program.c:10 (inlined)",
        "outer program.c:13",
    ];
    let mut addresses = program.address("outer")..program.end("outer");
    assert!(addresses.any(|address| names(&mut symbolizer, &program, address) == expected));
    // To a demangler of C++ this is the type `float`.
    assert_eq!(
        names(&mut symbolizer, &program, program.address("f")),
        ["f program.c:15"]
    );
    assert_eq!(symbolizer.counts().children_lost, 0);
}

/// The call is the last instruction of its function: the address it returns to is another
/// function's.
#[test]
fn a_return_address_belongs_to_the_call_before_it() {
    let program = Program::compile(&["-g"]);
    let behind = program.end("last_call");
    let module = module(&program.path, program.build_id());
    let named = symbolizer().name(&stack_of(&[(&module, behind, true)]), this_process());
    assert_eq!(told(&named.frames[0]), "last_call program.c:20");
    assert_eq!(named.frames[0].offset, behind);
}

#[test]
fn every_version_of_dwarf() {
    for version in ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"] {
        let program = Program::compile(&["-g", version]);
        let names = names(&mut symbolizer(), &program, program.address("outer"));
        assert_eq!(names.last().unwrap(), "outer program.c:13", "{version}");
    }
}

/// Debug information in `.dwo` files is not read, but the symbols and lines beside it are.
#[test]
fn split_debug_information() {
    let program = Program::compile(&["-g", "-gsplit-dwarf"]);
    let names = names(&mut symbolizer(), &program, program.address("f"));
    assert_eq!(names, ["f program.c:15"]);
}

#[test]
fn symbols_without_debug_information() {
    let program = Program::compile(&[]);
    let names = names(&mut symbolizer(), &program, program.address("outer"));
    assert_eq!(names, ["outer ?:?"]);
}

/// What is left are exported symbols, all of them far away from most addresses.
#[test]
fn a_stripped_program_has_no_wrong_names() {
    let program = Program::compile(&["-rdynamic", "-Wl,--export-dynamic"]);
    let (outer, start, end) = (
        program.address("outer"),
        program.address("_init"),
        program.end("main"),
    );
    let sized = program.address("sized");
    program.tool("strip", &["{}"]);
    let mut symbolizer = symbolizer();
    assert_eq!(names(&mut symbolizer, &program, outer), ["outer ?:?"]);
    assert_eq!(names(&mut symbolizer, &program, sized + 2), ["sized ?:?"]);
    assert_eq!(names(&mut symbolizer, &program, start), ["? ?:?"]);
    assert_eq!(names(&mut symbolizer, &program, end + 0x100), ["? ?:?"]);
    let program = Program::compile(&[]);
    program.tool("strip", &["{}"]);
    assert_eq!(names(&mut symbolizer, &program, outer), ["? ?:?"]);
}

#[test]
fn symbols_without_a_size() {
    let program = Program::compile(&[]);
    for name in ["described", "undescribed", "label"] {
        assert!(has_no_size(&program, name), "{name}");
    }
    let described = program.address("described");
    let undescribed = program.address("undescribed");
    let label = program.address("label");
    let mut symbolizer = symbolizer();
    for (address, expected) in [
        (described, "described ?:?"),
        (described + 3, "described ?:?"),
        (undescribed, "? ?:?"),
        (undescribed + 3, "? ?:?"),
        // A label in a function that does have a size.
        (label, "sized ?:?"),
        (label + 1, "sized ?:?"),
    ] {
        assert_eq!(
            names(&mut symbolizer, &program, address),
            [expected],
            "{address:#x}"
        );
    }
}

/// As distributions do it: debug information in a file of its own, found by a link, and known by
/// its build id or, without one, by its checksum.
#[test]
fn debug_information_next_to_the_program() {
    for (build_id, place) in [
        ("-Wl,--build-id=sha1", "program.debug"),
        ("-Wl,--build-id=sha1", ".debug/program.debug"),
        ("-Wl,--build-id=none", ".debug/program.debug"),
    ] {
        let program = separated(&["-g", build_id], place);
        let waiting = Waiting::start(&program);
        let module = module(&program.path, program.build_id());
        let stack = stack(&module, program.address("outer"));
        let named = symbolizer().name(&stack, process(waiting.0.id()));
        let outermost = named.frames.last().map(told);
        assert_eq!(
            outermost.as_deref(),
            Some("outer program.c:13"),
            "{build_id} {place}"
        );
    }
}

/// A file with the right name that belongs to another build is not believed.
#[test]
fn debug_information_of_another_build() {
    let program = separated(&["-g"], "program.debug");
    let (outer, other) = (
        program.address("outer"),
        Program::compile(&["-g", "-O0", "-DOTHER"]),
    );
    fs::copy(&other.path, program.directory.path().join("program.debug")).unwrap();
    program.tool("strip", &["{}"]);
    assert_eq!(names(&mut symbolizer(), &program, outer), ["? ?:?"]);
}

/// Moves debug information to `place`.
fn separated(arguments: &[&str], place: &str) -> Program {
    let program = Program::compile(arguments);
    fs::create_dir(program.directory.path().join(".debug")).unwrap();
    program.tool("objcopy", &["--only-keep-debug", "{}", place]);
    program.tool("objcopy", &["--strip-debug", "{}"]);
    let link = format!("--add-gnu-debuglink={place}");
    program.tool("objcopy", &[&link, "{}"]);
    program
}

/// A program that waits.
struct Waiting(Child);

impl Waiting {
    fn start(program: &Program) -> Self {
        let mut command = Command::new(&program.path);
        let child = command.arg("wait").stdin(Stdio::null()).spawn().unwrap();
        let waiting = Self(child);
        waiting.until_it_waits();
        waiting
    }

    fn until_it_waits(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        let stat = format!("/proc/{}/syscall", self.0.id());
        // `pause` is system call 34.
        while !fs::read_to_string(&stat).is_ok_and(|line| line.starts_with("34 ")) {
            assert!(Instant::now() < until, "{stat}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Without a build id, and with the file that is mapped still there or gone or replaced.
#[test]
fn a_program_without_a_build_id() {
    let program = Program::compile(&["-g", "-Wl,--build-id=none"]);
    assert_eq!(program.build_id(), None);
    let address = program.address("f");
    let module = module(&program.path, None);
    let mut symbolizer = symbolizer();
    let mut name = |waiting: &Waiting| {
        let named = symbolizer.name(&stack(&module, address), process(waiting.0.id()));
        told(&named.frames[0])
    };
    let waiting = Waiting::start(&program);
    assert_eq!(name(&waiting), "f program.c:15");
    let waiting = Waiting::start(&program);
    fs::remove_file(&program.path).unwrap();
    assert_eq!(name(&waiting), "f program.c:15");
    fs::write(&program.path, b"another").unwrap();
    // This was named before; another process with the same file was not.
    assert_eq!(name(&waiting), "f program.c:15");
}

/// The process is gone, and the file at its path is younger than it: nothing says that it is the
/// one.
#[test]
fn a_file_that_may_have_been_replaced() {
    let program = Program::compile(&["-g", "-Wl,--build-id=none"]);
    let waiting = Waiting::start(&program);
    let gone = process(waiting.0.id());
    drop(waiting);
    let module = module(&program.path, None);
    let address = program.address("f");
    let named = symbolizer().name(&stack(&module, address), gone);
    assert_eq!(told(&named.frames[0]), "f program.c:15");
    let same = fs::read(&program.path).unwrap();
    // More than the clock tick to which the beginning of a process is known.
    std::thread::sleep(Duration::from_millis(50));
    fs::remove_file(&program.path).unwrap();
    fs::write(&program.path, same).unwrap();
    let mut symbolizer = symbolizer();
    let named = symbolizer.name(&stack(&module, address), gone);
    assert_eq!(told(&named.frames[0]), "? ?:?");
    assert!(
        symbolizer.reason(&module).unwrap().contains("changed"),
        "{symbolizer:?}"
    );
}

#[test]
fn a_file_with_another_build_id() {
    let program = Program::compile(&["-g"]);
    let other = Program::compile(&["-g", "-O0"]);
    let module = module(&program.path, other.build_id());
    let mut symbolizer = symbolizer();
    let named = symbolizer.name(&stack(&module, program.address("f")), this_process());
    assert_eq!(told(&named.frames[0]), "? ?:?");
    assert!(symbolizer.reason(&module).unwrap().contains("replaced"));
    assert_eq!(symbolizer.counts().refused, 1);
}

/// A build id that nobody knew is told.
#[test]
fn the_build_id_that_was_found() {
    let program = Program::compile(&["-g"]);
    let waiting = Waiting::start(&program);
    let unknown = module(&program.path, None);
    let stack = stack(&unknown, program.address("f"));
    let named = symbolizer().name(&stack, process(waiting.0.id()));
    let found = named.frames[0].module.as_ref().unwrap().build_id;
    assert!(found.is_some() && found == program.build_id());
}

/// The list that a just-in-time compiler writes.
#[test]
fn code_that_a_process_made() {
    let program = Program::compile(&[]);
    let waiting = Waiting::start(&program);
    let list = format!("/tmp/perf-{}.map", waiting.0.id());
    let named = |address| {
        let mut stack = stack(&module(&program.path, None), 0);
        let frame = Frame {
            ip: address,
            module: None,
            offset: address,
            is_return: true,
        };
        stack.frames = [frame].into();
        let named = symbolizer().name(&stack, process(waiting.0.id()));
        told(&named.frames[0])
    };
    assert_eq!(named(0x1010), "? ?:?");
    fs::write(&list, "1000 10 load /srv/app.js:3\n").unwrap();
    let names = [named(0x1010), named(0x1000), named(0x1011)];
    fs::remove_file(&list).unwrap();
    assert_eq!(names, ["load /srv/app.js:3 ?:?", "? ?:?", "? ?:?"]);
}

/// The second time nobody is asked, not even after the file has gone.
#[test]
fn names_are_remembered() {
    let program = Program::compile(&["-g"]);
    let address = program.address("f");
    let module = module(&program.path, program.build_id());
    let mut symbolizer = symbolizer();
    for _ in 0..2 {
        let named = symbolizer.name(&stack(&module, address), this_process());
        assert_eq!(told(&named.frames[0]), "f program.c:15");
        assert_eq!(symbolizer.counts().requests, 1);
        symbolizer.rest();
        drop(fs::remove_file(&program.path));
    }
}

/// A program of Rust with all its debug information: this test.
#[test]
fn rust() {
    let program = std::env::current_exe().unwrap();
    let here = names_are_remembered as fn() as usize as u64;
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let base = maps.lines().next().unwrap().split('-').next().unwrap();
    let base = u64::from_str_radix(base, 16).unwrap();
    let module = module(&program, None);
    let named = symbolizer().name(&stack(&module, here - base), this_process());
    let names: Vec<_> = named.frames.iter().map(told).collect();
    let outermost = names.last().unwrap();
    assert!(
        outermost.starts_with("symbolize::names::names_are_remembered names.rs:"),
        "{names:?}"
    );
}
