//! `bench_loop`, started once and told again and again what to do.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{guard::Guard, programs::program, stream::Stream, wait::wait_until};

/// How long one loop may take, under the slowest of peers.
const PATIENCE: Duration = Duration::from_mins(2);

/// The program that makes the calls; it ends with this value.
#[derive(Debug)]
pub(super) struct Looper {
    guard: Guard,
    stdout: Stream,
    answers: usize,
}

/// Nanoseconds that each took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    /// From begin to end.
    pub(super) wall: f64,
    /// Of CPU time, which others on the machine do not lengthen.
    pub(super) cpu: f64,
}

/// What it does, and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loop {
    /// A word that `bench_loop` knows.
    pub(super) what: &'static str,
    /// How often, all threads together.
    pub(super) count: u64,
    pub(super) threads: u32,
    /// How many are open all the time.
    pub(super) held: u32,
}

impl Loop {
    /// By one thread that holds nothing.
    pub(super) fn new(what: &'static str, count: u64) -> Self {
        Self {
            what,
            count,
            threads: 1,
            held: 0,
        }
    }

    /// With so many held all the time.
    pub(super) fn holding(self, held: u32) -> Self {
        Self { held, ..self }
    }

    /// By so many threads.
    pub(super) fn by(self, threads: u32) -> Self {
        Self { threads, ..self }
    }
}

impl Looper {
    /// On its own.
    pub(super) fn start() -> Self {
        Self::under(&[]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As the last words of another command, which lets it have its standard input and output.
    pub(super) fn under(tracer: &[&str]) -> Result<Self, String> {
        let loops = program("bench_loop");
        let words: Vec<&str> = tracer.iter().copied().chain([loops.as_str()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut guard = Guard::spawn(&mut command)
            .map_err(|error| format!("cannot start {}: {error}", words[0]))?;
        let stdout = Stream::of(guard.child.stdout.take());
        let stderr = Stream::of(guard.child.stderr.take());
        let mut this = Self {
            guard,
            stdout,
            answers: 0,
        };
        wait_until(PATIENCE, "bench_loop is ready", || {
            this.guard.poll().is_some() || this.is_ready()
        });
        if this.is_ready() {
            return Ok(this);
        }
        Err(stderr
            .so_far()
            .lines()
            .next()
            .unwrap_or("it ended")
            .to_owned())
    }

    /// Its pid, where it runs on its own.
    pub(super) fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// Does it once more.
    pub(super) fn run(&mut self, what: Loop) -> Took {
        let Loop {
            what,
            count,
            threads,
            held,
        } = what;
        let pipe = self.guard.child.stdin.as_mut();
        let line = format!("{what} {count} {threads} {held}\n");
        let written = pipe.map(|pipe| pipe.write_all(line.as_bytes()));
        assert!(
            matches!(written, Some(Ok(()))),
            "bench_loop does not listen: {written:?}"
        );
        wait_until(
            PATIENCE,
            &format!("bench_loop has done {}", line.trim()),
            || {
                assert!(self.guard.poll().is_none(), "bench_loop has ended");
                self.answer(self.answers).is_some()
            },
        );
        let answer = self.answer(self.answers).unwrap_or_default();
        self.answers += 1;
        took(&answer, count).unwrap_or_else(|| panic!("{what}: {answer:?}"))
    }

    /// What it said after "ready". A tracer may have a word to say on the same output.
    fn answer(&self, number: usize) -> Option<String> {
        let said = self.stdout.so_far();
        let complete = &said[..=said.rfind('\n')?];
        let mut own = complete.lines().filter(|line| line.starts_with("loop "));
        own.nth(number).map(str::to_owned)
    }

    fn is_ready(&self) -> bool {
        self.stdout.so_far().lines().any(|line| line == "ready")
    }
}

fn took(answer: &str, count: u64) -> Option<Took> {
    let mut words = answer.split_whitespace().skip(2);
    let mut each = || Some(words.next()?.parse::<f64>().ok()? / count as f64);
    Some(Took {
        wall: each()?,
        cpu: each()?,
    })
}
