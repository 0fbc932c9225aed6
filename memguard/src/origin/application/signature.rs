//! Names of functions as C++ and Rust write them: the path in them, without types and parameters.

/// Without the type of the result and without parameters, as C++ names have them.
pub(super) fn without_parameters(function: &str) -> &str {
    qualified(function).0
}

/// Whether there are parameters: then the language is C++.
pub(super) fn has_parameters(function: &str) -> bool {
    qualified(function).1
}

/// The crate or the outermost namespace; `None` for functions that are in none.
pub(super) fn root(function: &str) -> Option<&str> {
    let name = without_parameters(function);
    match name.strip_prefix('<') {
        Some(method) => of_method(method),
        None => first(name),
    }
}

/// The first element of a path that has more.
fn first(path: &str) -> Option<&str> {
    path.split_once("::").map(|(first, _)| first)
}

/// For a method of Rust, `<type as trait>::name` without the `<`, the crate that it is of: the
/// type's, or the trait's where the type is of no crate.
fn of_method(text: &str) -> Option<&str> {
    let text = text.strip_prefix("impl ").unwrap_or(text);
    let (of_type, of_trait) = match text.split_once(" as ") {
        Some((of_type, of_trait)) => (of_type, Some(of_trait)),
        None => (text, None),
    };
    let path = |text| first(bare_type(text)).filter(|first| !first.contains(['<', '>', ',', ' ']));
    path(of_type).or_else(|| path(of_trait?))
}

/// Without what makes a reference, a pointer or a slice of a type.
fn bare_type(mut text: &str) -> &str {
    let marks = ["&", "mut ", "*", "const ", "dyn ", "[", "("];
    while let Some(rest) = marks.iter().find_map(|mark| text.strip_prefix(mark)) {
        text = rest;
    }
    text
}

/// The name in a signature of C++, and whether there are parameters behind it. Names of other
/// languages have no blanks outside of brackets, and come out whole.
fn qualified(function: &str) -> (&str, bool) {
    let (mut start, mut depth, mut before) = (0, 0u32, ' ');
    for (at, char) in function.char_indices() {
        match char {
            '(' if depth == 0 && is_end(function, start, at) => {
                return (function.get(start..at).unwrap_or(function), true);
            }
            '<' | '(' | '[' | '{' => depth += 1,
            // An arrow closes nothing.
            '>' if before == '-' => {}
            '>' | ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 && !is_in_operator(function, start, at) => start = at + 1,
            _ => {}
        }
        before = char;
    }
    (function.get(start..).unwrap_or(function), false)
}

/// Whether the bracket at `at` opens the parameters: not `(anonymous namespace)::f`, not
/// `f(int)::Local::g`, not `operator()`.
fn is_end(function: &str, start: usize, at: usize) -> bool {
    let name = function.get(start..at).unwrap_or_default();
    // `net/http.(*Client).Do` is a method of Go.
    if name.is_empty() || name.ends_with(['.', ':']) || name == "decltype" {
        return false;
    }
    if name.ends_with("operator") {
        return !function.get(at..).unwrap_or_default().starts_with("()");
    }
    true
}

/// `operator new`, `operator unsigned long`: the blank is in the name.
fn is_in_operator(function: &str, start: usize, at: usize) -> bool {
    let name = function.get(start..at).unwrap_or_default();
    name.split("::")
        .last()
        .is_some_and(|last| last.split(' ').next() == Some("operator"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_cpp_without_their_signature() {
        for (function, expected) in [
            ("main", "main"),
            ("connect(int)", "connect"),
            ("pool::get(std::string const&, int)", "pool::get"),
            (
                "void std::__invoke_impl<void, int (*)()>(std::__invoke_other, int (*&&)())",
                "std::__invoke_impl<void, int (*)()>",
            ),
            ("std::string const& ns::f<int>(int)", "ns::f<int>"),
            ("(anonymous namespace)::f(int)", "(anonymous namespace)::f"),
            (
                "ns::(anonymous namespace)::f(int)",
                "ns::(anonymous namespace)::f",
            ),
            (
                "main::{lambda(int)#1}::operator()(int) const",
                "main::{lambda(int)#1}::operator()",
            ),
            ("operator new(unsigned long)", "operator new"),
            (
                "Foo::operator unsigned long() const",
                "Foo::operator unsigned long",
            ),
            (
                "bool operator<(A const&, A const&)",
                "operator<(A const&, A const&)",
            ),
            ("decltype(auto) ns::f(int)", "ns::f"),
            (
                "<my::T as core::fmt::Debug>::fmt",
                "<my::T as core::fmt::Debug>::fmt",
            ),
            (
                "core::ptr::drop_in_place::<fn(u8) -> u8>",
                "core::ptr::drop_in_place::<fn(u8) -> u8>",
            ),
            ("net/http.(*Client).Do", "net/http.(*Client).Do"),
            ("", ""),
        ] {
            assert_eq!(without_parameters(function), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_name(text in "[a-z_<>(){}:&* .\\-ü]{0,40}") {
            prop_assert!(text.contains(without_parameters(&text)));
            root(&text);
        }
    }
}
