use std::sync::Arc;

use super::*;
use crate::model::{
    finding::{Handle, Sample, Site},
    origin::{Module, NamedStack, Origin, StackId},
    process::ProcessInfo,
    resource::{Call, Kind},
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
        calls: vec![Call::Openat],
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
        ("any call=openat", true),
        ("any call=open*", true),
        ("any call=dup", false),
        ("any fd=3", true),
        ("any fd=?", true),
        ("any fd=30", false),
        ("any max=3", true),
        ("any max=2", false),
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
    finding.calls = Vec::new();
    for rule in [
        "any function=*",
        "any path=*",
        "any module=*",
        "any call=*",
        "any fd=*",
    ] {
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
        .told()
        .map(|it| (&*it.place, &*it.rule, it.count, it.findings.len()))
        .collect();
    let expected = [
        ("api.supp:2", "left", 0, 0),
        ("api.supp:4", "leak kind=file # known", 1, 1),
        ("api.supp:5", "any", 0, 0),
    ];
    assert_eq!(uses, expected);
    rules.uncount(rule, leak().id);
    let known = rules.told().nth(1).expect("three rules");
    assert_eq!((known.count, known.findings.len()), (0, 0));
}

/// Findings of one end share it, those of another process have their own.
#[test]
fn a_maximum_is_of_one_process() {
    let mut rules = Rules::parse("test", "left max=5").expect("it is good");
    let of = |tgid: u32, open_count| {
        let mut finding = testing::finding(Verdict::Left, open_count);
        let mut process = (*finding.process).clone();
        process.id.tgid = tgid;
        finding.process = Arc::new(process);
        finding
    };
    for (tgid, count, expected) in [
        (1, 3, Some(0)),
        (1, 3, None),
        (1, 2, Some(0)),
        (1, 1, None),
        (2, 6, None),
        (2, 5, Some(0)),
        (3, 1, Some(0)),
    ] {
        let finding = of(tgid, count);
        let rule = rules.matching(&finding);
        assert_eq!(rule, expected, "{count} of process {tgid}");
        if let Some(rule) = rule {
            rules.count(rule, &finding, false);
        }
    }
}

#[test]
fn built_in_rules_come_last_and_are_told_where_they_were_used() {
    let parse = |name, text| Rules::parse(name, text).expect("it is good");
    let mut rules = parse("own", "left kind=dir").and_built_in(parse("built-in", "left\naged"));
    let left = testing::finding(Verdict::Left, 1);
    let rule = rules.matching(&left).expect("the first that is built in");
    rules.count(rule, &left, false);
    let told: Vec<_> = rules.told().map(|it| (&*it.place, it.count)).collect();
    assert_eq!(told, [("own:1", 0), ("built-in:1", 1)]);
}

#[test]
fn mistakes_name_file_and_line() {
    let error = Rules::parse("api.supp", "leak\n\nleek\n").expect_err("a mistake");
    assert!(
        error.starts_with("api.supp:3: \"leek\" is no verdict; expected any, leak"),
        "{error}"
    );
}
