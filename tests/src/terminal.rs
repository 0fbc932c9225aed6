//! A terminal for programs that look whether they have one: what they print there, and what a
//! person sees of it in the end.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    process::Stdio,
};

use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::stream::Stream;

/// A pseudoterminal of 80 columns, the test at its other end.
#[derive(Debug)]
pub struct Terminal {
    slave: Option<File>,
    printed: Stream,
}

impl Terminal {
    /// Opens a new one, which controls nobody.
    pub fn new() -> Self {
        Self::open().unwrap_or_else(|error| panic!("cannot open a terminal: {error}"))
    }

    fn open() -> std::io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = ptsname(&master, Vec::new())?;
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        options.custom_flags(OFlags::NOCTTY.bits().cast_signed());
        let slave = options.open(path.to_string_lossy().as_ref())?;
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&slave, size)?;
        let printed = Stream::of(Some(File::from(master)));
        Ok(Self {
            slave: Some(slave),
            printed,
        })
    }

    /// As standard output or error of a program.
    pub fn stdio(&self) -> Stdio {
        let slave = self.slave.as_ref().map(File::try_clone);
        match slave {
            Some(Ok(slave)) => slave.into(),
            other => panic!("the terminal cannot be given away: {other:?}"),
        }
    }

    /// Everything that was printed so far, as it came.
    pub fn raw(&self) -> String {
        self.printed.so_far()
    }

    /// Everything that was printed, as it came; the programs must have ended.
    #[track_caller]
    pub fn finish(mut self) -> String {
        drop(self.slave.take());
        self.printed.finish("terminal")
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

/// What a person sees after all that was printed, without blanks at the ends of lines. Knows what
/// memguard and its progress line use, and refuses anything else.
///
/// # Panics
///
/// On a sequence that it does not know.
pub fn screen(printed: &str) -> Vec<String> {
    let (mut lines, mut row, mut column) = (vec![Vec::new()], 0_usize, 0_usize);
    let mut rest = printed.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\n' => row += 1,
            '\r' => column = 0,
            '\u{1b}' => {
                assert_eq!(rest.next(), Some('['), "an unknown escape in {printed:?}");
                let mut argument = String::new();
                let command = loop {
                    match rest.next() {
                        Some(digit) if digit.is_ascii_digit() || digit == ';' => {
                            argument.push(digit);
                        }
                        other => break other,
                    }
                };
                let number: usize = argument.parse().unwrap_or(1);
                match (command, argument.as_str()) {
                    (Some('m'), _) => {}
                    (Some('A'), _) => row = row.saturating_sub(number),
                    (Some('B'), _) => row += number,
                    (Some('K'), "2") => lines[row].clear(),
                    (Some('K'), "" | "0") => lines[row].truncate(column),
                    (command, _) => panic!("unknown: {argument}{command:?} in {printed:?}"),
                }
            }
            char => {
                let line: &mut Vec<char> = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = char;
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), Vec::new());
    }
    let lines = lines.into_iter().map(String::from_iter);
    lines
        .map(|line: String| line.trim_end().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::screen;

    #[test]
    fn lines_are_cleared_and_written_anew() {
        for (printed, expected) in [
            ("a\r\nb\r\n", &["a", "b", ""][..]),
            ("\u{1b}[1;31mred\u{1b}[0m\r\n", &["red", ""]),
            ("progress\r\u{1b}[2Kdone\r\n", &["done", ""]),
            ("long\r\u{1b}[Kab\r\n", &["ab", ""]),
            ("one\r\ntwo\u{1b}[1A\r\u{1b}[2Kthree", &["three", "two"]),
        ] {
            assert_eq!(screen(printed), expected, "{printed:?}");
        }
    }
}
