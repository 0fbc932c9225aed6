//! What went wrong, in lines that fit a terminal.

use super::clean::{clean, width};

/// Width of the lines.
const COLUMNS: usize = 80;
/// Before what continues a line.
const INDENT: &str = "  ";

/// Breaks lines at blanks alone: a path or a command stays whole, and can be copied.
pub fn message(text: &str) -> String {
    let lines = text.lines().map(|line| broken(&clean(line)));
    lines.collect()
}

/// What programs read too: one line, however long.
pub fn one_line(text: &str) -> String {
    clean(text).into_owned() + "\n"
}

fn broken(line: &str) -> String {
    let trimmed = line.trim_start();
    let own = &line[..line.len() - trimmed.len()];
    let (mut text, mut used) = (own.to_owned(), width(own));
    let first = used;
    for word in trimmed.split(' ') {
        if used > first && used + 1 + width(word) > COLUMNS {
            text.extend(["\n", own, INDENT]);
            used = width(own) + width(INDENT);
        } else if used > first {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += width(word);
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_stays_one() {
        let long = ["word"; 40].join(" ");
        assert_eq!(one_line(&long), format!("{long}\n"));
        let hostile = one_line("a\nb\u{1b}[2J");
        assert_eq!(hostile.lines().count(), 1);
        assert!(!hostile.contains('\u{1b}'));
    }

    #[test]
    fn lines_break_at_blanks_alone() {
        let long = "x".repeat(90);
        let words = ["word"; 20].join(" ");
        for (text, expected) in [
            ("memguard: short", "memguard: short\n".to_owned()),
            ("one\n  fix: two", "one\n  fix: two\n".to_owned()),
            (
                &*words,
                format!("{}\n  {}\n", ["word"; 16].join(" "), ["word"; 4].join(" ")),
            ),
            (
                &*format!("  fix: {long} end"),
                format!("  fix:\n    {long}\n    end\n"),
            ),
            ("", String::new()),
        ] {
            assert_eq!(message(text), expected);
        }
    }

    #[test]
    fn nothing_harmful_is_printed() {
        assert!(!message("a\u{1b}[2Jb").contains('\u{1b}'));
    }
}
