//! Fits clean text into columns.

use super::clean::{char_width, width};

const ELLIPSIS: &str = "…";

/// The text in at most so many columns; `…` at its end says that there was more.
pub(super) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (kept, _) = split(text, columns.saturating_sub(1));
    kept.trim_end().to_owned() + ELLIPSIS
}

/// Lines of at most so many columns, broken at blanks where there are any; the last of `max` lines
/// ends in `…` where more would follow.
pub(in crate::output) fn wrap(text: &str, columns: usize, max: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text.trim();
    while width(rest) > columns && lines.len() + 1 < max {
        let (line, next) = break_line(rest, columns);
        lines.push(line.trim_end().to_owned());
        rest = next.trim_start();
    }
    lines.push(fit(rest, columns));
    lines
}

fn break_line(text: &str, columns: usize) -> (&str, &str) {
    let (line, rest) = split(text, columns);
    if rest.starts_with(' ') {
        return (line, rest);
    }
    // A break so early that it wastes half a line is worse than a word that goes on in the next.
    let blank = line.rfind(' ').filter(|at| *at * 2 >= line.len());
    blank.map_or((line, rest), |at| text.split_at(at))
}

/// What fits into so many columns, at least one character of it, and the rest.
fn split(text: &str, columns: usize) -> (&str, &str) {
    let mut used = 0;
    let over = |char| {
        used += char_width(char);
        used > columns
    };
    let end = text.find(over).unwrap_or(text.len());
    let first = text.chars().next().map_or(0, char::len_utf8);
    text.split_at(end.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis() {
        for (text, columns, expected) in [
            ("four", 4, "four"),
            ("five!", 4, "fiv…"),
            ("a b c d", 4, "a b…"),
            ("ab c", 3, "ab…"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("", 0, ""),
        ] {
            assert_eq!(fit(text, columns), expected);
        }
    }

    #[test]
    fn lines_break_at_blanks() {
        for (text, columns, max, expected) in [
            ("", 10, 3, vec![""]),
            ("short", 10, 3, vec!["short"]),
            ("one two three", 8, 3, vec!["one two", "three"]),
            ("one two three", 7, 3, vec!["one two", "three"]),
            ("a loooooooooong", 8, 3, vec!["a looooo", "ooooong"]),
            ("one two three four", 5, 2, vec!["one", "two…"]),
            ("日本語日本語", 4, 9, vec!["日本", "語日", "本語"]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(wrap(text, columns, max), expected, "{text}");
        }
    }
}
