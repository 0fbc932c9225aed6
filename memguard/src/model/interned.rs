//! Names that the program knows, read back from a recording.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize as _, Deserializer, de::Error as _};

/// A constant of the program, in what is recorded.
pub type Name = &'static str;

/// Most names that are kept, for ever: memguard has a few dozen.
const NAMES: usize = 1024;
/// Longest name.
const LENGTH: usize = 256;

static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// A name as a constant of the program; an error where there are too many.
pub fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let name = String::deserialize(deserializer)?;
    intern(&name).ok_or_else(|| D::Error::custom("too many names, or one too long"))
}

/// Likewise, where there may be none.
pub fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'static str>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(name) => {
            let name = intern(&name);
            let name = name.ok_or_else(|| D::Error::custom("too many names, or one too long"))?;
            Ok(Some(name))
        }
        None => Ok(None),
    }
}

fn intern(name: &str) -> Option<&'static str> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.get(name) {
        return Some(*known);
    }
    if known.len() >= NAMES || name.len() > LENGTH {
        return None;
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    known.insert(name);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let [first, second] = [0, 1].map(|_| intern("RLIMIT_NOFILE").unwrap());
        assert!(std::ptr::eq(first, second));
        assert_eq!(intern(&"x".repeat(LENGTH + 1)), None);
    }
}
