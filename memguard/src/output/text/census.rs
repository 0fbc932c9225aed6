//! What processes hold, in a short block each.

use super::{
    clean::clean,
    page::Page,
    table::{Column, align},
    wrap::fit,
};
use crate::{
    model::report::{Census, CensusRow},
    output::{units::count, words},
};

/// Columns for the name of a process, also where it is spelt in escapes.
const NAME: usize = 48;
/// Blocks shown of a burst.
const SHOWN: usize = 10;

/// Census reports that came one after another: those with most descriptors, and how many more.
#[derive(Debug)]
pub(super) struct CensusBurst {
    largest: Vec<Census>,
    more: u64,
}

impl CensusBurst {
    pub(super) fn new(census: &Census) -> Self {
        Self {
            largest: vec![census.clone()],
            more: 0,
        }
    }

    pub(super) fn add(&mut self, census: &Census) {
        let Self { largest, more } = self;
        let place = largest.partition_point(|other| other.open >= census.open);
        if place < SHOWN {
            largest.insert(place, census.clone());
        }
        if place == SHOWN || largest.len() > SHOWN {
            largest.truncate(SHOWN);
            *more += 1;
        }
    }

    pub(super) fn show(self, page: &mut Page) {
        for census in &self.largest {
            block(page, census);
        }
        if self.more > 0 {
            page.line(&format!(
                "… and {}",
                count(self.more, "more process", "more processes")
            ));
        }
    }
}

/// ```text
/// api[4242]  240 descriptors (23 % of RLIMIT_NOFILE 1024), RSS 31 MiB
///   214 TCP sockets  tcp #.#.#.#:# -> #.#.#.#:# (200), …
/// ```
fn block(page: &mut Page, census: &Census) {
    let who = fit(&clean(&words::who(&census.process)), NAME);
    page.line(&format!("{who}  {}", words::census(census)));
    let rows = census.rows.iter().map(cells).collect();
    let layout = [Column::RIGHT, Column::LEFT, Column::shrinking_to(0)];
    for row in align(rows, layout, page.columns() - 2) {
        let [number, noun, targets] = row;
        page.line(&format!("  {number} {noun}  {targets}"));
    }
}

fn cells(row: &CensusRow) -> [String; 3] {
    let target = |(target, number): &(String, u64)| match *number {
        1 => target.clone(),
        number => format!("{target} ({number})"),
    };
    let targets: Vec<_> = match row.targets.as_slice() {
        [(only, number)] if *number == row.count => vec![only.clone()],
        targets => targets.iter().map(target).collect(),
    };
    [
        row.count.to_string(),
        row.kind.noun(row.count).to_owned(),
        targets.join(", "),
    ]
}
