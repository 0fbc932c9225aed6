//! Lines of a file of any content, in bounded memory.

use std::io::{self, BufRead};

use super::LINE_MAX;
use crate::output::text::clean;

/// Longest piece of a file that a message quotes, in characters.
const QUOTED: usize = 80;

/// The lines that are not blank.
pub(super) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
}

pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    TooLong,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            number: 0,
        }
    }

    /// Of the line that was given last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            self.line.clear();
            let mut whole = true;
            let read = {
                let mut limited = io::Read::take(&mut self.input, LINE_MAX as u64);
                limited.read_until(b'\n', &mut self.line)?
            };
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if read == LINE_MAX && self.line.last() != Some(&b'\n') {
                whole = self.is_at_its_end()?;
            }
            if !whole {
                return Ok(Some(Line::TooLong));
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some(Line::Whole(self.line.trim_ascii())))
    }

    /// Passes over the rest of a line; true where there is none.
    fn is_at_its_end(&mut self) -> io::Result<bool> {
        let mut none = true;
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (used, ended) = match end {
                Some(at) => (at + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            none &= used == usize::from(end.is_some());
            self.input.consume(used);
            if ended {
                return Ok(none);
            }
        }
    }
}

/// A piece of a file for a message.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(QUOTED).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", clean(&short))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// Number and length of each line, none for those that are too long.
    fn lines(text: &[u8]) -> Vec<(u64, Option<usize>)> {
        let mut lines = Lines::new(BufReader::with_capacity(7, text));
        let mut found = Vec::new();
        loop {
            let length = match lines.next_line().expect("a slice can be read") {
                None => return found,
                Some(Line::TooLong) => None,
                Some(Line::Whole(line)) => Some(line.len()),
            };
            found.push((lines.number(), length));
        }
    }

    #[test]
    fn blank_lines_are_counted_and_long_ones_passed_over() {
        assert_eq!(lines(b""), []);
        assert_eq!(
            lines(b"a\n\n \r\nbc\r\nd"),
            [(1, Some(1)), (4, Some(2)), (5, Some(1))]
        );
        for (length, expected) in [
            (LINE_MAX - 1, Some(LINE_MAX - 1)),
            (LINE_MAX, Some(LINE_MAX)),
            (LINE_MAX + 1, None),
            (3 * LINE_MAX, None),
        ] {
            let text = [vec![b'x'; length], b"\nyz\n".to_vec()].concat();
            assert_eq!(lines(&text), [(1, expected), (2, Some(2))], "{length}");
            assert_eq!(
                lines(&text[..length]),
                [(1, expected)],
                "{length}, no newline"
            );
        }
    }

    #[test]
    fn quotes_are_short_and_harmless() {
        assert_eq!(shown("2.0"), "2.0");
        assert_eq!(shown("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(shown(&"x".repeat(500)), "x".repeat(80) + "…");
    }
}
