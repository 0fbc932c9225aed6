//! Command lines of memguard, with `-o` to a file of the test's own.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    guard::Guard,
    machine,
    running::{Ran, Running, lines_path},
    scratch::Scratch,
    stream::Stream,
};

/// How long a run may take if the test says nothing else.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command line of memguard that has not been started yet.
#[derive(Debug)]
#[must_use = "nothing runs before `start` or `finish`"]
pub struct Memguard {
    command: Command,
    scratch: Scratch,
}

impl Memguard {
    /// `memguard ARGUMENTS`, nothing added.
    pub fn plain(arguments: &[&str]) -> Self {
        Self::program(&machine::memguard(), arguments)
    }

    /// `memguard run OPTIONS --format jsonl -o FILE -- COMMAND`.
    pub fn run(options: &[&str], command: &[&str]) -> Self {
        let mut this = Self::plain(&["run"]);
        this.command.args(options);
        this.writes_lines();
        this.command.arg("--").args(command);
        this
    }

    /// `memguard watch --left OPTIONS --format jsonl -o FILE`: tests know what is left.
    pub fn watch(options: &[&str]) -> Self {
        let mut this = Self::plain(&["watch", "--left"]);
        this.command.args(options);
        this.writes_lines();
        this
    }

    /// Another program under the same care: the bare twin of a traced command.
    pub fn program(program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // Under sudo, `run` would hand the traced program to the invoking user.
        command
            .env_remove("SUDO_UID")
            .env_remove("SUDO_GID")
            .env_remove("SUDO_USER");
        Self {
            command,
            scratch: Scratch::new(),
        }
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Lets `change` alter the command, for what has no method of its own.
    pub fn with(mut self, change: impl FnOnce(&mut Command)) -> Self {
        change(&mut self.command);
        self
    }

    /// Starts it.
    pub fn start(self) -> Running {
        let Self {
            mut command,
            scratch,
        } = self;
        let started = Instant::now();
        let mut guard = Guard::spawn(&mut command)
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", said(&command)));
        let child = &mut guard.child;
        let stdout = Stream::of(child.stdout.take());
        let stderr = Stream::of(child.stderr.take());
        Running {
            said: said(&command),
            guard,
            stdout,
            stderr,
            started,
            scratch,
        }
    }

    /// Runs it to its end, with an empty standard input.
    pub fn finish(self) -> Ran {
        self.finish_within(PATIENCE)
    }

    /// Runs it to its end, which must come before `deadline` has passed.
    pub fn finish_within(self, deadline: Duration) -> Ran {
        self.start().finish_within(deadline)
    }

    fn writes_lines(&mut self) {
        self.command
            .args(["--format", "jsonl", "-o"])
            .arg(lines_path(&self.scratch));
    }
}

fn said(command: &Command) -> String {
    let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    format!("{} {}", program.to_string_lossy(), words.join(" "))
}
