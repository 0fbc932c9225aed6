//! Names of functions as different tools write them, brought to one form: the path alone, without
//! arguments, types and what a compiler appended.
//!
//! `int kept::leak_of<char const*, 0>(char const*)` is `kept::leak_of`, and `leak.constprop.0` is
//! `leak`. Go's `main.(*pool[...]).grow` is `main.*pool.grow`.

/// Behind one of these is what GCC, LLVM or Go added to the name of the source.
const APPENDED: [&str; 8] = [
    ".constprop",
    ".part",
    ".isra",
    ".cold",
    ".lto_priv",
    ".localalias",
    ".llvm.",
    ".abi",
];

/// Stands for the parentheses that are part of a name.
const CALL_OPERATOR: &str = "operator\u{1}";

/// The path of a function.
pub fn bare(name: &str) -> String {
    let name = name.split(" [clone").next().unwrap_or(name);
    let name = without_hash(name).replace("operator()", CALL_OPERATOR);
    let name = name
        .replace("(anonymous namespace)::", "")
        .replace("::<", "<");
    let name = self_type_first(&without_types(&name));
    let name = without(&without(&name, '(', ')'), '<', '>');
    let name = without_appended(&shortened_braces(&name)).to_owned();
    let name = name.trim_end_matches("const").trim_end();
    let last = name.rsplit(' ').next().unwrap_or(name);
    last.replace(CALL_OPERATOR, "operator()")
}

/// Whether `name` is a declared function, perhaps within namespaces; `wanted` may have several
/// names, with `|` between.
pub fn is_one_of(name: &str, wanted: &str) -> bool {
    let name = bare(name);
    wanted.split('|').any(|wanted| {
        let outer = name.strip_suffix(wanted);
        outer.is_some_and(|outer| outer.is_empty() || outer.ends_with("::"))
    })
}

/// The name without the namespaces and types around it.
pub fn last_part(name: &str) -> String {
    let name = bare(name);
    let last = name.rsplit("::").next().unwrap_or(&name);
    last.rsplit('.').next().unwrap_or(last).to_owned()
}

/// Go's types of generic functions are left out, and the parentheses of pointers.
fn without_types(name: &str) -> String {
    let name = match (name.find('['), name.rfind(']')) {
        (Some(open), Some(close)) if open + 1 < close && open > 0 && !name.contains("::") => {
            format!("{}{}", &name[..open], &name[close + 1..])
        }
        _ => name.to_owned(),
    };
    match name.split_once(".(*") {
        Some((package, method)) => format!("{package}.*{}", method.replacen(')', "", 1)),
        None => name,
    }
}

/// Rust's older mangling ends in a hash.
fn without_hash(name: &str) -> &str {
    let Some((path, hash)) = name.rsplit_once("::h") else {
        return name;
    };
    let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { path } else { name }
}

/// Rust's `<kept::Place as kept::Take>::take` is the `take` of `kept::Place`.
fn self_type_first(name: &str) -> String {
    let closes = closing(name, '<', '>');
    let (Some(closes), true) = (closes, name.starts_with('<')) else {
        return name.to_owned();
    };
    let (within, rest) = (&name[1..closes], &name[closes + 1..]);
    let own = within.split(" as ").next().unwrap_or(within);
    format!("{}{rest}", self_type_first(own))
}

/// Where the first bracket is closed again.
fn closing(name: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_u32;
    for (place, letter) in name.char_indices() {
        if letter == open {
            depth += 1;
        } else if letter == close && depth > 0 {
            depth -= 1;
            if depth == 0 {
                return Some(place);
            }
        }
    }
    None
}

fn without(name: &str, open: char, close: char) -> String {
    let mut depth = 0_u32;
    let mut kept = String::new();
    for letter in name.chars() {
        if letter == open {
            depth += 1;
        } else if letter == close && depth > 0 {
            depth -= 1;
        } else if depth == 0 {
            kept.push(letter);
        }
    }
    kept
}

/// `{lambda#1}`, `{closure#0}` and `{{closure}}` keep the word alone.
fn shortened_braces(name: &str) -> String {
    let mut short = String::new();
    let mut in_number = false;
    for letter in name.chars() {
        in_number = letter != '}' && (in_number || (letter == '#' && short.contains('{')));
        let doubled = matches!(letter, '{' | '}') && short.ends_with(letter);
        if !in_number && !doubled {
            short.push(letter);
        }
    }
    short
}

fn without_appended(name: &str) -> &str {
    let ends = APPENDED.iter().filter_map(|appended| name.find(appended));
    ends.min().map_or(name, |end| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::{bare, is_one_of};

    #[test]
    fn all_spellings_have_one_form() {
        let check = |name: &str, expected: &str| assert_eq!(bare(name), expected, "{name}");
        check("leak", "leak");
        check("leak.constprop.0", "leak");
        check("leak.part.0.isra.0", "leak");
        check("kept::handles() [clone .cold]", "kept::handles");
        check("leak(int, char const*)", "leak");
        check(
            "int kept::leak_of<char const*, 0>(char const*)",
            "kept::leak_of",
        );
        check("kept::File::size() const", "kept::File::size");
        check("kept::Guard::~Guard()", "kept::Guard::~Guard");
        check(
            "(anonymous namespace)::Registry::Registry()",
            "Registry::Registry",
        );
        check(
            "kept::calls_lambda()::{lambda(char const*)#1}::operator()(char const*) const",
            "kept::calls_lambda::{lambda}::operator()",
        );
        check("operator()", "operator()");
        check(
            "kept::closes_over::{{closure}}",
            "kept::closes_over::{closure}",
        );
        check("kept::awaited::{closure#0}", "kept::awaited::{closure}");
        check("kept::opens::h0123456789abcdef", "kept::opens");
        check("kept::generic::<alloc::string::String>", "kept::generic");
        check("<kept::Place as kept::Take>::take", "kept::Place::take");
        check(
            "<alloc::boxed::Box<F,A> as core::ops::Fn<()>>::call",
            "alloc::boxed::Box::call",
        );
        check("main._Cfunc_crossed.abi0", "main._Cfunc_crossed");
        check("main.inGoroutine.func1", "main.inGoroutine.func1");
        check("main.(*store).take", "main.*store.take");
        check("main.(*pool[...]).grow", "main.*pool.grow");
        check("main.generic[go.shape.string]", "main.generic");
    }

    #[test]
    fn namespaces_may_be_left_out() {
        assert!(is_one_of("kept::opens", "opens"));
        assert!(is_one_of("opens(int)", "closes|opens"));
        assert!(!is_one_of("reopens", "opens"));
        assert!(!is_one_of("opens", "kept::opens"));
    }
}
