//! JSON lines: one object a line, one write a line, no line over 256 KiB.

use std::io::{self, Write};

use crate::{
    model::report::Report,
    output::{
        Clock, Host, Redaction, Sink, WallClock,
        wire::{Bounds, Context, Record},
    },
};

/// Longest line, with its newline.
pub const LINE_MAX: usize = 256 * 1024;

/// Writes reports as JSON lines. The writer gets each line whole: give it a file or a pipe, not
/// something that buffers.
#[derive(Debug)]
pub struct JsonlSink<W> {
    out: W,
    context: Context,
    wall: Option<Box<dyn WallClock>>,
    line: Vec<u8>,
}

impl<W: Write> JsonlSink<W> {
    /// A sink for reports about a host.
    pub fn new(out: W, host: Host, clock: Clock, redaction: Redaction) -> Self {
        Self {
            out,
            context: Context {
                host,
                clock,
                redaction,
            },
            wall: None,
            line: Vec::new(),
        }
    }

    /// Asks this clock at every report how far wall time is ahead.
    #[must_use]
    pub fn following(mut self, wall: Box<dyn WallClock>) -> Self {
        self.wall = Some(wall);
        self
    }

    /// Makes the line, with ever less in it until it fits.
    fn compose(&mut self, report: &Report) -> io::Result<()> {
        let Self { line, context, .. } = self;
        let fits = |bounds| encode(line, &Record::new(report, context, bounds)).is_ok();
        let fitting = Bounds::LADDER.into_iter().any(fits);
        let too_long = || io::Error::other(format!("line over {LINE_MAX} bytes"));
        fitting.then_some(()).ok_or_else(too_long)
    }
}

impl<W: Write> Sink for JsonlSink<W> {
    fn report(&mut self, report: &Report) -> io::Result<()> {
        if let Some(wall) = &self.wall {
            self.context.clock.follow(wall.read());
        }
        self.compose(report)?;
        self.out.write_all(&self.line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Replaces the line; fails as soon as it would become too long.
fn encode(line: &mut Vec<u8>, record: &Record) -> serde_json::Result<()> {
    line.clear();
    serde_json::to_writer(Bounded { line }, record)?;
    line.push(b'\n');
    Ok(())
}

/// Takes as many bytes as leave room for a newline.
struct Bounded<'a> {
    line: &'a mut Vec<u8>,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.line.len() + bytes.len() >= LINE_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::{
        model::{ids::Stamp, report::Started},
        output::{clock::Reading, testing},
    };

    /// Remembers each write; a limit makes it a pipe whose reader is gone.
    #[derive(Debug, Default)]
    struct Writes {
        writes: Vec<Vec<u8>>,
        broken: bool,
    }

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.broken {
                return Err(io::Error::from_raw_os_error(libc::EPIPE));
            }
            self.writes.push(bytes.to_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn sink(out: &mut Writes) -> JsonlSink<&mut Writes> {
        let Context {
            host,
            clock,
            redaction,
        } = testing::context();
        JsonlSink::new(out, host, clock, redaction)
    }

    /// Each report is one write of one line that is not too long; returns what the lines say.
    fn lines(reports: &[Report]) -> Vec<Value> {
        let mut out = Writes::default();
        let mut sink = sink(&mut out);
        for report in reports {
            sink.report(report).expect("it fits");
        }
        sink.finish().expect("nothing is left to do");
        assert_eq!(out.writes.len(), reports.len());
        let line = |line: &Vec<u8>| {
            assert!(line.len() <= LINE_MAX, "{}", line.len());
            assert_eq!(
                line.iter().position(|byte| *byte == b'\n'),
                Some(line.len() - 1)
            );
            serde_json::from_slice(line).expect("a line is JSON")
        };
        out.writes.iter().map(line).collect()
    }

    fn truncated(line: &Value) -> bool {
        let details = line["memguard"].as_object().expect("an object").values();
        details
            .filter_map(|part| part["truncated"].as_bool())
            .any(|truncated| truncated)
    }

    #[test]
    fn golden_lines() {
        let mut lines = testing::golden_lines().join("\n");
        lines.push('\n');
        let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
        lines = lines.replace(&version, "\"version\":\"0.0.0\"");
        testing::check_golden("reports.jsonl", &lines);
    }

    #[test]
    fn what_is_small_enough_is_not_truncated() {
        let lines = lines(&testing::reports());
        assert!(!lines.iter().any(truncated));
    }

    #[test]
    fn the_largest_reports_are_truncated_until_they_fit() {
        let texts = ["\u{1b}", "\u{10ffff}", "\""].map(|text| (text.repeat(10_000), 20));
        for (text, length) in texts.into_iter().chain([("\u{1b}".to_owned(), 5_000)]) {
            let lines = lines(&testing::hostile_reports(&text, length));
            let mut with_lists = lines
                .iter()
                .filter(|line| line["memguard"]["exit"].is_null());
            assert!(with_lists.all(truncated), "{length}");
            let finding = &lines[2]["memguard"]["finding"];
            assert!(!finding["samples"].as_array().expect("samples").is_empty());
        }
    }

    #[test]
    fn a_broken_pipe_is_told_as_it_is() {
        let mut out = Writes {
            broken: true,
            ..Writes::default()
        };
        let error = sink(&mut out)
            .report(&testing::reports()[0])
            .expect_err("broken");
        assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
    }

    #[test]
    fn redaction_can_be_switched_off() {
        let Context { host, clock, .. } = testing::context();
        for (redaction, shown) in [(Redaction::On, false), (Redaction::Off, true)] {
            let mut out = Vec::new();
            let mut sink = JsonlSink::new(&mut out, host.clone(), clock.clone(), redaction);
            for report in testing::reports() {
                sink.report(&report).expect("it fits");
            }
            let text = String::from_utf8(out).expect("UTF-8");
            assert_eq!(text.contains("hunter2"), shown);
        }
    }

    /// A day passes between two readings, in which the monotonic clock stands still.
    #[derive(Debug)]
    struct Suspended(AtomicBool);

    impl WallClock for Suspended {
        fn read(&self) -> Reading {
            let days = if self.0.swap(true, Relaxed) { 2 } else { 1 };
            Reading {
                realtime_ns: days * 86_400_000_000_000,
                monotonic_ns: 500_000_000_000,
                boottime_ns: 0,
            }
        }
    }

    #[test]
    fn every_report_asks_for_wall_time() {
        let mut out = Vec::new();
        let mut sink = JsonlSink::new(
            &mut out,
            testing::context().host,
            Clock::new(0, 0, 0),
            Redaction::On,
        )
        .following(Box::new(Suspended(AtomicBool::new(false))));
        for _ in 0..2 {
            let report = Report::Started(Started {
                stamp: Stamp(600_000_000_000),
                ..testing::started()
            });
            sink.report(&report).expect("it fits");
        }
        let text = String::from_utf8(out).expect("UTF-8");
        let days: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["timestamp"].to_string())
            .collect();
        assert_eq!(
            days,
            [
                "\"1970-01-02T00:01:40.000000000Z\"",
                "\"1970-01-03T00:01:40.000000000Z\""
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_text_gives_one_line_that_can_be_read(
            text in testing::hostile_text(),
            length in 0_usize..12,
        ) {
            let lines = lines(&testing::hostile_reports(&text, length));
            for line in &lines {
                prop_assert_eq!(&line["schema_version"], "1.1");
            }
            if text.chars().count() <= 4_096 && !truncated(&lines[2]) {
                let suggestion = &lines[2]["memguard"]["finding"]["suggestion"];
                prop_assert_eq!(suggestion, &text);
            }
        }
    }
}
