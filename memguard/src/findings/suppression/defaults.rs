//! Built-in suppressions: what runtimes keep open to their end on purpose.
//!
//! Each rule is of what was left at an exit, is as narrow as the origin allows, and has a maximum:
//! a leak by the same program is more, or is from elsewhere.

use super::Rules;

/// The rules, as they can be read by people and in a file of one's own.
pub const TEXT: &str = include_str!("defaults.supp");

/// What they are called where it is said which rule was used.
const NAME: &str = "built-in";

/// The rules; what cannot be read suppresses nothing, and fails a test.
pub fn rules() -> Rules {
    Rules::parse(NAME, TEXT).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{
        finding::{Finding, Handle, Moment, Sample, Verdict},
        origin::{Module, NamedFrame, NamedStack, Origin, StackId},
        resource::{Call, Kind},
        testing,
    };

    fn frame(function: &str, module: &str) -> NamedFrame {
        NamedFrame {
            ip: 0x10,
            module: Some(Arc::new(Module {
                path: module.into(),
                build_id: None,
            })),
            offset: 0x10,
            function: Some(function.into()),
            file: None,
            line: None,
            inlined: false,
            application: true,
        }
    }

    /// Descriptors that bash made by `dup2` in this function.
    fn of_bash(verdict: Verdict, function: &str, fds: &[u32]) -> Finding {
        let stack = NamedStack {
            id: StackId(1),
            frames: ["dup2", function, "main"]
                .map(|it| frame(it, "/usr/bin/bash"))
                .into(),
            incomplete: None,
            interpreter: None,
        };
        let sample = |fd: &u32| Sample {
            handle: Handle::Descriptor(*fd),
            acquired_at: None,
            age: None,
            call: Some(Call::Dup2),
            target: None,
        };
        Finding {
            kind: Kind::File,
            moment: Moment::Exit,
            calls: vec![Call::Dup2],
            samples: fds.iter().map(sample).collect(),
            origin: Some(Origin {
                stack: Arc::new(stack),
                place: None,
                topic: None,
            }),
            ..testing::finding(verdict, fds.len() as u64)
        }
    }

    #[test]
    fn a_shell_may_keep_its_script_and_nothing_else() {
        let high = "move_to_high_fd";
        for (finding, expected, why) in [
            (of_bash(Verdict::Left, high, &[255]), true, "its script"),
            (of_bash(Verdict::Left, high, &[255, 254]), false, "two"),
            (of_bash(Verdict::Left, high, &[7]), false, "another number"),
            (
                of_bash(Verdict::Left, "do_redirections", &[255]),
                false,
                "a redirection",
            ),
            (of_bash(Verdict::Leak, high, &[255]), false, "a leak"),
        ] {
            assert_eq!(rules().matching(&finding).is_some(), expected, "{why}");
        }
    }

    #[test]
    fn every_rule_is_of_an_exit_and_has_an_origin_and_a_maximum() {
        Rules::parse(NAME, TEXT).expect("all of them are good");
        let lines = TEXT.lines().filter(|line| !line.is_empty());
        let rules = lines.filter(|line| !line.starts_with('#'));
        let mut number = 0;
        for line in rules {
            number += 1;
            let words: Vec<_> = line.split_whitespace().collect();
            let has = |key: &str| words.iter().any(|word| word.starts_with(key));
            assert!(["left", "inherited"].contains(&words[0]), "{line}");
            assert!(has("max="), "{line}");
            assert!(has("kind=") && !has("kind=*"), "{line}");
            assert!(
                has("command=") || has("module=") || has("function="),
                "{line}"
            );
            assert!(!has("command=*") && !has("module=*"), "{line}");
        }
        assert!(number > 0);
    }

    #[test]
    fn the_version_is_said_first() {
        let first = TEXT.lines().next().unwrap_or_default();
        assert!(first.starts_with("# memguard built-in suppressions, version "));
    }
}
