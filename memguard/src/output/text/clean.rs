//! Makes any string safe to show: what would move the cursor, hide or reorder text is shown as
//! `\u{..}`.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar as _;

/// The string without control and invisible formatting characters.
pub(in crate::output) fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(|char| !is_unsafe(char)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_unsafe(char) {
            shown.extend(char.escape_unicode());
        } else {
            shown.push(char);
        }
    }
    Cow::Owned(shown)
}

/// Control characters, line and paragraph separators, and what Unicode calls format characters as
/// far as they are invisible or change the direction of others (UAX #9, UTS #39).
fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Columns that a clean string takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// Columns of one character: two for East Asian wide characters and pictographs. A combining mark
/// counts as one, although it takes none: a line is then shorter than it could be, and a name of
/// nothing else still has an end.
pub(super) fn char_width(char: char) -> usize {
    char.width().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_act_on_a_terminal_is_spelt_out() {
        for (text, expected) in [
            ("plain text, ümläut, 日本", "plain text, ümläut, 日本"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\nb\tc\rd\0", "a\\u{a}b\\u{9}c\\u{d}d\\u{0}"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("a\u{200b}b\u{2028}c", "a\\u{200b}b\\u{2028}c"),
        ] {
            assert_eq!(clean(text), expected);
            assert_eq!(clean(&clean(text)), expected, "clean text stays as it is");
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("日本"), 4);
        assert_eq!(width("é→…"), 3);
        // Narrow signs next to wide ones, and a pictograph of Unicode 15.
        assert_eq!(width("⌀✓✈"), 3);
        assert_eq!(width("⌚✅🫨"), 6);
        assert_eq!(width("e\u{301}"), 2);
    }
}
