//! The programs in the running kernel. They need root, so they are left out of the usual run:
//! `cargo test -p memguard --lib kernel::tests -- --ignored --test-threads=1`.

use std::{
    collections::HashMap,
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::symlink,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{plan::Wanted, *};
use crate::{model::ids::ProcessId, source::procfs::Procfs};

const PATIENCE: Duration = Duration::from_secs(20);

/// Entries of the loss table.
const LOSSES: u32 = 2048;

/// Attached, with a ring of one page that nobody reads.
fn kernel() -> Kernel {
    let tracefs = tracefs::ensure().unwrap();
    let plan = plan::plan(&plan::formats(tracefs.path()), Wanted::default());
    let layout = plan.complete(features::layout().unwrap());
    let sizes = Sizes {
        nursery_sets: 64,
        ring_bytes: 4096,
        ..Sizes::of_windows(2 << 10)
    };
    let mut kernel = Kernel::load(layout, &plan, sizes).unwrap();
    kernel.attach(&plan).unwrap();
    kernel
}

impl Kernel {
    fn is_watched(&self, tgid: u32) -> bool {
        let (word, bit) = self.watched(tgid).unwrap();
        word.load(Ordering::Relaxed) & bit != 0
    }
}

/// Killed at the end.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::piped()).spawn().unwrap())
    }

    /// A shell that does what it is told.
    fn shell() -> Self {
        Self::start(Command::new("/bin/sh").arg("-s"))
    }

    /// A `cat` under another name; it has answered, so its exec is over.
    fn cat(program: &Path) -> Self {
        let mut cat = Self::start(Command::new(program).stdout(Stdio::piped()));
        cat.tell("");
        cat.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        cat
    }

    fn tell(&mut self, line: &str) {
        let input = self.0.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn children(tgid: u32) -> Vec<u32> {
    let path = format!("/proc/{tgid}/task/{tgid}/children");
    let text = fs::read_to_string(path).unwrap();
    text.split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// A child of the shell that was not there before.
fn fork(shell: &mut Process) -> u32 {
    let before = children(shell.id());
    shell.tell("sleep 30 &");
    let new = || {
        children(shell.id())
            .into_iter()
            .find(|pid| !before.contains(pid))
    };
    wait_for("a child", new)
}

#[test]
#[ignore = "needs root"]
fn who_is_unwatched_is_followed_no_more() {
    let mut kernel = kernel();
    kernel.target(&Target::Pids, &[]).unwrap();
    let mut shell = Process::shell();
    kernel.watch(shell.id()).unwrap();
    let first = fork(&mut shell);
    assert!(kernel.is_watched(first), "a child of who is watched is");
    kernel.unwatch(shell.id()).unwrap();
    let second = fork(&mut shell);
    assert!(
        !kernel.is_watched(second),
        "a child of who was watched is not"
    );
    assert!(!kernel.is_watched(shell.id()));
    assert!(kernel.is_watched(first), "is watched for itself");
    for child in [first, second] {
        kill_process(Pid::from_raw(child as i32).unwrap(), Signal::KILL).unwrap();
    }
    shell.tell("wait");
    wait_for("their end", || {
        children(shell.id()).is_empty().then_some(())
    });
    assert!(!kernel.is_watched(first), "nobody is watched after the end");
}

/// One name after the other is looked for, a short one after a long one that begins like it.
#[test]
#[ignore = "needs root"]
fn a_new_name_is_looked_for_and_the_old_one_is_not() {
    let mut kernel = kernel();
    let directory = tempfile::tempdir().unwrap();
    let names = ["mg-looked-for-1", "mg-looked", "mg-looked-for-2"];
    for wanted in names {
        kernel.target(&Target::Pids, &[wanted.to_owned()]).unwrap();
        for name in names {
            let program = directory.path().join(name);
            if !program.exists() {
                symlink("/bin/cat", &program).unwrap();
            }
            let process = Process::cat(&program);
            let watched = kernel.is_watched(process.id());
            assert_eq!(watched, name == wanted, "{name}, looking for {wanted}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_loss_is_charged_to_the_process_that_has_the_number_now() {
    let mut kernel = kernel();
    kernel.target(&Target::Pids, &[]).unwrap();
    let mut shell = Process::shell();
    let id = Procfs::new("/proc").identity(shell.id()).unwrap();
    let earlier = [1_000_000_000, 7];
    kernel.losses.insert(id.tgid, earlier, 0).unwrap();
    kernel.watch(shell.id()).unwrap();
    let losses = wait_for("a loss", || {
        // Each makes a process and a pipe; the ring holds a page.
        shell.tell("for i in 1 2 3 4 5 6 7 8 9 10; do x=$(echo $i); done");
        let losses: HashMap<ProcessId, u64> = kernel.losses().unwrap().into_iter().collect();
        losses.contains_key(&id).then_some(losses)
    });
    println!("{losses:?}");
    let dead = ProcessId::from_boottime(id.tgid, 1_000_000_000);
    assert!(
        !losses.contains_key(&dead),
        "what the earlier one lost is not this one's"
    );
    kernel.forget_losses(dead).unwrap();
    let left = kernel.losses().unwrap();
    assert!(
        left.iter().any(|(process, _)| *process == id),
        "the end of the earlier one is none of it"
    );
    kernel.stop();
    kernel.forget_losses(id).unwrap();
    let left = kernel.losses().unwrap();
    assert!(left.iter().all(|(process, _)| process.tgid != id.tgid));
}

/// The defect: nothing was ever removed, and once the table was full every loss was everybody's.
#[test]
#[ignore = "needs root"]
fn a_full_table_has_room_again_for_who_comes() {
    let mut kernel = kernel();
    for tgid in 1..=LOSSES {
        kernel
            .losses
            .insert(tgid, [u64::from(tgid) << 30, 1], 0)
            .unwrap();
    }
    let more = LOSSES + 1;
    assert!(kernel.losses.insert(more, [1, 1], 0).is_err(), "it is full");
    let losses = kernel.losses().unwrap();
    assert_eq!(losses.len(), LOSSES as usize);
    for (process, count) in losses {
        assert_eq!(count, 1);
        kernel.forget_losses(process).unwrap();
        // That it has gone already is no error.
        kernel.forget_losses(process).unwrap();
    }
    assert!(kernel.losses().unwrap().is_empty());
    kernel.losses.insert(more, [1, 1], 0).unwrap();
}

/// The holder of the detaching keeps what is detached by being closed, all of it.
#[test]
#[ignore = "needs root"]
fn every_link_is_found() {
    let kernel = kernel();
    let links = holder::links().unwrap();
    assert_eq!(links.len(), kernel.attached().len());
}

#[test]
#[ignore = "needs root"]
fn counters_are_there() {
    let kernel = kernel();
    assert!(kernel.counters().is_ok());
}
