//! memguard while it runs and after: its output, its lines, its exit code, all with deadlines.

use std::{
    fmt,
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    guard::{Guard, shell_code},
    lines::{Growing, Lines},
    scratch::Scratch,
    stream::Stream,
    wait::{holds_within, wait_until},
};

/// memguard, started.
#[derive(Debug)]
pub struct Running {
    pub(crate) said: String,
    pub(crate) guard: Guard,
    pub(crate) stdout: Stream,
    pub(crate) stderr: Stream,
    pub(crate) started: Instant,
    pub(crate) scratch: Scratch,
}

impl Running {
    /// The pid of memguard itself.
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// Time since it was started.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The lines written so far.
    pub fn lines(&self) -> Lines {
        Lines::read_so_far(&lines_path(&self.scratch))
    }

    /// Waits until the lines written so far are as `condition` wants them, and returns them.
    #[track_caller]
    pub fn wait_for(
        &mut self,
        within: Duration,
        what: &str,
        condition: impl Fn(&Lines) -> bool,
    ) -> Lines {
        let mut growing = Growing::new(&lines_path(&self.scratch));
        let mut asked = false;
        let found = holds_within(within, || {
            let over = self.guard.poll().is_some();
            // Only new lines can make a difference.
            let new = growing.read() || !asked;
            asked = true;
            over || (new && condition(&growing.lines))
        });
        let lines = growing.lines;
        if !found || !condition(&lines) {
            let state = if found {
                "memguard has ended"
            } else {
                "too late"
            };
            panic!("{what}: {state}\n{self}\n{}", listing(&lines));
        }
        lines
    }

    /// What came on standard output so far.
    pub fn printed(&self) -> String {
        self.stdout.so_far()
    }

    /// Waits until the standard output has this text.
    #[track_caller]
    pub fn wait_for_output(&self, within: Duration, text: &str) {
        wait_until(within, &format!("{text:?} on standard output"), || {
            self.stdout.so_far().contains(text)
        });
    }

    /// Writes to the standard input.
    pub fn type_in(&mut self, text: &str) {
        let pipe = self.guard.child.stdin.as_mut();
        let pipe = pipe.unwrap_or_else(|| panic!("standard input is closed"));
        pipe.write_all(text.as_bytes())
            .unwrap_or_else(|error| panic!("cannot type: {error}"));
    }

    /// Sends a signal to memguard alone.
    pub fn signal(&self, signal: Signal) {
        self.guard.signal(signal);
    }

    /// Closes the standard input and waits for the end.
    #[track_caller]
    pub fn finish_within(mut self, deadline: Duration) -> Ran {
        drop(self.guard.child.stdin.take());
        let Some(status) = self.guard.wait_within(deadline) else {
            panic!("still running after {deadline:?}: {self}");
        };
        let Self {
            said,
            stdout,
            stderr,
            started,
            scratch,
            ..
        } = self;
        let took = started.elapsed();
        let ran = Ran {
            code: shell_code(status),
            stdout: stdout.finish(&said),
            stderr: stderr.finish(&said),
            took,
            said,
            scratch,
        };
        println!("{ran}");
        ran
    }
}

impl fmt::Display for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}\nstderr: {}",
            self.said,
            self.stderr.so_far().trim_end()
        )
    }
}

/// A finished run.
#[derive(Debug)]
pub struct Ran {
    /// Exit code, or 128 + n after signal n.
    pub code: i32,
    /// What came on standard output.
    pub stdout: String,
    /// What came on standard error.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
    said: String,
    scratch: Scratch,
}

impl Ran {
    /// The lines that it wrote.
    pub fn lines(&self) -> Lines {
        Lines::read(&lines_path(&self.scratch))
    }

    /// Both outputs together, for tests that do not care which.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            stderr,
            took,
            said,
            ..
        } = self;
        write!(
            formatter,
            "{said}: exit {code} after {:.2} s",
            took.as_secs_f64()
        )?;
        for line in stderr.lines() {
            write!(formatter, "\n  | {line}")?;
        }
        Ok(())
    }
}

/// Where `-o` points to.
pub(crate) fn lines_path(scratch: &Scratch) -> PathBuf {
    scratch.path("lines.jsonl")
}

fn listing(lines: &Lines) -> String {
    let all: Vec<_> = lines.all().iter().map(ToString::to_string).collect();
    all.join("\n")
}
