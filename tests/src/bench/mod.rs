//! What memguard costs, measured on one machine in one run: `cargo xtask bench`.
//!
//! Every figure is the median of interleaved rounds with its quartiles, and where there is
//! something to compare with, a difference or a ratio within one round: these machines are noisy,
//! and a single time says nothing. `row` is the one form that all figures have; `report` and
//! `document` show them, `json` keeps them. Each other module is one section of the table.

mod agent;
mod bpf_time;
mod calls;
mod document;
mod held;
mod host;
mod idle;
mod json;
mod looper;
mod loops;
mod peers;
mod phases;
mod programs;
mod pure;
mod rates;
mod report;
mod row;
mod servers;
mod start;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use clap::Parser;

pub use self::row::{Met, Row, Sample, Target};
use crate::machine;

/// What to measure, and where to put it.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
pub struct Options {
    /// Only sections whose name contains this
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
    /// Fewer and shorter rounds: to see that it works, not how much it costs
    #[arg(long)]
    quick: bool,
    /// Put the table into this document, between its markers
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Write all figures here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// How many rounds, where `usual` are enough for a figure that counts.
    fn rounds(&self, usual: usize) -> usize {
        if self.quick { 2 } else { usual }
    }

    /// How often something is done in one round.
    fn count(&self, usual: u64) -> u64 {
        if self.quick { usual / 10 } else { usual }
    }

    fn wants(&self, section: &str) -> bool {
        let only = self.only.as_deref();
        only.is_none_or(|patterns| patterns.split(',').any(|it| section.contains(it)))
    }
}

/// A part of the table: its name, and what measures it.
type Section = (&'static str, fn(&Options) -> Vec<Row>);

/// What tells most in the shortest time comes first, for who has to end a run early.
const SECTIONS: [Section; 10] = [
    ("bpf", bpf_time::measure),
    ("calls", calls::measure),
    ("loops", loops::measure),
    ("start", start::measure),
    ("agent", idle::measure),
    ("programs", programs::measure),
    ("pure", pure::measure),
    ("rates", rates::measure),
    ("servers", servers::measure),
    ("held", held::measure),
];

/// Measures, prints, and keeps what was asked for.
///
/// # Panics
///
/// Where something does not work that has to: a figure that was not measured is not made up.
pub fn run(options: &Options) -> ExitCode {
    let Some(_alone) = machine::ready() else {
        return ExitCode::FAILURE;
    };
    let host = host::Host::of_this_run(options.quick);
    println!("{host}");
    let wanted = SECTIONS.into_iter().filter(|(name, _)| options.wants(name));
    let mut rows = Vec::new();
    for (name, measure) in wanted {
        let begun = Instant::now();
        let found = measure(options);
        print!("{}", report::section(name, &found));
        println!("({name}: {:.0} s)\n", begun.elapsed().as_secs_f64());
        rows.extend(found.into_iter().map(|row| row.of(name)));
        keep(options, &host, &rows);
    }
    println!("{}", report::verdict(&rows));
    ExitCode::SUCCESS
}

/// After every section: what was measured is there, whatever becomes of the rest.
fn keep(options: &Options, host: &host::Host, rows: &[Row]) {
    if let Some(path) = &options.json {
        json::write(path, host, rows);
    }
    if let Some(path) = &options.write {
        document::write(path, host, rows);
    }
}
