//! How a program of the corpus is made: with which compiler, from which sources, with which flags,
//! and what becomes of its symbols.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, id},
    sync::{Mutex, PoisonError},
};

use crate::programs::{on_path, sources, target_dir};

/// What makes a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// C, with glibc.
    Gcc,
    /// C, with musl.
    Musl,
    /// C++.
    Gxx,
    /// Rust, without cargo.
    Rustc,
    /// Go.
    Go,
    /// C, as an extension of Python.
    Extension,
    /// Nothing is made: a program of this machine under another name.
    Interpreter(Interpreter),
}

/// A program that runs others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpreter {
    /// `CPython`.
    Python,
    /// Node.js.
    Node,
}

/// What becomes of the symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbols {
    /// They stay where the linker put them.
    Kept,
    /// They are removed.
    Stripped,
    /// They are in a file of their own beside the program, to which `.gnu_debuglink` leads.
    Beside,
    /// They are in `.gnu_debugdata`, compressed, without lines: Fedora's way.
    Mini,
}

/// All that is needed to make a program.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Recipe {
    /// The compiler.
    pub tool: Tool,
    /// Names of the sources, with blanks between.
    pub sources: &'static str,
    /// Flags, with blanks between.
    pub flags: &'static str,
    /// What is done at the end.
    pub symbols: Symbols,
}

impl Recipe {
    /// The symbols stay.
    pub const fn new(tool: Tool, sources: &'static str, flags: &'static str) -> Self {
        let symbols = Symbols::Kept;
        Self {
            tool,
            sources,
            flags,
            symbols,
        }
    }

    /// The same with other symbols.
    pub const fn symbols(mut self, symbols: Symbols) -> Self {
        self.symbols = symbols;
        self
    }

    /// Whether libc is part of the program.
    pub fn is_static(&self) -> bool {
        self.flags.contains("-static") || self.flags.contains("+crt-static")
    }

    /// Why this machine cannot make it.
    pub fn lacks(&self) -> Option<String> {
        let missing = |name: &&str| on_path(name).is_none();
        let name = self.programs().iter().copied().find(missing)?;
        Some(format!("{name} is not installed"))
    }

    /// Makes the program `name` in the folder.
    ///
    /// # Panics
    ///
    /// When the compiler does not take the sources.
    pub fn make(&self, name: &str) {
        if let Tool::Interpreter(interpreter) = self.tool {
            link(&interpreter.executable(), &folder().join(name));
            return;
        }
        let whole = whole(name);
        link(&self.compiled(), &whole);
        let finished = folder().join(name);
        match self.symbols {
            Symbols::Kept => link(&whole, &finished),
            Symbols::Stripped => strip(&whole, &finished),
            Symbols::Beside => beside(&whole, &finished),
            Symbols::Mini => mini(&whole, &finished),
        }
    }

    /// The program with all its symbols, compiled once for all that are made in this way.
    fn compiled(&self) -> PathBuf {
        static COMPILED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let letter = |letter: char| {
            if letter.is_alphanumeric() {
                letter
            } else {
                '_'
            }
        };
        let slug: String = format!("{:?} {} {}", self.tool, self.sources, self.flags)
            .chars()
            .map(letter)
            .collect();
        let path = folder().join("compiled").join(slug);
        if compiled.insert(path.clone()) && !self.is_fresh(&path) {
            self.compile(&path);
        }
        path
    }

    /// Whether it was made of the sources as they are now.
    fn is_fresh(&self, output: &Path) -> bool {
        let changed = |path: PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
        let source = |name: &str| changed(sources().join("origins").join(name));
        let youngest = self
            .sources
            .split(' ')
            .chain(["origins.h"])
            .map(source)
            .max();
        youngest.flatten() < changed(output.to_owned())
    }

