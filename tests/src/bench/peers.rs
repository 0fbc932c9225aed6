//! The loops under memguard, under its peers, and under nobody.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    agent::Agent,
    looper::{Loop, Looper, Took},
};
use crate::{
    guard::Guard, programs::on_path, scratch::Scratch, stream::Stream, wait::holds_within,
};

/// How long `bpftrace` may take to attach.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who looks at the loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Nobody.
    Bare,
    /// memguard as it comes: windows of 2 KiB.
    Memguard,
    /// memguard without windows.
    NoWindow,
    Strace,
    Valgrind,
    Bpftrace,
    Heaptrack,
}

impl Peer {
    /// Its name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Memguard => "memguard",
            Self::NoWindow => "memguard --stack-bytes off",
            Self::Strace => "strace -f -e trace=desc",
            Self::Valgrind => "valgrind --tool=none --track-fds=yes",
            Self::Bpftrace => "bpftrace, two lines with ustack",
            Self::Heaptrack => "heaptrack",
        }
    }

    /// The slow ones do less, or nobody would wait for them.
    pub(super) fn count(self, count: u64) -> u64 {
        match self {
            Self::Strace => count / 20,
            Self::Valgrind | Self::Bpftrace | Self::Heaptrack => count / 4,
            Self::Bare | Self::Memguard | Self::NoWindow => count,
        }
    }

    /// Starts the loops and whoever looks at them; the error says why it cannot.
    pub(super) fn start(self) -> Result<Traced, String> {
        let scratch = Scratch::new();
        let looper = match self {
            Self::Strace => under("strace", &["-f", "-e", "trace=desc", "-o", "/dev/null"]),
            Self::Valgrind => under("valgrind", &["-q", "--tool=none", "--track-fds=yes"]),
            Self::Heaptrack => under("heaptrack", &["--raw", "-o", &scratch.text("trace")]),
            Self::Bare | Self::Memguard | Self::NoWindow | Self::Bpftrace => Ok(Looper::start()),
        }?;
        let beside = match self {
            Self::Memguard => Beside::Agent(Agent::of_process(looper.pid(), &[])),
            Self::NoWindow => {
                Beside::Agent(Agent::of_process(looper.pid(), &["--stack-bytes", "off"]))
            }
            Self::Bpftrace => Beside::Tracer(bpftrace(looper.pid())?),
            Self::Bare | Self::Strace | Self::Valgrind | Self::Heaptrack => Beside::Nobody,
        };
        Ok(Traced {
            looper,
            beside,
            _scratch: scratch,
        })
    }
}

/// The loops, looked at.
#[derive(Debug)]
pub(super) struct Traced {
    looper: Looper,
    beside: Beside,
    _scratch: Scratch,
}

#[derive(Debug)]
enum Beside {
    Nobody,
    Agent(Agent),
    Tracer(Guard),
}

impl Traced {
    /// Does it once more.
    pub(super) fn run(&mut self, what: Loop) -> Took {
        self.looper.run(what)
    }

    /// Ends all of it; nothing is attached any more when this returns.
    pub(super) fn end(self) {
        match self.beside {
            Beside::Agent(agent) => drop(agent.leave()),
            Beside::Tracer(mut tracer) => {
                tracer.signal(rustix::process::Signal::INT);
                tracer.wait_within(PATIENCE);
            }
            Beside::Nobody => {}
        }
    }
}

fn under(tracer: &str, options: &[&str]) -> Result<Looper, String> {
    installed(tracer)?;
    let words: Vec<&str> = [tracer].iter().chain(options).copied().collect();
    Looper::under(&words)
}

fn installed(tracer: &str) -> Result<(), String> {
    on_path(tracer)
        .map(|_| ())
        .ok_or_else(|| format!("{tracer} is not installed"))
}

/// The pairing that everybody writes first: where each open descriptor came from.
fn bpftrace(pid: u32) -> Result<Guard, String> {
    installed("bpftrace")?;
    let script = format!(
        "tracepoint:syscalls:sys_exit_openat /pid == {pid} && args->ret >= 0/ \
         {{ @[pid, args->ret] = ustack; }} \
         tracepoint:syscalls:sys_enter_close /pid == {pid}/ {{ delete(@[pid, (int64)args->fd]); }}"
    );
    let mut command = Command::new("bpftrace");
    command.args(["-e", &script]).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut guard =
        Guard::spawn(&mut command).map_err(|error| format!("cannot start bpftrace: {error}"))?;
    let stdout = Stream::of(guard.child.stdout.take());
    let stderr = Stream::of(guard.child.stderr.take());
    // It says so before it does so, and nothing afterwards.
    let attached = || stdout.so_far().contains("Attaching") && holds_programs(guard.pid());
    if holds_within(PATIENCE, attached) {
        return Ok(guard);
    }
    let said = stderr.so_far();
    Err(format!(
        "it does not attach: {}",
        said.lines().last().unwrap_or("it says nothing")
    ))
}

fn holds_programs(pid: u32) -> bool {
    crate::bpf::held_by(pid).len() >= 2
}
