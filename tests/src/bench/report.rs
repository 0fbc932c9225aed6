//! Rows as text: for the screen, and in Markdown for documents.

use std::fmt::Write as _;

use super::row::{Met, Row, Sample};

/// A section, aligned for the screen.
pub(super) fn section(name: &str, rows: &[Row]) -> String {
    let mut text = format!("== {name}\n");
    for row in rows {
        let [figure, spread, target, met, note] = cells(row);
        // Writing to a string cannot fail.
        let _written = writeln!(
            text,
            "{:<52}{figure:>12} {:<9}{spread:>20}  {target:<10}{met:<9}{note}",
            row.name, row.unit
        )
        .is_ok();
    }
    text
}

/// How many targets are met, and which are not.
pub(super) fn verdict(rows: &[Row]) -> String {
    let of = |met: Met| {
        let rows = rows.iter().filter(move |row| row.met() == Some(met));
        rows.map(|row| row.name.as_str()).collect::<Vec<_>>()
    };
    let met = of(Met::Yes).len();
    let mut text = format!("{met} targets met");
    for (met, word) in [(Met::No, "missed"), (Met::Unclear, "unclear")] {
        let names = of(met);
        if !names.is_empty() {
            let _written = write!(text, "; {} {word}: {}", names.len(), names.join(", ")).is_ok();
        }
    }
    text
}

/// All rows as a table in Markdown, a section after the other.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut last = "";
    for row in rows {
        if row.section != last {
            last = row.section;
            let _written = write!(text, "\n### {last}\n\n{HEAD}").is_ok();
        }
        let [figure, spread, target, met, note] = cells(row);
        let (name, unit) = (&row.name, row.unit);
        let line =
            format!("| {name} | {figure} | {unit} | {spread} | {target} | {met} | {note} |\n");
        text.push_str(&line);
    }
    text
}

const HEAD: &str = "| | median | | quartiles | target | met | |\n|---|---|---|---|---|---|---|\n";

/// Median, quartiles, target, whether it is met, note.
fn cells(row: &Row) -> [String; 5] {
    let figure = row
        .sample
        .map_or_else(|| "–".to_owned(), |sample| short(sample.median));
    let target = row
        .target
        .map(|target| target.to_string())
        .unwrap_or_default();
    let met = row.met().map(Met::name).unwrap_or_default().to_owned();
    let noise = if row.is_noise() { "within noise" } else { "" };
    let both = [noise, &row.note];
    let notes: Vec<&str> = both.into_iter().filter(|note| !note.is_empty()).collect();
    let spread = row.sample.map(spread).unwrap_or_default();
    [figure, spread, target, met, notes.join("; ")]
}

fn spread(sample: Sample) -> String {
    match sample.n {
        1 => "once".to_owned(),
        n => format!("{}–{} ({n})", short(sample.low), short(sample.high)),
    }
}

/// Three digits that mean something, and all of a large number.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        size if size < 1.0 => 3,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row says in words what it is worth.
    #[test]
    fn rows_speak_for_themselves() {
        let rows = [
            Row::new("pair", "ns", &[90.0, 100.0, 120.0])
                .at_most(110.0)
                .of("bpf"),
            Row::new("loss", "%", &[-1.0, 0.25, 1.0])
                .against(0.0)
                .of("servers"),
            Row::missing("bpftrace", "not installed").of("servers"),
        ];
        let text = markdown(&rows);
        print!("{text}");
        assert!(text.contains("| pair | 100 | ns | 95.0–110 (3) | ≤ 110 | yes |  |"));
        assert!(text.contains("| loss | 0.250 | % | -0.375–0.625 (3) |  |  | within noise |"));
        assert!(text.contains("| bpftrace | – |  |  |  |  | not installed |"));
        assert_eq!(text.matches("### ").count(), 2);
        assert_eq!(verdict(&rows), "1 targets met");
    }

    #[test]
    fn numbers_have_three_digits() {
        let all = [0.0, 0.01234, 1.234, 12.34, 123.4, 123_456.7].map(short);
        assert_eq!(all, ["0", "0.012", "1.23", "12.3", "123", "123457"]);
    }
}
