//! A child process that ends with the test that started it.

use std::{
    fs, io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, Command, ExitStatus},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::wait::holds_within;

/// Owns a child, its process group and its descendants, and kills them on drop, by number and never
/// by name. The child leads a group of its own.
#[derive(Debug)]
pub struct Guard {
    /// The child, for its pipes.
    pub child: Child,
    status: Option<ExitStatus>,
}

impl Guard {
    /// Starts `command` as leader of a new process group.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        Ok(Self {
            child,
            status: None,
        })
    }

    /// The child's pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal` to the child alone.
    pub fn signal(&self, signal: Signal) {
        assert!(
            self.status.is_none(),
            "child {} has ended already",
            self.pid()
        );
        kill_process(self.raw_pid(), signal)
            .unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.pid()));
    }

    /// The exit status, if the child has ended.
    pub fn poll(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self
                .child
                .try_wait()
                .unwrap_or_else(|error| panic!("cannot wait for {}: {error}", self.child.id()));
        }
        self.status
    }

    /// Waits for the end of the child, or returns `None` once `within` has passed.
    pub fn wait_within(&mut self, within: Duration) -> Option<ExitStatus> {
        holds_within(within, || self.poll().is_some());
        self.status
    }

    fn raw_pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A reaped child's number may belong to another process by now.
        if self.poll().is_some() {
            return;
        }
        let descendants = descendants(self.pid());
        if let Err(error) = kill_process_group(self.raw_pid(), Signal::KILL) {
            println!("cannot kill process group {}: {error}", self.pid());
        }
        for descendant in descendants {
            let _gone_with_the_group = kill_process(descendant, Signal::KILL).is_err();
        }
        if let Err(error) = self.child.wait() {
            println!("cannot reap {}: {error}", self.pid());
        }
    }
}

/// Children of `pid`, theirs, and so on.
fn descendants(pid: u32) -> Vec<Pid> {
    let mut found: Vec<Pid> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for child in children(parent) {
            parents.push(child);
            found.extend(i32::try_from(child).ok().and_then(Pid::from_raw));
        }
    }
    found
}

/// The pids of the children of all threads of process `pid`.
pub fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let pids = |list: String| -> Vec<u32> {
        list.split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect()
    };
    lists.flat_map(pids).collect()
}

/// The exit code of a status as a shell gives it: 128 + n for a death by signal n.
pub fn shell_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|number| 128 + number))
        .unwrap_or(-1)
}
