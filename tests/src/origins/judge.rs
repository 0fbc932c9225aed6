//! What was told of a site against what is true of it. Pure: findings and the truth come in as
//! values.

use std::fmt;

use super::{
    names::is_one_of,
    site::Site,
    stack::{Frame, Stack},
};

/// How good it is. The worse, the greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Function, and line where there is debug information, are those of the leak.
    Right,
    /// Nothing wrong is told, but not the place either; with the reason.
    Unnamed(String),
    /// Not told with its full count.
    Missing(String),
    /// Something is told that is not so.
    Wrong(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right => formatter.write_str("right"),
            Self::Unnamed(reason) => write!(formatter, "unnamed: {reason}"),
            Self::Missing(reason) => write!(formatter, "MISSING: {reason}"),
            Self::Wrong(reason) => write!(formatter, "WRONG: {reason}"),
        }
    }
}

/// One finding of a site.
#[derive(Clone, Debug)]
pub struct Told {
    /// How many descriptors.
    pub count: u64,
    /// Where they were acquired.
    pub stack: Option<Stack>,
}

/// What is known of a site beside what is declared.
#[derive(Clone, Copy)]
pub struct Truth<'a> {
    /// Number of the marked line.
    pub line: Option<u64>,
    /// Whether a frame lies in a file of the site.
    pub is_own: &'a dyn Fn(&Frame) -> bool,
    /// Whether the named function is at the address, by the symbols of the file.
    pub is_true: &'a dyn Fn(&Frame) -> bool,
}

impl fmt::Debug for Truth<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Truth {{ line: {:?} }}", self.line)
    }
}

/// The worst that can be said of the findings of a site.
pub fn judge(site: &Site, told: &[Told], truth: Truth<'_>) -> Verdict {
    let count: u64 = told.iter().map(|told| told.count).sum();
    let missing = (count != site.count)
        .then(|| Verdict::Missing(format!("{count} of {} descriptors", site.count)));
    let each = told
        .iter()
        .map(|told| judge_stack(site, told.stack.as_ref(), truth));
    each.chain(missing).max().unwrap_or(Verdict::Right)
}

fn judge_stack(site: &Site, stack: Option<&Stack>, truth: Truth<'_>) -> Verdict {
    let Some(stack) = stack else {
        return Verdict::Unnamed("no stack".to_owned());
    };
    let checks = [
        false_name(stack, truth),
        false_chain(site, stack, truth),
        application(site, stack, truth),
    ];
    checks.into_iter().max().unwrap_or(Verdict::Right)
}

fn false_name(stack: &Stack, truth: Truth<'_>) -> Verdict {
    let lie = stack.frames.iter().find(|frame| !(truth.is_true)(frame));
    lie.map_or(Verdict::Right, |frame| {
        let module = frame.module_name().unwrap_or("?");
        Verdict::Wrong(format!(
            "{} is not at {module}+{:#x}",
            shown(frame),
            frame.offset
        ))
    })
}

/// The program's own frames are the declared ones, in their order. Where the end is told, none is
/// left out.
fn false_chain(site: &Site, stack: &Stack, truth: Truth<'_>) -> Verdict {
    let own: Vec<_> = stack
        .frames
        .iter()
        .filter(|frame| (truth.is_own)(frame))
        .collect();
    let nameless = own.iter().any(|frame| frame.function.is_none());
    let mut seen = 0;
    let mut skipped: Vec<&str> = Vec::new();
    for frame in own {
        let Some(name) = frame.function.as_deref() else {
            continue;
        };
        let rest = site.chain.get(seen..).unwrap_or_default();
        let last = seen.checked_sub(1).and_then(|last| site.chain.get(last));
        match rest.iter().position(|wanted| is_declared(name, wanted)) {
            _ if last.is_some_and(|last| repeats(name, last)) => {}
            Some(before) => {
                skipped.extend(&rest[..before]);
                seen += before + 1;
            }
            None if site.is_library(frame) => {}
            None => return Verdict::Wrong(format!("{name} is not where it is told")),
        }
    }
    skipped.extend(&site.chain[seen..]);
    let whole = stack.complete && site.named && !nameless;
    if whole && !skipped.is_empty() {
        return Verdict::Wrong(format!("complete, but without {skipped:?}"));
    }
    Verdict::Right
}

/// Whether a function that calls itself is told once more.
fn repeats(name: &str, last: &str) -> bool {
    last.ends_with('*') && is_declared(name, last)
}

fn is_declared(name: &str, wanted: &str) -> bool {
    is_one_of(name, wanted.trim_end_matches('*'))
}

/// The frame that is called the place of the leak.
fn application(site: &Site, stack: &Stack, truth: Truth<'_>) -> Verdict {
    let Some(frame) = stack.application() else {
        return Verdict::Unnamed("no application frame".to_owned());
    };
    let Some(function) = &frame.function else {
        return Verdict::Unnamed(shown(frame));
    };
    if !site.right.is_empty() && !is_declared(function, site.right) {
        return Verdict::Wrong(format!("it is {}", site.right));
    }
    line(site, frame, truth)
}

fn line(site: &Site, frame: &Frame, truth: Truth<'_>) -> Verdict {
    let (Some((file, _)), Some(wanted)) = (site.mark, truth.line) else {
        return Verdict::Right;
    };
    match (frame.file_name(), frame.line) {
        (Some(name), Some(line)) if name == file && line == wanted => Verdict::Right,
        (None, None) => Verdict::Unnamed(format!("no line, it is {file}:{wanted}")),
        _ => Verdict::Wrong(format!("it is {file}:{wanted}")),
    }
}

