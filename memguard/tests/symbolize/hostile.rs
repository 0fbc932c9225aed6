//! Files that break the reading of them, and children that break.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::symlink,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use memguard::{model::origin::BuildId, origin::symbolize};
use tempfile::TempDir;

use crate::{
    files::{Program, noise, write},
    hasty, module, reader, stack, symbolizer, this_process, told,
};

const UNNAMED: &str = "? ?:?";

/// What is at the path, and what is said of it.
#[test]
fn paths_that_lead_to_no_program() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("directory")).unwrap();
    let fifo = path("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    symlink(path("endless"), path("endless")).unwrap();
    write(&path("empty"), b"");
    write(&path("noise"), &noise(1 << 16));
    let sparse = fs::File::create(path("sparse")).unwrap();
    sparse.set_len(2 << 30).unwrap();
    let mut symbolizer = symbolizer();
    for (name, reason) in [
        ("missing", "No such file"),
        ("directory", "not a regular file"),
        ("fifo", "not a regular file"),
        ("endless", "symbolic links"),
        ("empty", "no ELF file"),
        ("noise", "no ELF file"),
        ("sparse", "no ELF file"),
    ] {
        let module = module(&path(name), BuildId::new(&[1; 20]));
        let named = symbolizer.name(&stack(&module, 0x1000), this_process());
        assert_eq!(told(&named.frames[0]), UNNAMED, "{name}");
        let said = symbolizer.reason(&module).unwrap();
        assert!(said.contains(reason), "{name}: {said}");
    }
    assert_eq!(symbolizer.counts().children_lost, 0);
}

/// A device is not even opened.
#[test]
fn devices_are_left_alone() {
    let module = module("/dev/zero".as_ref(), BuildId::new(&[1; 20]));
    let mut symbolizer = symbolizer();
    symbolizer.name(&stack(&module, 0x1000), this_process());
    assert!(
        symbolizer
            .reason(&module)
            .unwrap()
            .contains("not a regular file")
    );
}

/// A file that names others, which must not be opened: this one waits for a writer when it is.
#[test]
fn links_lead_nowhere() {
    let program = Program::compile(&["-g"]);
    let fifo = program.directory.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    for section in [".gnu_debuglink", ".gnu_debugaltlink"] {
        let mut link = fifo.to_str().unwrap().as_bytes().to_vec();
        link.resize((link.len() + 1).next_multiple_of(4) + 4, 0);
        write(&program.directory.path().join("link"), &link);
        program.tool(
            "objcopy",
            &["--add-section", &format!("{section}=link"), "{}"],
        );
    }
    let module = module(&program.path, program.build_id());
    let mut symbolizer = symbolizer();
    let named = symbolizer.name(&stack(&module, program.address("f")), this_process());
    assert_eq!(named.frames[0].function.as_deref(), Some("f"));
    assert_eq!(told(&named.frames[0]), "f program.c:15");
    assert_eq!(symbolizer.counts().children_lost, 0);
}

/// A program with one part of it overwritten by noise, many times: right names or none, and an
/// answer every time.
#[test]
fn damaged_programs_have_right_names_or_none() {
    let program = Program::compile(&["-g"]);
    let whole = fs::read(&program.path).unwrap();
    let (address, build_id) = (program.address("f"), program.build_id());
    let module = module(&program.path, build_id);
    let noise = noise(64);
    for step in 0..64 {
        let mut bytes = whole.clone();
        // The first page, with the build id in it, stays: a file without it is refused at once.
        let at = 0x1000 + (bytes.len() - 0x1000 - noise.len()) * step / 64;
        bytes[at..at + noise.len()].copy_from_slice(&noise);
        write(&program.path, &bytes);
        let mut symbolizer = hasty(reader());
        let named = symbolizer.name(&stack(&module, address), this_process());
        let function = named.frames.last().unwrap().function.as_deref();
        assert!(matches!(function, None | Some("f")), "{at:#x}: {named:?}");
    }
}

/// Cut short at every tenth.
#[test]
fn truncated_programs_have_right_names_or_none() {
    let program = Program::compile(&["-g"]);
    let length = fs::metadata(&program.path).unwrap().len();
    let (address, build_id) = (program.address("f"), program.build_id());
    let module = module(&program.path, build_id);
    for tenth in (0..10).rev() {
        let file = OpenOptions::new().write(true).open(&program.path).unwrap();
        file.set_len(length * tenth / 10).unwrap();
        let named = symbolizer().name(&stack(&module, address), this_process());
        assert_eq!(told(&named.frames[0]), UNNAMED, "{tenth}");
    }
}

/// Truncated and written anew while it is read: the child may die of it, and another one answers.
#[test]
fn a_file_that_changes_all_the_time() {
    let program = Program::compile(&["-g"]);
    let whole = fs::read(&program.path).unwrap();
    let (address, build_id) = (program.address("f"), program.build_id());
    let module = module(&program.path, build_id);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                write(&program.path, &whole[..0x1000]);
                write(&program.path, &whole);
            }
        });
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            let mut symbolizer = hasty(reader());
            for shift in 0..4 {
                let named = symbolizer.name(&stack(&module, address + shift), this_process());
                let function = named.frames.last().unwrap().function.as_deref();
                assert!(matches!(function, None | Some("f")), "{named:?}");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Of processes that do not answer, die, or were never there; and how long that takes.
#[test]
fn readers_that_do_not_answer() {
    let program = Program::compile(&["-g"]);
    let module = module(&program.path, program.build_id());
    for (path, script, reason, lost) in [
        ("/bin/sh", "exec sleep 100", "took too long", 2),
        ("/bin/sh", "exit 1", "ended the process", 2),
        ("/bin/sh", "exec yes", "broke off", 2),
        ("/nonexistent", "", "could not be started", 0),
        ("/bin/sh", "exit 111", "Operation not permitted", 0),
    ] {
        let mut symbolizer = hasty(symbolize::Program {
            path: path.into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
        });
        let began = Instant::now();
        for _ in 0..3 {
            let named = symbolizer.name(&stack(&module, program.address("f")), this_process());
            assert_eq!(told(&named.frames[0]), UNNAMED);
        }
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{script}: {:?}",
            began.elapsed()
        );
        let said = symbolizer.reason(&module).unwrap();
        assert!(said.contains(reason), "{script}: {said}");
        assert_eq!(symbolizer.counts().children_lost, lost, "{script}");
        drop(symbolizer);
        assert_eq!(children(), Vec::<String>::new(), "{script}");
    }
}

/// One bad file does not take the names of others with it.
#[test]
fn readers_that_were_killed_are_replaced() {
    let program = Program::compile(&["-g"]);
    let module = module(&program.path, program.build_id());
    let mut symbolizer = symbolizer();
    for name in ["f", "after", "outer"] {
        let named = symbolizer.name(&stack(&module, program.address(name)), this_process());
        assert_eq!(named.frames.last().unwrap().function.as_deref(), Some(name));
        let readers = children();
        assert_eq!(
            readers.len(),
            2,
            "an opener and a parser, and none of before"
        );
        for child in readers {
            assert!(
                Command::new("kill")
                    .args(["-9", &child])
                    .status()
                    .unwrap()
                    .success()
            );
        }
    }
    assert_eq!(symbolizer.counts().children_lost, 0, "{symbolizer:?}");
}

/// The children of this thread.
pub(crate) fn children() -> Vec<String> {
    let text = fs::read_to_string("/proc/thread-self/children").unwrap();
    text.split_whitespace().map(str::to_owned).collect()
}
