//! Sinks that are slow, stuck or broken, behind real pipes.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, PipeReader, PipeWriter, Read as _, Write},
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Instant,
};

use super::{stream, *};
use crate::model::{
    finding::{Finding, State, Verdict},
    report::Lost,
    testing,
};

/// Long enough for a machine that is busy with eight builds.
const LONG: Duration = Duration::from_mins(1);
/// Nothing that returns at once takes as long, however busy the machine is.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Writes `id\n`, or `-count\n` of what was dropped, or `end count\n`.
struct Lines<W>(W);

impl<W: Write> Sink for Lines<W> {
    fn report(&mut self, report: &Report) -> io::Result<()> {
        let line = match report {
            Report::Finding(finding) => format!("{}\n", finding.id),
            Report::Health(health) => format!("-{}\n", health.lost[0].1),
            Report::Stopped(summary) => {
                format!("end {}\n", summary.counters.first().map_or(0, |it| it.1))
            }
            _ => String::new(),
        };
        self.0.write_all(line.as_bytes())
    }
}

fn finding(id: u64) -> Arc<Report> {
    Arc::new(Report::Finding(Box::new(Finding {
        id,
        state: State::Opened,
        ..testing::finding(Verdict::Leak, 3)
    })))
}

fn stopped() -> Arc<Report> {
    Arc::new(Report::Stopped(Box::default()))
}

fn limits(reports: usize) -> Limits {
    Limits {
        reports,
        ..Limits::default()
    }
}

/// A hub with one sink behind a pipe whose capacity is one page: 4096 bytes.
fn piped(reports: usize) -> (Hub, PipeReader) {
    let (reader, writer) = io::pipe().unwrap();
    let capacity = rustix::pipe::fcntl_setpipe_size(&writer, 4_096).unwrap();
    assert_eq!(capacity, 4_096);
    let mut hub = Hub::new();
    add_pipe(&mut hub, reports, writer);
    (hub, reader)
}

fn add_pipe(hub: &mut Hub, reports: usize, writer: PipeWriter) {
    let vital = hub.vital();
    let file = File::from(std::os::fd::OwnedFd::from(writer));
    let out = stream::StreamWriter::new(stream::Target::File(file), Arc::clone(&vital));
    let sink = Box::new(Lines(out));
    hub.add_with("pipe".to_owned(), limits(reports), sink, vital)
        .unwrap();
}

/// Reports findings with these ids; none of the calls may wait.
fn report(hub: &Hub, ids: std::ops::Range<u64>) {
    let start = Instant::now();
    for id in ids {
        hub.report(finding(id));
    }
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}

/// Until the condition holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "{what} after a minute");
        thread::sleep(Duration::from_millis(5));
    }
}

fn lines(reader: PipeReader) -> Vec<String> {
    BufReader::new(reader).lines().map(Result::unwrap).collect()
}

#[test]
fn a_reader_that_wakes_up_gets_everything_in_order() {
    // 10 000 lines of about five bytes: more than ten times what the pipe holds.
    let (hub, reader) = piped(20_000);
    report(&hub, 0..10_000);
    hub.report(stopped());
    until("the pipe is full", || hub.status()[0].waiting > 0);
    let read = thread::spawn(|| lines(reader));
    let outcome = hub.finish(LONG);
    drop(hub);
    let expected: Vec<_> = (0..10_000).map(|id| id.to_string()).collect();
    let read = read.join().unwrap();
    assert_eq!(
        read.split_last().unwrap(),
        (&"end 0".to_owned(), &*expected)
    );
    let SinkOutcome {
        stuck,
        dropped,
        undelivered,
        error,
        ..
    } = &outcome.sinks[0];
    assert_eq!((*stuck, *dropped, *undelivered), (false, 0, 0));
    assert!(error.is_none());
    assert_eq!(outcome.problems().count(), 0);
}

#[test]
fn what_is_too_much_is_counted_and_told() {
    let (hub, reader) = piped(100);
    report(&hub, 0..10_000);
    let dropped = hub.status()[0].dropped;
    assert!(dropped > 5_000, "{dropped}");
    hub.report(stopped());
    let read = thread::spawn(|| lines(reader));
    let outcome = hub.finish(LONG);
    drop(hub);
    // The summary itself pushes one more off where the queue is full.
    let dropped = outcome.sinks[0].dropped;
    let mut read = read.join().unwrap();
    assert_eq!(read.pop().unwrap(), format!("end {dropped}"));
    let (told, findings): (Vec<_>, Vec<_>) = read.iter().partition(|line| line.starts_with('-'));
    let told: u64 = told.iter().map(|it| it[1..].parse::<u64>().unwrap()).sum();
    assert_eq!((told, findings.len() as u64), (dropped, 10_000 - dropped));
    let ids: Vec<u64> = findings.iter().map(|it| it.parse().unwrap()).collect();
    assert!(ids.is_sorted());
    assert_eq!(ids.last(), Some(&9_999), "the oldest fall off");
}

#[test]
fn a_stuck_reader_is_given_up() {
    let (hub, reader) = piped(20_000);
    report(&hub, 0..10_000);
    let start = Instant::now();
    let outcome = hub.finish(Duration::from_millis(300));
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    let sink = &outcome.sinks[0];
    assert!(sink.stuck);
    // What is in the pipe was written; 4096 bytes are 1041 lines.
    assert_eq!(sink.undelivered, 10_000 - 1_041);
    let problems: Vec<_> = outcome.problems().collect();
    assert_eq!(
        problems,
        ["8959 reports were not written to pipe: its reader has stopped reading"]
    );
    drop(reader);
}

