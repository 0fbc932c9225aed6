//! Every command line of README, of the introduction and of the help texts is run here as it
//! stands, in a directory where the files and programs that it names exist. Only times are
//! shortened and numbers of processes replaced.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    time::Duration,
};

use memguard_tests::{Guard, Memguard, Ran, Scratch, machine, program, wait::wait_until};

const SUBCOMMANDS: [&str; 6] = ["watch", "run", "doctor", "report", "diff", "demo"];
const PATIENCE: Duration = Duration::from_secs(40);

/// A command line as it is written, what it ends with, and a word of its output: of both streams,
/// or of the file that it writes.
const EXAMPLES: &[(&str, i32, &str)] = &[
    ("memguard watch -p PID", 0, "nothing leaked"),
    ("memguard run -- COMMAND", 0, "16 descriptors left at exit"),
    ("memguard watch -p 4242", 0, "nothing leaked"),
    ("memguard watch -a -d 10m", 0, "watching the whole host"),
    (
        "memguard watch --comm nginx -o nginx.jsonl",
        0,
        "memguard.agent.stopped",
    ),
    (
        "memguard watch -p 4242 --format jsonl | jq .body",
        0,
        "nothing leaked",
    ),
    (
        "memguard watch -p 4242 -d 5m --fail-on leak,exhaustion",
        0,
        "nothing leaked",
    ),
    (
        "memguard run -- ./server --selftest",
        0,
        "16 descriptors left at exit",
    ),
    (
        "memguard run -o leaks.jsonl -- make test",
        0,
        "memguard.run.summary",
    ),
    (
        "memguard run --fail-on left -- ./test",
        23,
        "memguard exits with 23",
    ),
    (
        "memguard run --fail-on left:16 -- ./test",
        23,
        "memguard exits with 23",
    ),
    (
        "memguard run --fail-on left --baseline old.jsonl -- ./test",
        23,
        "0 known from the baseline",
    ),
    ("memguard doctor", 0, "memguard works on this host"),
    ("memguard doctor --json | jq .ok", 0, "true"),
    ("memguard doctor --default-suppressions > mine.supp", 0, ""),
    ("memguard demo", 0, "1 leak"),
    ("memguard report leaks.jsonl", 0, "2 leaks"),
    ("memguard report --fail-on leak leaks.jsonl", 1, "2 leaks"),
    (
        "memguard report --format folded leaks.jsonl | flamegraph.pl > leaks.svg",
        0,
        "",
    ),
    (
        "memguard report --suppressions known.supp --show-suppressed leaks.jsonl",
        0,
        "suppressed by: leak  function=connect_upstream",
    ),
    (
        "ssh HOST memguard watch -p 4242 -d 5m --format jsonl | memguard report -",
        0,
        "nothing leaked",
    ),
    ("memguard diff before.jsonl after.jsonl", 1, "1 new"),
    (
        "memguard diff --fail-on grew old.jsonl new.jsonl",
        1,
        "GREW",
    ),
    (
        "memguard diff --format jsonl old.jsonl new.jsonl | jq .memguard.difference",
        0,
        "connect_upstream",
    ),
    (
        "memguard watch -p 1403 --warm-up 1s --min-age 2s -i 1s -d 14s",
        0,
        "nothing leaked",
    ),
    ("memguard run -- ./leak", 0, "16 descriptors left at exit"),
    (
        "memguard run -o leaks.jsonl -- ./program",
        0,
        "memguard.run.summary",
    ),
    (
        "memguard watch -p PID --format jsonl",
        0,
        "memguard.agent.stopped",
    ),
    ("memguard diff old.jsonl new.jsonl", 1, "1 new"),
];

/// The examples of the texts are those of the table, none more and none less.
#[test]
fn every_example_is_in_the_table() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let mut written = BTreeSet::new();
    for subcommand in SUBCOMMANDS {
        let help = Memguard::plain(&[subcommand, "--help"]).finish();
        written.extend(examples(&help.stdout));
    }
    written.extend(examples(&Memguard::plain(&[]).finish().stdout));
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).expect("README.md is there");
    let blocks = readme.split("```").skip(1).step_by(2);
    let shell = blocks.filter(|block| block.starts_with("sh\n") || block.starts_with("console\n"));
    written.extend(shell.flat_map(examples));
    let table = EXAMPLES.iter().map(|(line, ..)| (*line).to_owned());
    println!("{} examples", written.len());
    assert_eq!(written, table.collect());
}

/// Lines that are commands, without what is said of them: behind two blanks or a `#`.
fn examples(text: &str) -> BTreeSet<String> {
    let command = |line: &str| {
        let line = line.trim_start().trim_start_matches("# ");
        let line = line.strip_prefix("sudo ").unwrap_or(line);
        let end = line.find("  ").unwrap_or(line.len());
        let known = ["memguard ", "ssh HOST "];
        let first = line.split(' ').nth(1).unwrap_or_default();
        let is_command = SUBCOMMANDS.contains(&first) || line.starts_with("ssh ");
        let is_one = is_command && known.iter().any(|start| line.starts_with(start));
        is_one.then(|| line[..end].trim_end().to_owned())
    };
    text.lines().filter_map(command).collect()
}