/// A frame in few words.
pub fn shown(frame: &Frame) -> String {
    let Frame {
        function,
        line,
        offset,
        ..
    } = frame;
    let module = frame.module_name().unwrap_or("?");
    let name = function
        .clone()
        .unwrap_or_else(|| format!("{module}+{offset:#x}"));
    match (frame.file_name(), line) {
        (Some(file), Some(line)) => format!("{name} {file}:{line}"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::origins::recipe::{Recipe, Tool};

    const CHAIN: &[&str] = &["leak", "descend*", "main"];

    fn site() -> Site {
        Site::new("chain", Recipe::new(Tool::Gcc, "chain.c", "-O2"), CHAIN)
    }

    /// A frame of the program, or of libc where the name begins with a hyphen.
    fn frame(name: &str) -> Value {
        match name.strip_prefix('-') {
            Some(name) => json!({"function": name, "module": "/lib/libc.so.6", "offset": "0x1"}),
            None if name.is_empty() => json!({"module": "/chain", "offset": "0x1"}),
            None => json!({"function": name, "module": "/chain", "offset": "0x1"}),
        }
    }

    /// Names, where the one with `*` before it is called the application's first.
    fn told(complete: bool, names: &[&str]) -> Vec<Told> {
        let frames = names.iter().map(|name| {
            let mut frame = frame(name.trim_start_matches('*'));
            frame["application"] = json!(name.starts_with('*'));
            frame
        });
        let frames: Vec<_> = frames.collect();
        let line = json!({"memguard": {"stack": {"complete": complete, "frames": frames}}});
        vec![Told {
            count: 3,
            stack: Stack::of(&line),
        }]
    }

    fn verdict(site: &Site, told: &[Told]) -> &'static str {
        let truth = Truth {
            line: site.mark.map(|_| 10),
            is_own: &|frame| frame.module_name() == Some("chain"),
            is_true: &|frame| frame.function.as_deref() != Some("lie"),
        };
        match judge(site, told, truth) {
            Verdict::Right => "right",
            Verdict::Unnamed(_) => "unnamed",
            Verdict::Missing(_) => "missing",
            Verdict::Wrong(_) => "wrong",
        }
    }

    /// The declared chain, with libraries around it and as much of it as there is.
    #[test]
    fn what_is_so_is_right() {
        let check = |complete, names: &[&str], expected| {
            assert_eq!(
                verdict(&site(), &told(complete, names)),
                expected,
                "{names:?}"
            );
        };
        check(
            true,
            &["-open64", "*leak", "descend", "main", "-start", "_start"],
            "right",
        );
        check(
            true,
            &["*leak", "descend", "descend", "descend", "main"],
            "right",
        );
        check(true, &["*leak.constprop.0", "descend", "main"], "right");
        check(false, &["-open64", "*leak"], "right");
        check(false, &["-open64", "*leak", "descend", "descend"], "right");
        check(false, &["-open64", "-", "*leak", "main"], "right");
    }

    /// Where nothing is known nothing has to be told.
    #[test]
    fn nothing_told_is_nothing_wrong() {
        let check = |told: &[Told], expected| assert_eq!(verdict(&site(), told), expected);
        check(&told(false, &["-open64"]), "unnamed");
        check(&told(false, &["-open64", "*"]), "unnamed");
        check(&told(true, &["*", "descend", "main"]), "unnamed");
        check(
            &[Told {
                count: 3,
                stack: None,
            }],
            "unnamed",
        );
        check(&[], "missing");
        check(
            &[Told {
                count: 2,
                stack: None,
            }],
            "missing",
        );
    }

    /// Other functions, the right ones in another order, and gaps.
    #[test]
    fn what_is_not_so_is_wrong() {
        let check = |complete, names: &[&str]| {
            assert_eq!(
                verdict(&site(), &told(complete, names)),
                "wrong",
                "{names:?}"
            );
        };
        check(false, &["*descend", "main"]);
        check(false, &["*bystander", "descend", "main"]);
        check(false, &["*leak", "bystander"]);
        check(false, &["*leak", "main", "descend"]);
        check(false, &["*leak", "leak"]);
        check(false, &["*leak", "descend", "-lie"]);
        check(true, &["*leak", "main"]);
        check(true, &["-open64", "*leak", "descend"]);
    }

    /// The worst of several findings counts.
    #[test]
    fn two_findings_of_one_site() {
        let one = |names: &[&str]| Told {
            count: 1,
            ..told(false, names).remove(0)
        };
        let two = |names: &[&str]| Told {
            count: 2,
            ..told(false, names).remove(0)
        };
        assert_eq!(
            verdict(&site(), &[one(&["*leak"]), two(&["*leak", "main"])]),
            "right"
        );
        assert_eq!(
            verdict(&site(), &[one(&["*leak"]), two(&["-open64"])]),
            "unnamed"
        );
        assert_eq!(
            verdict(&site(), &[one(&["*main"]), two(&["-open64"])]),
            "wrong"
        );
    }

    /// With debug information the line has to be that of the mark.
    #[test]
    fn lines_are_compared() {
        let site = site().at("chain.c", "LEAK");
        let check = |place: Value, expected| {
            let mut leak = frame("leak");
            leak["application"] = json!(true);
            leak["file"] = place[0].clone();
            leak["line"] = place[1].clone();
            let line = json!({"memguard": {"stack": {"complete": false, "frames": [leak]}}});
            let told = [Told {
                count: 3,
                stack: Stack::of(&line),
            }];
            assert_eq!(verdict(&site, &told), expected, "{place}");
        };
        check(json!(["/src/programs/origins/chain.c", 10]), "right");
        check(json!([null, null]), "unnamed");
        check(json!(["/src/programs/origins/chain.c", 11]), "wrong");
        check(json!(["/src/programs/origins/other.c", 10]), "wrong");
    }
}
