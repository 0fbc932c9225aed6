//! Where reports go: JSON lines for machines ([`jsonl`]), text for people ([`text`]).
//!
//! A sink turns each [`Report`] into bytes for a writer that the caller gives it. It reads no
//! clock, opens no file and asks the host nothing; wall time comes from a [`Clock`]. Only this
//! folder knows JSON or a terminal, and only [`wire`] knows serde. Errors of the writer, a broken
//! pipe among them, come back as they are: the caller decides what they mean.

mod clock;
pub mod difference;
pub mod doctor;
mod file;
pub mod folded;
pub mod hub;
pub mod jsonl;
mod nearing;
mod outcome;
pub mod read;
mod redact;
mod sentence;
pub mod terminal;
pub mod text;
mod units;
pub mod wire;
mod words;

#[cfg(test)]
mod testing;

use std::io;

pub use self::{
    clock::{Clock, Reading, WallClock},
    file::OutputFile,
    hub::Hub,
    jsonl::JsonlSink,
    redact::Redaction,
    text::TextSink,
};
use crate::model::report::Report;

/// The host that the reports are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: String,
}

/// Something that takes reports, in the order they happen.
pub trait Sink {
    /// Takes one report.
    fn report(&mut self, report: &Report) -> io::Result<()>;

    /// Shows what was held back to be shown together; call it when no report came for a while.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// No report follows.
    fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    fn report(&mut self, report: &Report) -> io::Result<()> {
        (**self).report(report)
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        (**self).finish()
    }
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn report(&mut self, report: &Report) -> io::Result<()> {
        (**self).report(report)
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        (**self).finish()
    }
}