#[test]
fn every_example_works() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let desk = Desk::new();
    for (line, code, word) in EXAMPLES {
        // The tour has a test of its own, on a terminal.
        if *line == "memguard demo" {
            continue;
        }
        let ran = desk.run(line);
        let written = ["leaks.jsonl", "nginx.jsonl"]
            .iter()
            .filter(|name| line.contains(&format!("-o {name}")))
            .map(|name| fs::read_to_string(desk.scratch.path(name)).expect("it was written"));
        let output = written.fold(ran.output(), |output, file| output + &file);
        assert_eq!(ran.code, *code, "{line}: {output}");
        assert!(output.contains(word), "{line}: no {word:?} in {output}");
        // As the next one finds it.
        desk.lay_out();
    }
}

/// The program of README, watched as README does, makes the same lines: their first words, in the
/// order in which each comes first, and the suggestion. Numbers, names and ages are its own.
#[test]
fn readme_shows_what_happens() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    if !machine::has("python3") {
        return;
    }
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).expect("README.md is there");
    let block = |language: &str| {
        let (_, rest) = readme
            .split_once(&format!("```{language}\n"))
            .expect(language);
        rest.split("```").next().expect(language).to_owned()
    };
    let scratch = Scratch::new();
    // Any port that is free, found before the loop needs it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let port = port.expect("a free port").port().to_string();
    let source = scratch.write("leaky.py", &block("python").replace("8088", &port));
    let leaky = Guard::spawn(Command::new("python3").arg(source)).expect("python3 starts");
    let (command, expected) = {
        let console = block("console");
        let (command, output) = console.split_once('\n').expect("a command and its output");
        (
            command.trim_start_matches("# memguard ").to_owned(),
            output.to_owned(),
        )
    };
    let pid = leaky.pid().to_string();
    is_python(&pid);
    let command = command.replace("1403", &pid);
    let ran = Memguard::plain(&command.split(' ').collect::<Vec<_>>()).finish_within(PATIENCE);
    println!("{}", ran.stdout);
    assert_eq!(ran.code, 0);
    assert_eq!(first_words(&ran.stdout), first_words(&expected));
    let suggestion = "127.0.0.1 has closed its end, this process has not";
    for text in [&ran.stdout, &expected] {
        assert!(text.contains(suggestion), "{text}");
    }
}

/// What is found as `python3` may be a script that looks for the interpreter first.
fn is_python(pid: &str) {
    wait_until(PATIENCE, "the interpreter runs", || {
        let name = fs::read_to_string(format!("/proc/{pid}/comm"));
        name.is_ok_and(|name| name.starts_with("python"))
    });
}

/// The tags and other first words of lines that are not indented, each once.
fn first_words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let lines = text.lines().filter(|line| !line.starts_with(' '));
    for line in lines {
        let word = line.split([' ', '[']).next().unwrap_or_default();
        if !word.is_empty() && !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    words
}

/// A directory with everything that the examples name.
struct Desk {
    scratch: Scratch,
    sleep: Guard,
}

impl Desk {
    fn new() -> Self {
        let scratch = Scratch::new();
        let sleep = Guard::spawn(Command::new("sleep").arg("600")).expect("sleep starts");
        let desk = Self { scratch, sleep };
        desk.lay_out();
        let bin = desk.scratch.path("bin");
        fs::create_dir(&bin).expect("a directory");
        std::os::unix::fs::symlink(machine::memguard(), bin.join("memguard")).expect("a link");
        // What need not be installed here: each takes what memguard writes.
        script(&bin.join("flamegraph.pl"), "exec cat");
        script(&bin.join("jq"), "exec cat");
        script(&bin.join("ssh"), "shift; exec \"$@\"");
        let leak = program("leak_fds_sockets");
        for name in ["server", "test", "program", "leak", "COMMAND"] {
            std::os::unix::fs::symlink(&leak, desk.scratch.path(name)).expect("a link");
        }
        script(&desk.scratch.path("server"), &format!("exec {leak}"));
        script(&bin.join("COMMAND"), &format!("exec {leak}"));
        script(&bin.join("make"), &format!("exec {leak}"));
        desk
    }

    /// The files, which some examples write over.
    fn lay_out(&self) {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../memguard/src/output/golden");
        for (name, of) in [
            ("leaks", "old"),
            ("before", "old"),
            ("old", "old"),
            ("after", "new"),
            ("new", "new"),
        ] {
            let from = golden.join(format!("{of}.jsonl"));
            let to = self.scratch.path(&format!("{name}.jsonl"));
            fs::copy(from, to).expect("the golden files are there");
        }
        let rule = "leak  function=connect_upstream kind=tcp\n";
        self.scratch.write("known.supp", rule);
    }

    fn run(&self, line: &str) -> Ran {
        let pid = self.sleep.pid().to_string();
        let mut line = line.to_owned();
        for number in ["4242", "1403", "PID"] {
            line = line.replace(&format!("-p {number}"), &format!("-p {pid}"));
        }
        let times = " --warm-up 1s --min-age 1s -i 1s -d 2s";
        if line.contains("memguard watch") && !line.contains("-d 14s") {
            for long in [" -d 10m", " -d 5m"] {
                line = line.replace(long, "");
            }
            line = line.replace("memguard watch", &format!("memguard watch{times}"));
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.scratch.path("bin");
        Memguard::program(Path::new("sh"), &["-c", &line])
            .env("PATH", format!("{}:{path}", bin.display()))
            .with(|command| {
                command.current_dir(self.scratch.dir());
            })
            .finish_within(PATIENCE)
    }
}

fn script(path: &Path, command: &str) {
    if path.exists() {
        fs::remove_file(path).expect("a file can be removed");
    }
    fs::write(path, format!("#!/bin/sh\n{command}\n")).expect("a script is written");
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("its mode");
}
