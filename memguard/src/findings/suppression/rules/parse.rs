//! A line of a file of suppressions.

use super::{Key, Rule, glob};
use crate::model::{finding::Verdict, resource::Kind};

const EXPECTED: &str = "expected VERDICT, then any of function=, kind=, path=, module=, \
                        command=, call=, fd= and max=, each once";

/// The rule of a line, none where it is blank or a comment; else what was expected.
pub(super) fn rule(line: &str) -> Result<Option<Rule>, String> {
    let words = words(line)?;
    let Some((first, rest)) = words.split_first() else {
        return Ok(None);
    };
    let mut rule = Rule {
        verdict: verdict(first)?,
        conditions: Vec::new(),
        max: None,
    };
    for word in rest {
        let second = || format!("{word:?} is the second of its kind; {EXPECTED}");
        if let Some(number) = word.strip_prefix("max=") {
            let before = rule.max.replace(max(number)?);
            before.map_or(Ok(()), |_| Err(second()))?;
            continue;
        }
        let condition = condition(word)?;
        if rule.conditions.iter().any(|(key, _)| *key == condition.0) {
            return Err(second());
        }
        rule.conditions.push(condition);
    }
    Ok(Some(rule))
}

/// Most handles of one process.
fn max(number: &str) -> Result<u64, String> {
    let parsed = number.parse().ok().filter(|max| *max > 0);
    parsed.ok_or_else(|| format!("{number:?} is no number of handles; expected max=1 or more"))
}

fn verdict(word: &str) -> Result<Option<Verdict>, String> {
    if word == "any" {
        return Ok(None);
    }
    let names = Verdict::ALL.map(Verdict::name).join(", ");
    let expected = || format!("{word:?} is no verdict; expected any, {names}");
    Verdict::named(word).map(Some).ok_or_else(expected)
}

fn condition(word: &str) -> Result<(Key, String), String> {
    let expected = || format!("{word:?} is no condition; {EXPECTED}");
    let (name, glob) = word.split_once('=').ok_or_else(expected)?;
    let key = Key::ALL.into_iter().find(|(_, known)| *known == name);
    let (key, _) = key.ok_or_else(expected)?;
    if glob.is_empty() {
        return Err(format!("{word:?} is empty; expected {name}=GLOB"));
    }
    if key == Key::Kind && !is_kind(glob) {
        let why = "expected kind=GLOB that fits a kind or resource, as tcp, file, socket or heap";
        return Err(format!("{glob:?} is no kind; {why}"));
    }
    Ok((key, glob.to_owned()))
}

fn is_kind(glob: &str) -> bool {
    let names = |kind: &Kind| [kind.name(), kind.resource().name()];
    let mut names = Kind::ALL.iter().flat_map(names);
    names.any(|name| glob::matches(glob, name))
}

/// Words between blanks, up to a comment; within double quotes blanks and `#` are letters.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let (mut word, mut quoted) = (None::<String>, false);
    for char in line.chars() {
        match char {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if !quoted && word.is_none() => break,
            char if char.is_whitespace() && !quoted => words.extend(word.take()),
            char => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    let expected = || "a quote is not closed; expected another \"".to_owned();
    (!quoted).then_some(words).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_rules_or_nothing() {
        for (line, expected) in [
            ("", None),
            ("   ", None),
            ("# leak kind=tcp", None),
            ("  # indented", None),
            ("leak", Some((Some(Verdict::Leak), vec![]))),
            ("any # all of them", Some((None, vec![]))),
            (
                "left kind=file path=/tmp/#1",
                Some((
                    Some(Verdict::Left),
                    vec![(Key::Kind, "file"), (Key::Path, "/tmp/#1")],
                )),
            ),
            (
                "\tgrowth\tcommand=api   module=libc.so.*  # why",
                Some((
                    Some(Verdict::Growth),
                    vec![(Key::Command, "api"), (Key::Module, "libc.so.*")],
                )),
            ),
            (
                "any function=\"operator new(* #1)\" path=a=b",
                Some((
                    None,
                    vec![(Key::Function, "operator new(* #1)"), (Key::Path, "a=b")],
                )),
            ),
            ("any kind=socket", Some((None, vec![(Key::Kind, "socket")]))),
            ("any kind=*fd", Some((None, vec![(Key::Kind, "*fd")]))),
        ] {
            let expected = expected.map(|(verdict, conditions)| Rule {
                max: None,
                verdict,
                conditions: conditions
                    .into_iter()
                    .map(|(key, glob)| (key, glob.to_owned()))
                    .collect(),
            });
            assert_eq!(rule(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn a_rule_may_have_a_maximum() {
        let rule = rule("left call=fcntl max=2 fd=10").expect("it is good");
        let rule = rule.expect("a rule");
        assert_eq!((rule.max, rule.conditions.len()), (Some(2), 2));
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (line, expected) in [
            (
                "leek",
                "\"leek\" is no verdict; expected any, leak, exhaustion, growth,",
            ),
            ("function=main", "\"function=main\" is no verdict"),
            (
                "leak main",
                "\"main\" is no condition; expected VERDICT, then any of",
            ),
            ("leak fn=main", "\"fn=main\" is no condition"),
            (
                "leak function=",
                "\"function=\" is empty; expected function=GLOB",
            ),
            ("leak kind=tpc", "\"tpc\" is no kind; expected kind=GLOB"),
            (
                "leak kind=tcp kind=udp",
                "\"kind=udp\" is the second of its kind",
            ),
            ("leak path=\"/tmp", "a quote is not closed"),
            (
                "left max=0",
                "\"0\" is no number of handles; expected max=1",
            ),
            ("left max=many", "\"many\" is no number of handles"),
            ("left max=1 max=2", "\"max=2\" is the second of its kind"),
        ] {
            let error = rule(line).expect_err(line);
            assert!(error.starts_with(expected), "{line}: {error}");
        }
    }
}
