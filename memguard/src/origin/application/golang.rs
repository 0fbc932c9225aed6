//! Which functions of Go's library its users know.

use super::{Owner, functions::owner_by_package};

/// Whether a function of Go's standard packages, or the type that it belongs to, is one that others
/// may use: `net/http.(*Transport).dialConn`, `net.Dial`.
pub(super) fn is_public_in_go(function: &str) -> bool {
    let bare = function.split('[').next().unwrap_or(function);
    let name = bare.rsplit('/').next().unwrap_or(bare);
    let Some((_, name)) = name.split_once('.') else {
        return false;
    };
    let name = name.trim_start_matches(['(', '*']);
    let public = name.starts_with(|first: char| first.is_ascii_uppercase());
    public && owner_by_package(function) == Some(Owner::Language)
}

/// Whether a function of Go has no name of its own: `queueForDial.func1`, `queueForDial.gowrap1`,
/// `queueForDial.func1.2`, `queueForDial·dwrap·1`.
pub(super) fn is_literal_in_go(function: &str) -> bool {
    let numbered = |part: &str| {
        let number = ["func", "gowrap", "deferwrap", ""]
            .iter()
            .find_map(|prefix| part.strip_prefix(prefix).filter(|rest| !rest.is_empty()));
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    function.contains('·') || function.rsplit('.').next().is_some_and(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_have_numbers_for_names() {
        for (function, expected) in [
            ("net/http.(*Transport).queueForDial.func1", true),
            ("net/http.(*Server).Serve.gowrap3", true),
            ("main.main.func1.2", true),
            ("net/http.(*Transport).queueForDial\u{b7}dwrap\u{b7}1", true),
            ("net/http.(*Transport).dialConnFor", false),
            ("main.func_one", false),
        ] {
            assert_eq!(is_literal_in_go(function), expected, "{function}");
        }
    }
}
