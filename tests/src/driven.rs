//! Programs that are watched while they run: they say "ready", begin on a line, say "done", and end
//! with their input.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{guard::Guard, stream::Stream, wait::wait_until, zoo::Account};

/// A running program; it ends with this value.
#[derive(Debug)]
pub struct Driven {
    said: String,
    guard: Guard,
    stdout: Stream,
}

impl Driven {
    /// Starts a program and waits until it is ready, or has said that it cannot be.
    #[track_caller]
    pub fn start(program: &str, words: &[&str]) -> Self {
        let mut command = Command::new(program);
        command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut guard = Guard::spawn(&mut command)
            .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        let stdout = Stream::of(guard.child.stdout.take());
        let name = Path::new(program).file_name().unwrap_or_default();
        let said = format!("{} {}", name.to_string_lossy(), words.join(" "));
        let this = Self {
            said,
            guard,
            stdout,
        };
        wait_until(
            Duration::from_secs(20),
            &format!("{} is ready", this.said),
            || this.has_said("ready") || this.has_said("SKIPPED:"),
        );
        this
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// Its command line.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// Lets it begin.
    pub fn go(&mut self) {
        let pipe = self.guard.child.stdin.as_mut();
        // One that has said that it cannot be ready does not read any more.
        let _told = pipe.map(|pipe| pipe.write_all(b"go\n").is_ok());
    }

    /// Ends its input, upon which it ends itself.
    pub fn end_input(&mut self) {
        drop(self.guard.child.stdin.take());
    }

    /// Whether it still runs.
    pub fn lives(&mut self) -> bool {
        self.guard.poll().is_none()
    }

    /// Whether it has done all it was told to do, or said that it cannot.
    pub fn is_done(&self) -> bool {
        self.has_said("done") || self.has_said("SKIPPED:")
    }

    /// What it said of itself so far.
    pub fn account(&self) -> Account {
        Account::of(&self.stdout.so_far())
    }

    /// What it printed so far.
    pub fn printed(&self) -> String {
        self.stdout.so_far()
    }

    fn has_said(&self, start: &str) -> bool {
        self.stdout
            .so_far()
            .lines()
            .any(|line| line.starts_with(start))
    }
}
