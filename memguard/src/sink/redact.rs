//! Hides what looks like a secret in a command line.
//!
//! Three forms are known, in any case: `--password=x`, `--token x` and `API_KEY=x` (also deeper in
//! a word, as in `https://host/?token=x`). Arguments come joined by blanks, so of a secret that itself contains a
//! blank only the first word is hidden.

use std::borrow::Cow;

/// Whether command lines are shown as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redaction {
    /// Values that look secret become `***`.
    #[default]
    On,
    /// Everything is shown.
    Off,
}

impl Redaction {
    /// A text that may hold a command line, as it may be shown.
    pub(super) fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::On => Cow::Owned(redact(text)),
            Self::Off => Cow::Borrowed(text),
        }
    }
}

const SECRET: [&str; 4] = ["pass", "token", "secret", "key"];
const HIDDEN: &str = "***";

fn redact(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut value_follows = false;
    for piece in line.split_inclusive(is_blank) {
        let word = piece.trim_end_matches(is_blank);
        if !word.is_empty() {
            value_follows = show(&mut shown, word, value_follows);
        }
        shown.push_str(&piece[word.len()..]);
    }
    shown
}

/// Appends a word; true where the next one is its secret value.
fn show(shown: &mut String, word: &str, is_value: bool) -> bool {
    let name_end = secret_name_end(word);
    if is_value && !word.starts_with('-') {
        shown.push_str(HIDDEN);
        return false;
    }
    let assignment = name_end.and_then(|end| Some(end + word[end..].find('=')? + 1));
    shown.push_str(&word[..assignment.unwrap_or(word.len())]);
    if assignment.is_some() {
        shown.push_str(HIDDEN);
    }
    let names_the_next = word.starts_with('-') || word.ends_with(':');
    assignment.is_none() && name_end.is_some() && names_the_next
}

/// Where the first part of a word ends that says "secret".
fn secret_name_end(word: &str) -> Option<usize> {
    let lower = word.to_ascii_lowercase();
    SECRET
        .iter()
        .filter_map(|term| Some(lower.find(term)? + term.len()))
        .min()
}

fn is_blank(char: char) -> bool {
    char.is_whitespace() || char == '\0'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_in_every_known_form() {
        for (line, expected) in [
            ("api --port 80", "api --port 80"),
            ("api --password=hunter2 -v", "api --password=*** -v"),
            ("api --token abc --port 80", "api --token *** --port 80"),
            (
                "env API_KEY=abc DB_PassWord=x=y api",
                "env API_KEY=*** DB_PassWord=*** api",
            ),
            (
                "java -Djavax.keyStorePassword=x Main",
                "java -Djavax.keyStorePassword=*** Main",
            ),
            (
                "curl https://h/?a=1&token=abc&b=2",
                "curl https://h/?a=1&token=***",
            ),
            ("curl -H X-Api-Key: abc", "curl -H X-Api-Key: ***"),
            ("api --no-password --port 80", "api --no-password --port 80"),
            (
                "api  --secret\0abc\0--token  x ",
                "api  --secret\0***\0--token  *** ",
            ),
            ("api --password= next", "api --password=*** next"),
            ("api --token", "api --token"),
            ("pass = word", "pass = word"),
            ("", ""),
            ("ключ --TOKEN ключ Ü=é", "ключ --TOKEN *** Ü=é"),
        ] {
            assert_eq!(redact(line), expected, "{line}");
        }
    }

    #[test]
    fn long_lines_take_linear_time() {
        let line = "=".repeat(1 << 20) + "key" + &"=".repeat(1 << 20);
        assert_eq!(redact(&line).len(), (1 << 20) + "key=***".len());
    }
}
