//! Hides what looks like a secret in a command line.
//!
//! Known are names (`--password=x`, `--token x`, `API_KEY=x`, `?token=x`; see [`names`]), URLs
//! (`postgres://user:x@host`; see [`word`]), headers (`Authorization: Basic x`, `Bearer x`), and
//! options of which the program says what they mean (`curl -u user:x`; see [`options`]).
//! Arguments come joined by blanks, so of a secret that itself contains a blank only the first word
//! is hidden.

mod names;
mod options;
mod word;

use std::borrow::Cow;

use self::{
    options::Programs,
    word::{HIDDEN, redact_word},
};

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

/// What the next word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing that the word before could know.
    Anything,
    /// A secret, unless it is an option.
    Secret,
    /// `user:password`, or only a user.
    User,
    /// The value of an `Authorization` header: a scheme and its secret, or a secret alone.
    Authorization,
}

/// Schemes of HTTP authentication that are followed by a secret.
const SCHEMES: [&str; 8] = [
    "bearer",
    "basic",
    "token",
    "digest",
    "apikey",
    "negotiate",
    "ntlm",
    "aws4-hmac-sha256",
];

fn redact(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut programs = Programs::default();
    let mut next = Next::Anything;
    for piece in line.split_inclusive(is_blank) {
        let word = piece.trim_end_matches(is_blank);
        if !word.is_empty() {
            next = show(&mut shown, word, next, &programs);
            programs.note(word);
        }
        shown.push_str(&piece[word.len()..]);
    }
    shown
}

/// Appends a word; returns what the next one is.
fn show(shown: &mut String, word: &str, this: Next, programs: &Programs) -> Next {
    match this {
        Next::Secret if !word.starts_with('-') => {
            shown.push_str(HIDDEN);
            Next::Anything
        }
        Next::User if !word.starts_with('-') => {
            shown.push_str(&programs.user(word));
            Next::Anything
        }
        Next::Authorization => show_authorization(shown, word),
        Next::Anything | Next::Secret | Next::User => show_any(shown, word, programs),
    }
}

fn show_authorization(shown: &mut String, word: &str) -> Next {
    let scheme = unquoted(word).to_ascii_lowercase();
    if SCHEMES.contains(&&*scheme) {
        shown.push_str(word);
        return Next::Secret;
    }
    shown.push_str(HIDDEN);
    Next::Anything
}

fn show_any(shown: &mut String, word: &str, programs: &Programs) -> Next {
    if let Some(end) = names::authorization_end(word) {
        let (name, value) = word.split_at(end);
        shown.push_str(name);
        return if value.is_empty() {
            Next::Authorization
        } else {
            show_authorization(shown, value)
        };
    }
    if let Some((option, user)) = programs.option_with_user(word) {
        shown.push_str(option);
        shown.push_str(&programs.user(user));
        return Next::Anything;
    }
    if let Some(option) = programs.option_with_secret(word) {
        shown.push_str(option);
        shown.push_str(HIDDEN);
        return Next::Anything;
    }
    let redacted = redact_word(word);
    let assigns = redacted != word;
    shown.push_str(&redacted);
    after(word, assigns, programs)
}

/// What follows a word that holds no secret itself.
fn after(word: &str, holds_secret: bool, programs: &Programs) -> Next {
    let names_next = word.starts_with('-') || word.ends_with(':');
    if programs.is_user_option(word) {
        Next::User
    } else if unquoted(word).eq_ignore_ascii_case("bearer")
        || programs.is_secret_option(word)
        || (!holds_secret && names_next && names::is_secret(word))
    {
        Next::Secret
    } else {
        Next::Anything
    }
}

/// Without the quotes that surround a word in a command for a shell.
fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '\''])
}

fn is_blank(char: char) -> bool {
    char.is_whitespace() || char == '\0'
}

#[cfg(test)]
mod tests;
