//! Which names say that their value is secret.

/// What a name has in it whose value is secret, in lower case.
const SECRET: [&str; 6] = ["pass", "token", "secret", "key", "_pwd", "-pwd"];

/// Words that have one of these in them and mean something else.
const HARMLESS: [&str; 27] = [
    "bypass",
    "compass",
    "hotkey",
    "keyboard",
    "keycloak",
    "keyint",
    "keymap",
    "keyring",
    "keyspace",
    "keyword",
    "max-token",
    "max_token",
    "maxtoken",
    "monkey",
    "pass-through",
    "pass_through",
    "passenger",
    "passive",
    "passthrough",
    "proxy_pass",
    "pub-key",
    "pub_key",
    "pubkey",
    "public-key",
    "public_key",
    "publickey",
    "tokeniz",
];

/// A name that ends so is of something about the secret: where it is, how long it is.
const ABOUT: [&str; 15] = [
    "bits", "count", "dir", "expiry", "file", "format", "length", "name", "path", "policy", "size",
    "store", "timeout", "ttl", "type",
];

/// An option that begins so switches something, and has no value.
const SWITCHES: [&str; 5] = ["no-", "skip-", "ask-", "prompt-", "without-"];

/// The value that belongs to this name is secret. The name may be an option, a variable or a
/// header, with what surrounds it.
pub(super) fn is_secret(name: &str) -> bool {
    let has_term = |name: &str| SECRET.iter().any(|term| name.contains(term));
    let lower = name.to_ascii_lowercase();
    if !has_term(&lower) {
        return false;
    }
    let core = lower.trim_matches(|char: char| !char.is_alphanumeric());
    let about = ABOUT.iter().any(|end| core.ends_with(end));
    let switch = SWITCHES.iter().any(|start| core.starts_with(start));
    !about && !switch && has_term(&without_harmless(core))
}

fn without_harmless(name: &str) -> String {
    let drop = |name: String, word: &&str| name.replace(word, "");
    HARMLESS.iter().fold(name.to_owned(), drop)
}

/// Behind the name of an `Authorization` header or the like, and the sign that follows it.
pub(super) fn authorization_end(word: &str) -> Option<usize> {
    const NAME: &str = "authorization";
    let end = word.to_ascii_lowercase().find(NAME)? + NAME.len();
    let sign = word[end..].chars().next()?;
    matches!(sign, ':' | '=').then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_and_names_that_only_look_so() {
        for name in [
            "--password",
            "--Token",
            "DB_PassWord",
            "PGPASSWORD",
            "MYSQL_PWD",
            "SECRET_KEY_BASE",
            "AWS_SECRET_ACCESS_KEY",
            "-Djavax.net.ssl.keyStorePassword",
            "X-Api-Key:",
            "--monkey-key",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "--port",
            "PWD",
            "OLDPWD",
            "KEYBOARD",
            "--keyspace",
            "--max-tokens",
            "--tokenizer",
            "PASSENGER_APP_ENV",
            "--password-file",
            "--key-size",
            "-Djavax.net.ssl.keyStore",
            "--no-password",
            "--ask-pass",
            "--public-key",
            "TOKEN_TTL",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
