//! Reports for people: short blocks on a terminal, and a verdict with a table at the end.
//!
//! A census of many processes, findings that merely aged, and what processes held at their exit
//! come in bursts; they are held back until another kind of report, [`Sink::flush`] or
//! [`Sink::finish`], and then shown together. Everything goes through a `Page`, so no line is wider
//! than the terminal and nothing from outside reaches it raw.

mod aged;
mod census;
mod clean;
mod difference;
mod ended;
mod finding;
mod message;
mod muted;
mod page;
mod progress;
mod review;
mod sites;
mod sparkline;
mod summary;
mod table;
mod wrap;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use self::{
    aged::AgedBurst,
    census::CensusBurst,
    ended::EndedBurst,
    muted::Muted,
    page::{Page, Paint},
    sites::Sites,
};
pub(in crate::output) use self::{clean::clean, wrap::wrap};
pub use self::{
    difference::difference,
    message::{message, one_line},
    page::TextStyle,
    progress::progress,
    review::review,
};
use crate::{
    model::{
        finding::{Finding, State, Verdict},
        report::{Census, Report, Started, Summary},
    },
    output::{Redaction, Sink, units::count, words},
};

/// Probes that are named where they cannot be had.
const MISSING: usize = 3;

/// Whether somebody follows the findings as they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// Every finding is shown when it comes (`watch`).
    Yes,
    /// What processes held at their exit is shown at the end only, merged (`run`).
    No,
}

/// Writes reports as text.
#[derive(Debug)]
pub struct TextSink<W> {
    out: W,
    style: TextStyle,
    live: Live,
    held: Held,
    sites: Sites,
    muted: Muted,
    summarized: bool,
}

/// Reports of one kind that came one after another.
#[derive(Debug)]
enum Held {
    Nothing,
    Census(CensusBurst),
    Aged(AgedBurst),
    Ended(EndedBurst),
}

impl<W: Write> TextSink<W> {
    /// A sink for people.
    pub fn new(out: W, style: TextStyle, live: Live) -> Self {
        let (held, sites) = (Held::Nothing, Sites::default());
        Self {
            out,
            style,
            live,
            held,
            sites,
            muted: Muted::default(),
            summarized: false,
        }
    }

    fn started(&self, page: &mut Page, started: &Started) {
        let scope = words::watching(started, Redaction::On);
        let stop = match self.live {
            Live::Yes => "; press Ctrl-C to stop",
            Live::No => " until it ends",
        };
        page.paragraph("memguard: ", Paint::None, &format!("{scope}{stop}"));
        for (probe, why) in started.missing.iter().take(MISSING) {
            page.paragraph(
                "          ",
                Paint::None,
                &format!("without {probe}: {why}"),
            );
        }
        if let Some(more) = started.missing.len().checked_sub(MISSING + 1) {
            let more = count(more as u64 + 1, "more probe", "more probes");
            page.paragraph(
                "          ",
                Paint::None,
                &format!("and without {more}: run memguard doctor"),
            );
        }
    }

    fn finding(&mut self, page: &mut Page, finding: &Finding) {
        let known = self.sites.record(finding);
        if self.muted.silences(finding) {
            return;
        }
        let aged = finding.verdict == Verdict::Aged;
        let ended = matches!(finding.verdict, Verdict::Left | Verdict::Inherited);
        match finding.state {
            _ if ended && self.live == Live::No => {}
            State::Opened if ended => self.hold_ended(page, finding),
            State::Opened if aged => self.hold_aged(page, finding),
            State::Updated | State::Resolved if aged => {}
            // Another verdict is told like a new finding.
            State::Opened | State::Updated if !known => {
                self.release(page);
                finding::opened(page, finding);
            }
            State::Opened | State::Updated => {
                self.release(page);
                finding::updated(page, finding);
            }
            State::Resolved => {
                self.release(page);
                finding::resolved(page, finding);
            }
        }
    }

    fn hold_census(&mut self, page: &mut Page, census: &Census) {
        if let Held::Census(burst) = &mut self.held {
            return burst.add(census);
        }
        self.release(page);
        self.held = Held::Census(CensusBurst::new(census));
    }

    fn hold_aged(&mut self, page: &mut Page, finding: &Finding) {
        if let Held::Aged(burst) = &mut self.held {
            return burst.add(page, finding);
        }
        self.release(page);
        let mut burst = AgedBurst::default();
        burst.add(page, finding);
        self.held = Held::Aged(burst);
    }

    fn hold_ended(&mut self, page: &mut Page, finding: &Finding) {
        if let Held::Ended(burst) = &mut self.held {
            return burst.add(page, finding);
        }
        self.release(page);
        let mut burst = EndedBurst::default();
        burst.add(page, finding);
        self.held = Held::Ended(burst);
    }

    fn summary(&mut self, page: &mut Page, summary: &Summary) {
        if self.summarized {
            return;
        }
        self.summarized = true;
        summary::show(page, summary, &self.sites);
    }

    fn take(&mut self, page: &mut Page, report: &Report) {
        match report {
            Report::Census(census) => self.hold_census(page, census),
            Report::Finding(finding) => self.finding(page, finding),
            Report::Exited(_) | Report::Mappings(_) => {}
            other => {
                self.release(page);
                self.tell(page, other);
            }
        }
    }

    /// Shows what is never held back.
    fn tell(&mut self, page: &mut Page, report: &Report) {
        match report {
            Report::Started(it) => self.started(page, it),
            Report::Crossed(it) => page.paragraph("HIGH  ", Paint::Warn, &words::crossed(it)),
            Report::Health(it) => page.paragraph("LOST  ", Paint::Warn, &words::health(it)),
            Report::RunSummary(it) | Report::Stopped(it) => self.summary(page, it),
            Report::Census(_) | Report::Finding(_) | Report::Mappings(_) | Report::Exited(_) => {}
        }
    }

    fn release(&mut self, page: &mut Page) {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Nothing => {}
            Held::Census(burst) => burst.show(page),
            Held::Aged(burst) => burst.show(page),
            Held::Ended(burst) => burst.show(page),
        }
    }

    fn print(&mut self, page: Page) -> io::Result<()> {
        let text = page.into_text();
        if text.is_empty() {
            Ok(())
        } else {
            self.out.write_all(text.as_bytes())
        }
    }
}

impl<W: Write> Sink for TextSink<W> {
    fn report(&mut self, report: &Report) -> io::Result<()> {
        let mut page = Page::new(self.style);
        self.take(&mut page, report);
        self.print(page)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut page = Page::new(self.style);
        self.release(&mut page);
        self.print(page)?;
        self.out.flush()
    }
}