#[test]
fn a_slow_reader_is_waited_for_longer_than_patience() {
    let (hub, mut reader) = piped(20_000);
    report(&hub, 0..3_000);
    let patience = Duration::from_millis(500);
    let read = thread::spawn(move || {
        let (mut text, mut piece) = (Vec::new(), [0; 2_048]);
        loop {
            thread::sleep(patience / 5);
            match reader.read(&mut piece).unwrap() {
                0 => return text,
                length => text.extend_from_slice(&piece[..length]),
            }
        }
    });
    let start = Instant::now();
    let outcome = hub.finish(patience);
    assert!(start.elapsed() > patience, "{:?}", start.elapsed());
    assert_eq!(outcome.sinks[0].undelivered, 0);
    drop(hub);
    let text = String::from_utf8(read.join().unwrap()).unwrap();
    assert_eq!(text.lines().count(), 3_000);
}

#[test]
fn a_wait_can_be_abandoned() {
    let (hub, reader) = piped(20_000);
    report(&hub, 0..10_000);
    let abandon = hub.abandon();
    let later = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        abandon.abandon();
    });
    let start = Instant::now();
    let outcome = hub.finish(LONG);
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    assert!(outcome.sinks[0].stuck);
    later.join().unwrap();
    drop(reader);
}

#[test]
fn a_broken_pipe_ends_the_hub_and_is_no_problem() {
    let (hub, reader) = piped(100);
    drop(reader);
    assert!(!hub.is_broken());
    report(&hub, 0..1);
    until("broken", || hub.is_broken());
    report(&hub, 1..5);
    let outcome = hub.finish(LONG);
    let sink = &outcome.sinks[0];
    assert_eq!((sink.stuck, sink.undelivered), (false, 5));
    let kind = sink.error.as_ref().map(io::Error::kind);
    assert_eq!(kind, Some(io::ErrorKind::BrokenPipe));
    assert_eq!(outcome.problems().count(), 0);
}

#[test]
fn a_full_disk_is_told_and_the_other_sink_goes_on() {
    let (mut hub, reader) = piped(100);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    hub.add("/dev/full", limits(100), Box::new(Lines(full)))
        .unwrap();
    report(&hub, 0..3);
    until("one has ended", || hub.status()[1].ended);
    assert!(!hub.is_broken());
    report(&hub, 3..5);
    let outcome = hub.finish(LONG);
    drop(hub);
    assert_eq!(lines(reader), ["0", "1", "2", "3", "4"]);
    let error = outcome.sinks[1].error.as_ref().unwrap();
    assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    assert_eq!(outcome.sinks[1].undelivered, 5);
    let problems: Vec<_> = outcome.problems().collect();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].contains("/dev/full: No space left"),
        "{problems:?}"
    );
}

/// Takes a report for each unit that it is sent.
struct Gated {
    gate: Mutex<Receiver<()>>,
    taken: Sender<Arc<str>>,
}

impl Sink for Gated {
    fn report(&mut self, report: &Report) -> io::Result<()> {
        let gate = self.gate.lock().unwrap();
        let said = match report {
            Report::Finding(finding) => finding.id.to_string(),
            Report::Health(health) if health.what == Lost::Reports => "dropped".to_owned(),
            _ => "other".to_owned(),
        };
        self.taken.send(said.into()).map_err(io::Error::other)?;
        gate.recv().map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.taken.send("flush".into()).map_err(io::Error::other)
    }
}

#[test]
fn drops_are_counted_exactly() {
    let ((open, gate), (taken, told)) = (channel(), channel());
    let gate = Mutex::new(gate);
    let mut hub = Hub::new();
    hub.add("gate", limits(4), Box::new(Gated { gate, taken }))
        .unwrap();
    hub.report(finding(0));
    // It is in the sink's hands, and no longer in the queue.
    assert_eq!(&*told.recv_timeout(LONG).unwrap(), "0");
    report(&hub, 1..11);
    hub.flush();
    let status = &hub.status()[0];
    assert_eq!(
        (status.waiting, status.dropped, status.ended),
        (5, 6, false)
    );
    for _ in 0..6 {
        open.send(()).unwrap();
    }
    let outcome = hub.finish(LONG);
    let said: Vec<_> = told.iter().take(7).collect();
    let said: Vec<&str> = said.iter().map(|it| &**it).collect();
    assert_eq!(said, ["7", "8", "dropped", "9", "10", "flush", "flush"]);
    assert_eq!(
        (outcome.sinks[0].dropped, outcome.sinks[0].undelivered),
        (6, 0)
    );
}

#[test]
fn a_sink_that_panics_has_ended() {
    struct Panics;
    impl Sink for Panics {
        fn report(&mut self, _: &Report) -> io::Result<()> {
            panic!("meant");
        }
    }
    let mut hub = Hub::new();
    hub.add("panics", limits(4), Box::new(Panics)).unwrap();
    report(&hub, 0..2);
    let outcome = hub.finish(LONG);
    let problems: Vec<_> = outcome.problems().collect();
    assert!(problems[0].ends_with("has panicked"), "{problems:?}");
    assert!(hub.is_broken());
}

#[test]
fn quiet_is_findings_only() {
    let (mut hub, reader) = piped(100);
    hub.quiet = true;
    report(&hub, 0..1);
    hub.report(stopped());
    hub.finish(LONG);
    drop(hub);
    assert_eq!(lines(reader), ["0"]);
}
