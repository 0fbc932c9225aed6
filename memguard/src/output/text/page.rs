//! Lines under construction. Every text is cleaned and fitted here, and only here colours are
//! added.

use super::{
    clean::{clean, width},
    wrap::{fit, wrap},
};

/// Narrower terminals get lines of this width.
const NARROWEST: usize = 40;
/// Longest paragraph.
const PARAGRAPH_LINES: usize = 4;

/// How the text is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextStyle {
    /// Colours and intensity, by ANSI escapes.
    pub colour: bool,
    /// Width of the terminal; taken as 40 where it is less.
    pub columns: u16,
    /// Whether the terminal shows more than ASCII.
    pub unicode: bool,
}

impl Default for TextStyle {
    fn default() -> Self {
        Self {
            colour: false,
            columns: 80,
            unicode: true,
        }
    }
}

/// What a colour is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    None,
    Bad,
    Warn,
    Good,
    Dim,
}

impl Paint {
    fn escape(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Bad => "\u{1b}[1;31m",
            Self::Warn => "\u{1b}[33m",
            Self::Good => "\u{1b}[32m",
            Self::Dim => "\u{1b}[2m",
        }
    }
}

/// Lines for one write.
#[derive(Debug)]
pub(super) struct Page {
    style: TextStyle,
    text: String,
}

impl Page {
    pub(super) fn new(style: TextStyle) -> Self {
        Self {
            style,
            text: String::new(),
        }
    }

    pub(super) fn style(&self) -> TextStyle {
        self.style
    }

    pub(super) fn columns(&self) -> usize {
        usize::from(self.style.columns).max(NARROWEST)
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// One line, cut where it is too long.
    pub(super) fn line(&mut self, text: &str) {
        self.row("", Paint::None, text);
    }

    /// One line with a painted head, cut where it is too long.
    pub(super) fn row(&mut self, head: &str, paint: Paint, text: &str) {
        let rest = fit(&clean(text), self.columns().saturating_sub(width(head)));
        self.push(head, paint, &rest);
    }

    /// A painted head and a text, the lines of which all begin after the head.
    pub(super) fn paragraph(&mut self, head: &str, paint: Paint, text: &str) {
        let indent = width(head);
        let lines = wrap(
            &clean(text),
            self.columns().saturating_sub(indent),
            PARAGRAPH_LINES,
        );
        let mut lines = lines.iter();
        self.push(head, paint, lines.next().map_or("", String::as_str));
        for line in lines {
            self.push(&" ".repeat(indent), Paint::None, line);
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn push(&mut self, head: &str, paint: Paint, rest: &str) {
        let word = head.trim_end();
        if self.style.colour && paint != Paint::None && !word.is_empty() {
            self.text.extend([paint.escape(), word, "\u{1b}[0m"]);
        } else {
            self.text.push_str(word);
        }
        let rest = rest.trim_end();
        if !rest.is_empty() {
            self.text.extend([&head[word.len()..], rest]);
        }
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(colour: bool, columns: u16) -> Page {
        Page::new(TextStyle {
            colour,
            columns,
            ..TextStyle::default()
        })
    }

    #[test]
    fn only_the_head_is_painted_and_only_if_wanted() {
        for (colour, expected) in [
            (true, "\u{1b}[1;31mLEAK\u{1b}[0m  x\n"),
            (false, "LEAK  x\n"),
        ] {
            let mut page = page(colour, 80);
            page.row("LEAK  ", Paint::Bad, "x  ");
            assert_eq!(page.into_text(), expected);
        }
    }

    #[test]
    fn paragraphs_hang_from_their_head() {
        let mut page = page(false, 40);
        page.paragraph("LEAK  ", Paint::None, &"word ".repeat(50));
        let line = "word word word word word word word";
        let expected = [
            format!("LEAK  {line}\n"),
            format!("      {line}\n"),
            format!("      {line}\n"),
            "      word word word word word word wor…\n".to_owned(),
        ];
        assert_eq!(page.into_text(), expected.concat());
    }

    #[test]
    fn no_line_ends_in_blanks() {
        let mut page = page(true, 40);
        page.row("LEAK  ", Paint::Dim, "");
        page.paragraph("      ", Paint::Dim, "");
        page.line("   ");
        assert_eq!(page.into_text(), "\u{1b}[2mLEAK\u{1b}[0m\n\n\n");
    }
}
