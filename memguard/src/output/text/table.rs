//! Columns of equal width.

use super::{
    clean::{clean, width},
    wrap::fit,
};

/// How a column is laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    right: bool,
    narrowest: usize,
}

impl Column {
    /// Aligned left, never cut.
    pub(super) const LEFT: Self = Self {
        right: false,
        narrowest: usize::MAX,
    };
    /// Aligned right, never cut.
    pub(super) const RIGHT: Self = Self {
        right: true,
        narrowest: usize::MAX,
    };

    /// Aligned left, cut down to this width where the table is too wide.
    pub(super) const fn shrinking_to(narrowest: usize) -> Self {
        Self {
            right: false,
            narrowest,
        }
    }
}

/// Columns between two cells.
pub(super) const GAP: usize = 2;

/// The cells, cut and padded so that a row with [`GAP`]s between them takes `columns`, if the
/// columns that shrink allow.
pub(super) fn align<const N: usize>(
    rows: Vec<[String; N]>,
    layout: [Column; N],
    columns: usize,
) -> Vec<[String; N]> {
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| row.map(|cell| clean(&cell).into()))
        .collect();
    let widths = widths(&rows, layout, columns);
    let padded = |row: [String; N]| {
        let mut at = 0..N;
        row.map(|cell| {
            at.next()
                .map_or_else(String::new, |at| pad(&cell, widths[at], layout[at]))
        })
    };
    rows.into_iter().map(padded).collect()
}

fn widths<const N: usize>(rows: &[[String; N]], layout: [Column; N], columns: usize) -> [usize; N] {
    let mut widths = [0; N];
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    let room = columns.saturating_sub(GAP * N.saturating_sub(1));
    shrink(&mut widths, layout, room);
    widths
}

/// Takes from the widest column that may shrink until all fit.
fn shrink<const N: usize>(widths: &mut [usize; N], layout: [Column; N], room: usize) {
    let mut excess = widths.iter().sum::<usize>().saturating_sub(room);
    while excess > 0 {
        let shrinkable = widths.iter_mut().zip(layout);
        let shrinkable = shrinkable.filter(|(width, column)| **width > column.narrowest);
        let Some((widest, column)) = shrinkable.max_by_key(|(width, _)| **width) else {
            return;
        };
        // In large steps while it is wider than everything else could be.
        let step = excess
            .min(*widest - column.narrowest)
            .min(widest.saturating_sub(room).max(1));
        *widest -= step;
        excess -= step;
    }
}

fn pad(cell: &str, columns: usize, column: Column) -> String {
    let cell = fit(cell, columns);
    let blanks = " ".repeat(columns.saturating_sub(width(&cell)));
    if column.right {
        blanks + &cell
    } else {
        cell + &blanks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(columns: usize, rows: &[[&str; 3]], expected: &[&str]) {
        let rows = rows.iter().map(|row| row.map(str::to_owned)).collect();
        let layout = [Column::RIGHT, Column::shrinking_to(3), Column::LEFT];
        let rows = align(rows, layout, columns);
        let lines: Vec<_> = rows.iter().map(|row| row.join("  ")).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn cells_are_padded_to_their_column() {
        check(
            80,
            &[["1", "a", "b"], ["100", "日本", ""]],
            &["  1  a     b", "100  日本   "],
        );
    }

    #[test]
    fn only_columns_that_shrink_are_cut() {
        check(
            12,
            &[["1000", "abcdefghi", "xy"]],
            &["1000  a…  xy"].map(|_| "1000  ab…  xy"),
        );
        check(4, &[["1000", "abcdefghi", "xy"]], &["1000  ab…  xy"]);
        check(15, &[["1", &"a".repeat(9_999), "x"]], &["1  aaaaaaaa…  x"]);
    }

    #[test]
    fn no_rows_make_no_lines() {
        check(80, &[], &[]);
    }
}
