//! Two files of findings side by side, for people.

use super::{
    TextStyle,
    page::{Page, Paint},
    review::watched,
    summary::noun,
    table::{Column, GAP, align},
};
use crate::{
    compare::{Change, Comparison, Difference, Side},
    model::finding::{Finding, Verdict},
    output::{outcome, units::bytes},
    review::Review,
};

/// Differences shown; the JSON lines have them all.
const SHOWN: usize = 100;
const INDENT: usize = 2;

/// What is not the same in two reviews, and why that may be wrong.
pub fn difference(
    comparison: &Comparison,
    sides: [&Review; 2],
    doubts: &[String],
    style: TextStyle,
) -> String {
    let mut page = Page::new(style);
    let counts = Change::ALL.map(|it| format!("{} {}", comparison.count(it), it.name()));
    let same = format!("{} the same", comparison.same);
    let all = format!("{}, {same}", counts.join(", "));
    page.paragraph("memguard: ", Paint::None, &outcome::doubted(&all, doubts));
    if !comparison.differences.is_empty() {
        page.blank();
        table(&mut page, &comparison.differences);
        page.blank();
    }
    for (head, review) in ["old: ", "new: "].into_iter().zip(sides) {
        if let Some(run) = review.runs().first() {
            page.paragraph(head, Paint::None, &watched(run));
        }
    }
    page.into_text()
}

fn table(page: &mut Page, differences: &[Difference]) {
    let shown = &differences[..differences.len().min(SHOWN)];
    let heading = ["", "VERDICT", "OLD", "NEW", "WHAT", "PROGRAM", "FROM"].map(str::to_owned);
    let cells = [heading]
        .into_iter()
        .chain(shown.iter().map(cells))
        .collect();
    let layout = [
        Column::LEFT,
        Column::LEFT,
        Column::RIGHT,
        Column::RIGHT,
        Column::shrinking_to(4),
        Column::shrinking_to(4),
        Column::shrinking_to(3),
    ];
    let paints = [Paint::None]
        .into_iter()
        .chain(shown.iter().map(|it| paint(it.change)));
    for (row, paint) in align(cells, layout, page.columns() - INDENT)
        .iter()
        .zip(paints)
    {
        let [change, rest @ ..] = row;
        let head = format!("{}{change}{}", " ".repeat(INDENT), " ".repeat(GAP));
        page.row(&head, paint, &rest.join(&" ".repeat(GAP)));
    }
    if differences.len() > SHOWN {
        page.line(&format!("  … and {} more", differences.len() - SHOWN));
    }
}

fn paint(change: Change) -> Paint {
    match change {
        Change::New => Paint::Bad,
        Change::Grew => Paint::Warn,
        Change::Shrank | Change::Gone => Paint::Good,
    }
}

fn cells(difference: &Difference) -> [String; 7] {
    let Difference {
        change, old, new, ..
    } = difference;
    let [before, after] = [old, new].map(|side| side.as_ref().map_or_else(String::new, how_much));
    let example = difference.example();
    let count = new.as_ref().or(old.as_ref()).map_or(0, |side| side.count);
    [
        change.name().to_uppercase(),
        verdicts(old.as_ref(), new.as_ref()),
        before,
        after,
        example.map(|it| noun(it.kind, count)).unwrap_or_default(),
        example.map(|it| it.process.label()).unwrap_or_default(),
        example.map(Finding::origin_text).unwrap_or_default(),
    ]
}

/// `leak`, or `aged → leak`.
fn verdicts(old: Option<&Side>, new: Option<&Side>) -> String {
    let names = [old, new]
        .into_iter()
        .flatten()
        .map(|side| side.verdict.name());
    let mut names: Vec<_> = names.collect();
    names.dedup();
    names.join(" → ")
}

/// `40 (40 MiB)`; of memory that grows its size.
fn how_much(side: &Side) -> String {
    match side.bytes {
        Some(size) if side.verdict == Verdict::Growth => bytes(size),
        Some(size) => format!("{} ({})", side.count, bytes(size)),
        None => side.count.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing;

    fn shown(sides: [&Review; 2], doubts: &[String], columns: u16) -> String {
        let style = TextStyle {
            colour: false,
            columns,
            ..TextStyle::default()
        };
        let comparison = Comparison::new(sides[0], sides[1]);
        difference(&comparison, sides, doubts, style)
    }

    #[test]
    fn golden_difference() {
        let [old, new] = testing::two_reviews();
        testing::check_golden("difference.txt", &shown([&old, &new], &[], 100));
    }

    #[test]
    fn golden_no_difference() {
        let [old, _] = testing::two_reviews();
        let doubts = ["old: 3 lines could not be read".to_owned()];
        testing::check_golden("difference-none.txt", &shown([&old, &old], &doubts, 80));
    }
}
