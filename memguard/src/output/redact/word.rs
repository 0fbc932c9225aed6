//! Secrets in a word that can be known without the words around it.

use std::ops::Range;

use super::names;

/// In the place of a secret.
pub(super) const HIDDEN: &str = "***";

/// The word with its secrets hidden: passwords of URLs and values of names.
pub(super) fn redact_word(word: &str) -> String {
    let mut secrets = url_passwords(word);
    secrets.extend(values(word));
    if let Some(start) = opaque_start(word) {
        secrets.push(start..word.len());
    }
    hide(word, secrets)
}

/// `user:***`; a word without a colon is a user alone, or hides nothing.
pub(super) fn hidden_user(word: &str) -> String {
    match word.split_once(':') {
        Some((user, password)) if !password.is_empty() => format!("{user}:{HIDDEN}"),
        _ => word.to_owned(),
    }
}

/// Shows `***` in the place of each of these ranges, once where they overlap.
fn hide(word: &str, mut secrets: Vec<Range<usize>>) -> String {
    secrets.sort_unstable_by_key(|range| range.start);
    let mut shown = String::with_capacity(word.len());
    let mut end = 0;
    for secret in secrets {
        if secret.start >= end {
            shown.push_str(&word[end..secret.start]);
            shown.push_str(HIDDEN);
        }
        end = end.max(secret.end);
    }
    shown + &word[end..]
}

/// Of each `scheme://user:password@host`, the password.
fn url_passwords(word: &str) -> Vec<Range<usize>> {
    let mut passwords = Vec::new();
    let mut from = 0;
    while let Some(at) = word[from..].find("://") {
        let start = from + at + "://".len();
        let length = word[start..].find("://").unwrap_or(word.len() - start);
        let password = url_password(&word[start..start + length]);
        passwords.extend(password.map(|range| start + range.start..start + range.end));
        from = start;
    }
    passwords
}

/// In what follows the `://`. A password should have no `/`, `?` or `#`, and some have.
fn url_password(rest: &str) -> Option<Range<usize>> {
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let colon = rest[..authority].find(':')?;
    let end = match rest[..authority].rfind('@') {
        Some(at) => at,
        // Digits are a port: an `@` behind them belongs to the path.
        None if is_number(&rest[colon + 1..authority]) => return None,
        None => authority + rest[authority..].find('@')?,
    };
    (colon + 1 < end).then_some(colon + 1..end)
}

pub(super) fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The values of secret names, as in `API_KEY=x` and `?a=1&token=x`. In a query a value ends at the
/// next `&`, elsewhere it is the rest of the word.
fn values(word: &str) -> Vec<Range<usize>> {
    let mut values = Vec::new();
    let mut from = 0;
    while let Some(sign) = word[from..].find('=').map(|at| from + at) {
        let name = word[from..sign].rfind(['?', '&', '=', ';', ',', '#']);
        let name = name.map_or(from, |at| from + at + 1);
        let in_query = word[..name].ends_with(['?', '&']);
        let start = sign + 1;
        from = start;
        if names::is_secret(&word[name..sign]) {
            let end = word[start..].find(['&', '#']).filter(|_| in_query);
            let end = end.map_or(word.len(), |at| start + at);
            values.push(start..end);
            from = end;
        }
    }
    values
}

/// Where a secret starts that is written behind a colon: `X-Api-Key:abc`, `pass:abc`.
fn opaque_start(word: &str) -> Option<usize> {
    let colon = word.find(':')?;
    let name = word[..colon].trim_start_matches(['"', '\'']);
    let header = name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("x-"));
    let secret = name == "pass" || (header && names::is_secret(name));
    (secret && colon + 1 < word.len()).then_some(colon + 1)
}
