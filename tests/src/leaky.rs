//! `tests/programs/leaky.py`, driven step by step.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use crate::{guard::Guard, programs::sources, wait::wait_until};

/// A running service that loses sockets.
#[derive(Debug)]
pub struct Leaky {
    guard: Guard,
    printed: Arc<Mutex<Vec<String>>>,
}

impl Leaky {
    /// Starts it and waits until it is ready; it does nothing before [`Leaky::go`].
    pub fn start(options: &[&str]) -> Self {
        let mut command = Command::new("python3");
        command.arg(sources().join("leaky.py")).args(options);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut guard = Guard::spawn(&mut command)
            .unwrap_or_else(|error| panic!("cannot start python3: {error}"));
        let output = guard.child.stdout.take();
        let printed = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&printed);
        thread::spawn(move || {
            for line in output
                .into_iter()
                .flat_map(|pipe| BufReader::new(pipe).lines())
                .flatten()
            {
                sink.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
        });
        let this = Self { guard, printed };
        wait_until(Duration::from_secs(10), "leaky.py is ready", || {
            this.has_said("ready ")
        });
        this
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// Lets it begin.
    pub fn go(&mut self) {
        let pipe = self.guard.child.stdin.as_mut();
        let pipe = pipe.unwrap_or_else(|| panic!("leaky.py has no standard input"));
        pipe.write_all(b"go\n")
            .unwrap_or_else(|error| panic!("cannot start the leak: {error}"));
    }

    /// Whether it still runs.
    pub fn lives(&mut self) -> bool {
        self.guard.poll().is_none()
    }

    /// Whether it has lost all that it was told to lose.
    pub fn is_done(&self) -> bool {
        self.has_said("done")
    }

    /// When each socket was lost, by descriptor, in seconds since 1970.
    pub fn lost_at(&self) -> BTreeMap<u64, f64> {
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.iter().filter_map(|line| loss(line)).collect()
    }

    fn has_said(&self, start: &str) -> bool {
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.iter().any(|line| line.starts_with(start))
    }
}

/// Reads "leak INDEX FD MONOTONIC UNIX".
fn loss(line: &str) -> Option<(u64, f64)> {
    let mut words = line.strip_prefix("leak ")?.split(' ').skip(1);
    let descriptor = words.next()?.parse().ok()?;
    let unix = words.nth(1)?.parse().ok()?;
    Some((descriptor, unix))
}

#[cfg(test)]
mod tests {
    use super::loss;

    /// Only lines about a leak count, and the fields are taken in the right order.
    #[test]
    fn reads_the_lines() {
        assert_eq!(
            loss("leak 3 17 1258.350083 1795218083.25"),
            Some((17, 1_795_218_083.25))
        );
        assert_eq!(loss("ready 4242"), None);
        assert_eq!(loss("done"), None);
    }
}
