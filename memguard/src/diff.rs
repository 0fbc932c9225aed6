//! `diff`: two files of findings side by side.

use std::path::Path;

use crate::{
    compare::{Change, Comparison},
    config::{
        DiffConfig, DiffGate,
        output::{OutputFormat, Stream},
    },
    failure::Failure,
    files::{self, Findings},
    output::{difference, terminal, text},
};

/// Exit code where a difference reached the gate.
const GATE: u8 = 1;

/// Reads, compares, shows, and returns the exit code.
pub fn diff(config: &DiffConfig) -> Result<u8, Failure> {
    if [&config.old, &config.new]
        .iter()
        .all(|path| path.as_path() == Path::new("-"))
    {
        return Err(Failure::usage(
            "only one of the two files can be standard input",
        ));
    }
    let [old, new] = [Findings::read(&config.old)?, Findings::read(&config.new)?];
    let comparison = Comparison::new(&old.review, &new.review);
    let text = match config.format {
        OutputFormat::Text => {
            let sides = [&old.review, &new.review];
            text::difference(
                &comparison,
                sides,
                &doubts(&old, &new),
                terminal::style(config.colour, Stream::Stdout),
            )
        }
        OutputFormat::Jsonl => difference::jsonl(&comparison)
            .map_err(|error| Failure::caused("cannot write the differences", error))?,
    };
    files::print(&text)?;
    let any = |change| comparison.count(change) > 0;
    let reached = match config.fail_on {
        DiffGate::Never => false,
        DiffGate::New => any(Change::New),
        DiffGate::Grew => any(Change::New) || any(Change::Grew),
    };
    Ok(if reached { GATE } else { 0 })
}

/// Why either side may be wrong.
fn doubts(old: &Findings, new: &Findings) -> Vec<String> {
    let mut doubts = Vec::new();
    for (name, findings) in [("old", old), ("new", new)] {
        let mut evidence = findings.review.summary().evidence;
        findings.doubt(&mut evidence);
        doubts.extend(evidence.reasons.iter().map(|why| format!("{name}: {why}")));
    }
    doubts
}
