//! Stacks that are longer than the usual window: more of them is copied where that happens again
//! and again, and says which of the callers it was.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::time::Duration;

use memguard_tests::{Lines, Memguard, finding::listed, machine, program, text};
use serde_json::Value;

/// To a suspicion, on a host that is busy.
const SUSPECTED: Duration = Duration::from_secs(90);

/// What is told of `deep_stack` until it is told with `enough`.
fn told_of(arguments: &[&str], enough: impl Fn(&Told<'_>) -> bool) -> Lines {
    let deep = Memguard::program(program("deep_stack").as_ref(), arguments).start();
    let options = ["-p", &deep.pid().to_string(), "-i", "2s", "-d", "5m"];
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(SUSPECTED, "a suspicion with its callers", |lines| {
        Told::of(lines).is_some_and(|told| enough(&told))
    })
}

/// The last that is told.
struct Told<'a> {
    functions: Vec<&'a str>,
    complete: bool,
    reason: Option<&'a str>,
}

impl<'a> Told<'a> {
    fn of(lines: &'a Lines) -> Option<Self> {
        let last = lines.finding_lines().pop()?;
        let stack = last.0.pointer("/memguard/stack")?;
        let frames = stack["frames"].as_array()?;
        Some(Self {
            functions: frames
                .iter()
                .filter_map(|frame| frame["function"].as_str())
                .collect(),
            complete: stack["complete"] == Value::Bool(true),
            reason: stack["reason"].as_str(),
        })
    }

    fn has(&self, function: &str) -> bool {
        self.functions.contains(&function)
    }
}

/// Three frames of 3 KiB fill the window; of the two callers one closes what it gets.
#[test]
fn the_caller_that_forgets_is_told_and_not_the_one_that_closes() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let lines = told_of(&[], |told| told.complete);
    let findings = lines.finding_lines();
    println!("{}", listed(&findings));
    let told = Told::of(&lines).expect("it is told");
    assert!(
        told.has("forgets") && told.has("main"),
        "{:?}",
        told.functions
    );
    for finding in findings {
        let frames = finding.0.pointer("/memguard/stack/frames").unwrap();
        assert!(!frames.to_string().contains("\"closes\""), "{frames}");
        assert!(text(finding.0, "/body").contains("inner (deep_stack.c:"));
    }
}

/// Where both forget, what is told is what they have in common.
#[test]
fn of_two_that_forget_only_what_they_share_is_told() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let lines = told_of(&["both"], |told| told.has("outer"));
    let told = Told::of(&lines).expect("it is told");
    assert_eq!(
        told.functions.last(),
        Some(&"outer"),
        "{:?}",
        told.functions
    );
    assert!(!told.complete);
    assert_eq!(told.reason, Some("from here on the callers differ"));
}

/// One site, however deep the recursion is that it lies below: each depth has a stack of its own.
#[test]
fn a_recursion_is_one_site_whatever_its_depth() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::run(&["--fail-on", "leak"], &[&program("recursion")]).finish();
    let lines = ran.lines();
    let findings = lines.latest_findings();
    println!("{}", listed(&findings));
    let [told] = findings.as_slice() else {
        panic!("not one finding: {}", listed(&findings));
    };
    assert_eq!((told.verdict(), told.open_count()), ("leak", 60));
    assert!(text(told.0, "/body").contains("walk (recursion.c:"));
    assert_eq!(ran.code, 23, "{}", ran.output());
}