    fn programs(&self) -> &'static [&'static str] {
        match (self.tool, self.symbols) {
            (_, Symbols::Mini) => &["gcc", "objcopy", "nm", "xz"],
            (Tool::Gcc, _) => &["gcc", "objcopy", "nm"],
            (Tool::Musl, _) => &["musl-gcc"],
            (Tool::Gxx, _) => &["g++"],
            (Tool::Rustc, _) => &["rustc"],
            (Tool::Go, _) => &["go"],
            (Tool::Extension, _) => &["gcc", "python3-config"],
            (Tool::Interpreter(Interpreter::Python), _) => &["python3"],
            (Tool::Interpreter(Interpreter::Node), _) => &["node"],
        }
    }

    fn compile(&self, output: &Path) {
        let (program, always) = match self.tool {
            Tool::Gcc | Tool::Extension => ("gcc", "-Wall -Wextra -pthread"),
            Tool::Musl => ("musl-gcc", "-Wall -Wextra"),
            Tool::Gxx => ("g++", "-std=c++17 -Wall -Wextra -pthread"),
            Tool::Rustc => ("rustc", "--edition=2024"),
            _ => ("go", "build"),
        };
        let mut command = Command::new(program);
        command
            .args(always.split(' '))
            .args(self.flags.split_whitespace());
        if self.tool == Tool::Extension {
            command
                .args(["-shared", "-fPIC"])
                .args(said(&["python3-config", "--includes"]).split(' '));
        }
        command.arg("-o").arg(output).args(self.sources.split(' '));
        must(command.current_dir(sources().join("origins")));
    }
}

impl Interpreter {
    /// The program itself, where the one on `PATH` is a script that finds it.
    fn executable(self) -> PathBuf {
        let path = match self {
            Self::Python => said(&[
                "python3",
                "-c",
                "import os, sys; print(os.path.realpath(sys.executable))",
            ]),
            Self::Node => said(&["node", "-e", "console.log(process.execPath)"]),
        };
        PathBuf::from(path)
    }
}

/// Where the programs are.
pub fn folder() -> PathBuf {
    target_dir().join("memguard-test-programs/origins")
}

/// The program as the linker made it, with all its symbols: what it is stripped of is the truth.
pub fn whole(name: &str) -> PathBuf {
    folder().join("whole").join(name)
}

fn strip(whole: &Path, finished: &Path) {
    must(
        Command::new("objcopy")
            .arg("--strip-all")
            .args([whole, finished]),
    );
}

fn beside(whole: &Path, finished: &Path) {
    let symbols = with_extension(finished, "debug");
    must(
        Command::new("objcopy")
            .arg("--only-keep-debug")
            .args([whole, &symbols]),
    );
    let mut link = Command::new("objcopy");
    link.arg("--strip-all")
        .arg(format!("--add-gnu-debuglink={}", symbols.display()));
    must(link.args([whole, finished]));
}

fn mini(whole: &Path, finished: &Path) {
    let symbols = with_extension(finished, "mini");
    must(
        Command::new("objcopy")
            .args(["--strip-debug", "--remove-section=.comment"])
            .args([whole, &symbols]),
    );
    must(Command::new("xz").arg("--force").arg(&symbols));
    let packed = with_extension(&symbols, "xz");
    let mut add = Command::new("objcopy");
    add.arg("--strip-all")
        .arg(format!("--add-section=.gnu_debugdata={}", packed.display()));
    must(add.args([whole, finished]));
}

fn with_extension(path: &Path, extension: &str) -> PathBuf {
    PathBuf::from(format!("{}.{extension}", path.display()))
}

/// Gives a file another name, in place of one that another test binary may be executing.
fn link(existing: &Path, name: &Path) {
    let fresh = with_extension(name, &id().to_string());
    let linked = if existing.starts_with(folder()) {
        fs::hard_link(existing, &fresh)
    } else {
        std::os::unix::fs::symlink(existing, &fresh)
    };
    let named = linked.and_then(|()| fs::rename(&fresh, name));
    named.unwrap_or_else(|error| panic!("cannot make {}: {error}", name.display()));
    // Where the two are one file already, the kernel leaves both names.
    drop(fs::remove_file(&fresh));
}

fn must(command: &mut Command) -> String {
    let made = command.output();
    let made = made.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let complaint = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{command:?}:\n{complaint}");
    String::from_utf8_lossy(&made.stdout).trim().to_owned()
}

fn said(words: &[&str]) -> String {
    must(Command::new(words[0]).args(&words[1..]))
}
