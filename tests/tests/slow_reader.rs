//! Who reads memguard's output slowly, or not at all for a while, costs none of the kernel's
//! events.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    fs,
    io::{PipeReader, Read as _},
    path::Path,
    thread::{self, JoinHandle},
    time::Duration,
};

use memguard_tests::{
    Counters, Lines, Memguard, Running, Scratch, flag, machine, number, program, wait_until,
};
use rustix::process::Signal;

/// Descriptors made in a second, and as many closed: 50 000 events.
const RATE: u64 = 25_000;
/// Each holds a thousand at a time, so that one lives for more than two seconds: longer than the
/// kernel keeps it to itself.
const CHILDREN: u64 = 60;
/// Each of them is worth lines, of which no pipe holds all.
const SHORT_CHILDREN: u64 = 2000;
/// A pipe that has less room than this takes no line any more.
const ROOM: u64 = 8192;
const PATIENCE: Duration = Duration::from_mins(2);

/// What the machine can do without a slow reader; if this one fails, the others say nothing.
#[test]
fn a_reader_that_reads_loses_no_event() {
    reads(Duration::from_secs(6), Reader::Awake);
}

#[test]
fn a_reader_that_sleeps_loses_no_event() {
    reads(Duration::from_secs(6), Reader::Asleep);
}

#[test]
#[ignore = "takes half a minute"]
fn a_reader_that_sleeps_long_loses_no_event() {
    reads(Duration::from_secs(20), Reader::Asleep);
}

/// What is done at the other end of the pipe while events come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Awake,
    Asleep,
}

fn reads(span: Duration, reader: Reader) {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let mut shell = Memguard::program(Path::new("sh"), &[]).start();
    let (watch, pipe) = watch(&shell);
    // Lines of the start are in the pipe by now; nobody takes them.
    wait_until(PATIENCE, "attached", || in_pipe(&pipe) > 0);
    begin(&mut shell, span);
    if reader == Reader::Asleep {
        sleep_for(span, &watch, &pipe);
    }
    let reader = read_all(pipe);
    shell.wait_for_output(PATIENCE, "all are over\n");
    watch.signal(Signal::INT);
    watch.finish_within(PATIENCE);
    nothing_is_lost(&lines(reader), RATE * span.as_secs());
    drop(shell);
}

/// A span of time in which nobody reads, and the pipe becomes full: here the clock is the
/// condition.
fn sleep_for(span: Duration, watch: &Running, pipe: &PipeReader) {
    let begin = watch.elapsed();
    wait_until(PATIENCE, "as much as the pipe takes", || {
        in_pipe(pipe) > capacity(pipe) - ROOM
    });
    println!(
        "the pipe was full after {:?}",
        watch.elapsed().saturating_sub(begin)
    );
    wait_until(PATIENCE, "the end of the sleep", || {
        watch.elapsed() >= begin + span
    });
}

/// A watch of a shell and what it starts, and the pipe to which it writes.
fn watch(shell: &Running) -> (Running, PipeReader) {
    let (pipe, end) = std::io::pipe().expect("a pipe");
    let pid = shell.pid().to_string();
    let options = [
        "watch", "-p", &pid, "--format", "jsonl", "-d", "10m", "-i", "500ms",
    ];
    let watch = Memguard::plain(&options).with(|command| {
        command.stdout(end);
    });
    (watch.start(), pipe)
}

/// Descriptors come and go for so long, and processes that leave something.
fn begin(shell: &mut Running, span: Duration) {
    let [pace, short] = ["bench_pace", "short_children"].map(program);
    let count = RATE * span.as_secs();
    let come_and_go = format!("echo go | {pace} flight {RATE} {count} {CHILDREN}");
    shell.type_in(&format!(
        "{come_and_go} & {short} {SHORT_CHILDREN} >/dev/null; wait; echo all are over\n"
    ));
}

fn in_pipe(pipe: &PipeReader) -> u64 {
    rustix::io::ioctl_fionread(pipe).expect("a pipe has a length")
}

fn capacity(pipe: &PipeReader) -> u64 {
    rustix::pipe::fcntl_getpipe_size(pipe).expect("a pipe has a size") as u64
}

fn read_all(mut pipe: PipeReader) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text)
            .expect("what it writes is text");
        text
    })
}

/// Each is checked: one JSON object, as the schema has it.
fn lines(reader: JoinHandle<String>) -> Lines {
    let text = reader.join().expect("the pipe is read to its end");
    let scratch = Scratch::new();
    let path = scratch.path("lines.jsonl");
    fs::write(&path, text).expect("a file of one's own");
    Lines::read(&path)
}

#[track_caller]
fn nothing_is_lost(lines: &Lines, made: u64) {
    let stopped = lines.stopped();
    let counters = Counters::of(stopped);
    println!("{} lines; {counters}", lines.all().len());
    counters.assert_identities();
    let acquired = counters.get("acquisitions.seen");
    assert!(acquired >= made, "{acquired} acquisitions of {made}");
    let released = counters.get("releases.sent") + counters.get("releases.lost");
    let enough = made / 2;
    assert!(released >= enough, "{released} releases left the kernel");
    assert_eq!(counters.lost(), 0, "events were lost");
    assert_eq!(number(stopped, "/memguard/evidence/events_lost"), 0);
    assert!(flag(stopped, "/memguard/evidence/conclusive"));
}
