//! An invariant of the BPF programs that can be read off their sources: every outcome adds to
//! exactly one counter. The paths themselves are ones that no running kernel takes.

#![cfg(test)] // so that the allowances for tests in clippy.toml reach the helpers too

use std::{
    fs,
    path::{Path, PathBuf},
};

/// After these nothing has happened yet, or they have counted themselves.
const QUESTIONS: [&str; 5] = [
    "filter::running()",
    "filter::watched(running)",
    "Caller::watched()",
    "Caller::returning()",
    "SyscallReturn::take(&context)",
];

/// A `let … = question else { otherwise }`.
#[derive(Debug)]
struct Branch {
    question: String,
    otherwise: String,
}

impl Branch {
    fn counts(&self) -> bool {
        let counts = ["count(", "lose(", "lost("];
        counts.iter().any(|call| self.otherwise.contains(call))
            || QUESTIONS.iter().any(|asked| self.question.contains(asked))
    }
}

fn branches(source: &str) -> Vec<Branch> {
    let ends = source.match_indices(" else {");
    let branch = |(at, _): (usize, &str)| {
        let statement = &source[..at];
        let begin = statement.rfind("let ")?;
        let question = statement[begin..].to_owned();
        let block = &source[at..];
        let otherwise = block[..block.find('}')?].to_owned();
        // Not an `if … else`, whose branch before ends with a brace.
        let is_let_else = !question.trim_end().ends_with('}');
        is_let_else.then_some(Branch {
            question,
            otherwise,
        })
    };
    ends.filter_map(branch).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let each = |path: PathBuf| {
        if path.is_dir() {
            sources(&path)
        } else {
            vec![path]
        }
    };
    entries.flat_map(each).collect()
}

#[test]
fn what_ends_early_is_counted() {
    let probes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../memguard-ebpf/src/probes");
    let mut seen = 0;
    for path in sources(&probes) {
        for branch in branches(&fs::read_to_string(&path).unwrap()) {
            seen += 1;
            assert!(branch.counts(), "{}: {branch:#?}", path.display());
        }
    }
    println!("{seen} branches");
    assert!(seen > 20, "{seen} branches were found");
}

#[test]
fn the_test_sees_what_is_not_counted() {
    for (source, counts) in [
        ("let Some(a) = b() else { return; };", false),
        ("let Some(a) = b() else {\n    return lose(a);\n};", true),
        ("let Some(a) = b() else { return count(C); };", true),
        ("let Some(a) = filter::running() else { return; };", true),
    ] {
        let branches = branches(source);
        assert_eq!(branches.len(), 1, "{source}");
        assert_eq!(branches[0].counts(), counts, "{source}");
    }
    assert!(branches("let a = if b { c } else { d };").is_empty());
}
