use std::sync::Arc;

use super::*;
use crate::model::{
    finding::{Handle, Sample, Site},
    origin::{Module, NamedStack, Origin, StackId},
    process::ProcessInfo,
    resource::Kind,
    testing,
};

fn frame(module: &str, function: Option<&str>) -> NamedFrame {
    NamedFrame {
        ip: 0x10,
        module: Some(Arc::new(Module {
            path: module.into(),
            build_id: None,
        })),
        offset: 0x10,
        function: function.map(Into::into),
        file: None,
        line: None,
        inlined: false,
        application: true,
    }
}

/// A leak of files that `pool::get` in `/usr/bin/api` opened by way of a library.
fn leak() -> Finding {
    let frames = vec![
        frame("/lib/libio.so.2", Some("operator new(unsigned long)")),
        frame("/usr/bin/api", Some("pool::get")),
        frame("/usr/bin/api", None),
    ];
    let stack = NamedStack {
        id: StackId(1),
        frames,
        incomplete: None,
        interpreter: None,
    };
    let sample = |target: Option<&str>| Sample {
        handle: Handle::Descriptor(3),
        acquired_at: None,
        age: None,
        call: None,
        target: target.map(str::to_owned),
    };
    let finding = testing::finding(Verdict::Leak, 3);
    Finding {
        kind: Kind::File,
        process: Arc::new(ProcessInfo {
            name: Some("api-worker".to_owned()),
            executable: Some("/usr/bin/api".to_owned()),
            ..(*finding.process).clone()
        }),
        origin: Some(Origin {
            stack: Arc::new(stack),
            place: None,
            topic: None,
        }),
        samples: [Some("/tmp/a.lock"), Some("/tmp/b.lock"), None]
            .map(sample)
            .into(),
        ..finding
    }
}

fn suppresses(rule: &str, finding: &Finding) -> bool {
    let rules = Rules::parse("test", rule).expect(rule);
    rules.matching(finding) == Some(0)
}

#[test]
fn every_condition_of_a_rule_must_hold() {
    for (rule, expected) in [
        ("leak", true),
        ("any", true),
        ("left", false),
        ("any function=pool::get", true),
        ("any function=pool", false),
        ("any function=\"operator new(*\"", true),
        ("any kind=file", true),
        ("any kind=fd", true),
        ("any kind=tcp", false),
        ("any path=/tmp/*.lock", true),
        ("any path=/tmp/a*", false),
        ("any module=libio.so.*", true),
        ("any module=/usr/bin/*", true),
        ("any module=bin", false),
        ("any command=api", true),
        ("any command=api-w*", true),
        ("any command=/usr/bin/a??", true),
        ("any command=worker", false),
        (
            "leak function=pool::* kind=file path=* module=api command=*",
            true,
        ),
        (
            "leak function=pool::* kind=file path=* module=api command=x",
            false,
        ),
    ] {
        assert_eq!(suppresses(rule, &leak()), expected, "{rule}");
    }
}

#[test]
fn what_is_not_known_follows_no_pattern() {
    let mut finding = leak();
    (finding.origin, finding.samples) = (None, Vec::new());
    for rule in ["any function=*", "any path=*", "any module=*"] {
        assert!(!suppresses(rule, &finding), "{rule}");
    }
}

#[test]
fn memory_that_grows_is_from_its_largest_site() {
    let site = |place: &str| Site {
        place: Some(place.to_owned()),
        kind: Kind::Brk,
        bytes: 1,
        count: 1,
    };
    let finding = Finding {
        sites: ["remember (cache.c:12)", "forget (cache.c:30)"]
            .map(site)
            .into(),
        origin: None,
        ..leak()
    };
    assert!(suppresses("any function=remember", &finding));
    assert!(!suppresses("any function=forget", &finding));
}

#[test]
fn the_first_rule_that_fits_counts() {
    let text = "# ours\nleft\n\nleak kind=file # known\nany\n";
    let mut rules = Rules::parse("api.supp", text).expect("it is good");
    let rule = rules.matching(&leak()).expect("it fits");
    rules.count(rule, &leak(), true);
    let uses: Vec<_> = rules
        .uses()
        .iter()
        .map(|it| (&*it.place, &*it.rule, it.count, it.findings.len()))
        .collect();
    let expected = [
        ("api.supp:2", "left", 0, 0),
        ("api.supp:4", "leak kind=file # known", 1, 1),
        ("api.supp:5", "any", 0, 0),
    ];
    assert_eq!(uses, expected);
    rules.uncount(rule, leak().id);
    assert_eq!(
        (rules.uses()[1].count, rules.uses()[1].findings.len()),
        (0, 0)
    );
}

#[test]
fn mistakes_name_file_and_line() {
    let error = Rules::parse("api.supp", "leak\n\nleek\n").expect_err("a mistake");
    assert!(
        error.starts_with("api.supp:3: \"leek\" is no verdict; expected any, leak"),
        "{error}"
    );
}
