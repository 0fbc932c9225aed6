use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    findings::scoring,
    model::finding::{Finding, State, Verdict},
    output::{
        testing,
        wire::{self, EventName},
    },
};

fn read_all(text: &[u8]) -> Result<(Vec<Recorded>, Reading), ReadError> {
    let mut recorded = Vec::new();
    let reading = read(text, |line| recorded.push(line))?;
    Ok((recorded, reading))
}

fn findings(text: &str) -> Vec<Finding> {
    let (recorded, reading) = read_all(text.as_bytes()).expect("it can be read");
    assert_eq!(reading.bad, 0, "{:?}", reading.complaints);
    let finding = |line: Recorded| match line.report {
        Some(Report::Finding(finding)) => Some(*finding),
        _ => None,
    };
    recorded.into_iter().filter_map(finding).collect()
}

/// What the golden lines were written from.
fn written() -> Vec<Finding> {
    let finding = |report: Report| match report {
        Report::Finding(finding) => Some(*finding),
        _ => None,
    };
    testing::reports().into_iter().filter_map(finding).collect()
}

/// A finding says the same after it has been written and read: the same sentence, place, handles.
#[test]
fn findings_come_back_as_they_were() {
    let read = findings(&testing::golden_lines().join("\n"));
    let written = written();
    assert_eq!(read.len(), written.len());
    for (read, written) in read.iter().zip(&written) {
        let told = |finding: &Finding| {
            let Finding {
                id,
                fingerprint,
                state,
                verdict,
                kind,
                open_count,
                open_bytes,
                verified,
                limit,
                ..
            } = finding.clone();
            let numbers = (id, fingerprint, open_count, open_bytes, verified);
            let words = (
                finding.origin_text(),
                finding.process.label(),
                finding.calls.clone(),
            );
            let handles: Vec<_> = finding
                .samples
                .iter()
                .map(|it| (it.handle.to_string(), it.age, it.call, it.target.clone()))
                .collect();
            let sites = finding.sites.clone();
            (
                numbers,
                words,
                (state, verdict, kind, limit),
                handles,
                sites,
            )
        };
        assert_eq!(told(read), told(written));
        assert_eq!(read.growth, written.growth);
    }
}

/// Whoever reads a finding can weigh it again: every number that its confidence and severity are
/// made of is in the line.
#[test]
fn what_a_finding_is_weighed_by_is_in_its_line() {
    let read = findings(&testing::golden_lines().join("\n"));
    let written = written();
    let weigh = |finding: &Finding| (scoring::confidence(finding), scoring::severity(finding));
    for (read, written) in read.iter().zip(written) {
        assert_eq!(weigh(read), weigh(&written), "{:?}", written.verdict);
        let (moment, resolution) = (written.moment, written.resolution);
        assert_eq!((read.moment, read.resolution), (moment, resolution));
        assert_eq!((read.lives, read.alert), (written.lives, written.alert));
    }
}

#[test]
fn summaries_come_back_as_they_were() {
    let (recorded, _) = read_all(testing::golden_lines().join("\n").as_bytes()).expect("good");
    let summary = recorded.iter().find_map(|line| match &line.report {
        Some(Report::Stopped(summary)) => Some(summary),
        _ => None,
    });
    let summary = summary.expect("the run's");
    assert_eq!((summary.left, summary.processes_judged), (16, 41));
    assert_eq!(summary.exit.as_ref().map(|exit| exit.code), Some(23));
    assert_eq!(recorded[0].host, "node-7");
    assert_eq!(recorded[0].time, "2026-11-20 22:07:10 UTC");
}

fn golden(event: &str) -> Value {
    let lines = testing::golden_lines();
    let line = lines.iter().find(|line| line.contains(event)).expect(event);
    serde_json::from_str(line).expect("a line is JSON")
}

#[test]
fn bad_lines_are_named_and_cost_nothing_but_themselves() {
    let good = golden("finding.opened").to_string();
    let without = |path: &str, value: Value| {
        let mut line = golden("finding.opened");
        *line.pointer_mut(path).expect(path) = value;
        line.to_string()
    };
    for (line, expected) in [
        ("nonsense".to_owned(), "is not valid JSON at column 2"),
        (
            good[..good.len() / 2].to_owned(),
            "ends in the middle of an object",
        ),
        ("[1,2]".to_owned(), "has no schema_version"),
        ("{}".to_owned(), "has no schema_version"),
        ("\"x\"".to_owned(), "has no schema_version"),
        (
            without("/schema_version", json!("new")),
            "has an invalid schema_version: new",
        ),
        (
            without("/memguard/finding/verdict", json!("\u{1b}[2J")),
            "has an unknown verdict: \"\\\\u{1b}[2J\"",
        ),
        (
            without("/memguard/finding/resource", json!("gpu")),
            "has an unknown resource: \"gpu\"",
        ),
        (
            without("/memguard/finding/id", json!("7")),
            "has an invalid finding id: \"7\"",
        ),
        (
            without("/memguard/finding/fingerprint", json!("fp9:1")),
            "has an invalid fingerprint: \"fp9:1\"",
        ),
        (
            without("/memguard/finding/open_count", json!(-1)),
            "is not a line of memguard output: invalid value: integer `-1`, expected u64",
        ),
        (
            without("/memguard", json!(null)),
            "is not a line of memguard output: invalid type: null",
        ),
        (
            without("/process/pid", json!(null)),
            "is not a line of memguard output: missing field `pid`",
        ),
        (
            without("/process", json!(null)),
            "has a finding without a process",
        ),
        ("[".repeat(100_000), "is not valid JSON at column 128"),
    ] {
        let text = format!("{good}\n\n{line}\n{good}");
        let (recorded, reading) = read_all(text.as_bytes()).expect(expected);
        assert_eq!((recorded.len(), reading.bad), (2, 1), "{expected}");
        let (number, why) = &reading.complaints[0];
        assert_eq!(*number, 3);
        assert!(why.starts_with(expected), "{why}");
    }
}

#[test]
fn only_the_first_bad_lines_are_named() {
    let text = "{\n".repeat(1_000) + &golden("finding.opened").to_string();
    let (_, reading) = read_all(text.as_bytes()).expect("one line is good");
    assert_eq!(
        (reading.good, reading.bad, reading.complaints.len()),
        (1, 1_000, NAMED)
    );
}

/// What was written before there were suspicions and the like, to the last line.
#[test]
fn files_of_version_1_0_are_read() {
    let text = include_str!("../golden/version-1.0.jsonl");
    assert!(
        text.lines()
            .all(|line| line.contains("\"schema_version\":\"1.0\""))
    );
    let (recorded, reading) = read_all(text.as_bytes()).expect("it can be read");
    assert_eq!(
        (reading.good, reading.bad),
        (text.lines().count() as u64, 0)
    );
    let verdicts: Vec<_> = findings(text).iter().map(|it| it.verdict).collect();
    assert!(verdicts.contains(&Verdict::Leak) && verdicts.contains(&Verdict::Left));
    let summaries = recorded.into_iter().filter_map(|line| match line.report {
        Some(Report::Stopped(summary)) => Some(*summary),
        _ => None,
    });
    let summaries: Vec<_> = summaries.collect();
    let [summary] = summaries.as_slice() else {
        panic!("one summary");
    };
    assert_eq!((summary.left, summary.left_untold), (16, None));
    assert_eq!(summary.found(Verdict::Suspect), 0);
}

#[test]
fn a_newer_format_is_refused_and_a_newer_minor_version_is_not() {
    let mut line = golden("finding.opened");
    for (version, refused) in [("0.9", false), ("1.99", false), ("2.0", true), ("11", true)] {
        line["schema_version"] = json!(version);
        let read = read_all(line.to_string().as_bytes());
        match read {
            Err(ReadError::Newer {
                line: 1,
                version: told,
            }) => assert_eq!(told, version),
            Ok(_) => assert!(!refused, "{version}"),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(refused, matches!(version, "2.0" | "11"));
    }
}

#[test]
fn a_file_of_something_else_is_refused() {
    for (text, expected) in [
        ("", "it contains no memguard output"),
        ("\n\n", "it contains no memguard output"),
        (
            "root:x:0:0\n",
            "it contains no memguard output; line 1 is not valid JSON at column 1",
        ),
    ] {
        let error = read_all(text.as_bytes()).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn unknown_fields_events_and_kinds_are_no_error() {
    let mut line = golden("finding.opened");
    line["new"] = json!({ "deep": [1] });
    line["memguard"]["finding"]["new"] = json!(1e300);
    line["memguard"]["finding"]["kind"] = json!("quic");
    line["memguard"]["finding"]["calls"] = json!(["frobnicate"]);
    line["memguard"]["finding"]["limit"]["name"] = json!("RLIMIT_NEW");
    let unheard = json!({ "schema_version": "1.7", "event_name": "memguard.unheard.of" });
    let bare = json!({
        "schema_version": "1.0", "event_name": "memguard.finding.opened",
        "process": { "pid": 1 },
        "memguard": { "finding": {
            "id": "f-1", "fingerprint": "fp1:1", "verdict": "leak", "resource": "fd", "kind": "file",
        } },
    });
    let read = findings(&format!("{unheard}\n{line}\n{bare}\n"));
    let told: Vec<_> = read
        .iter()
        .map(|it| (it.state, it.verdict, it.open_count))
        .collect();
    assert_eq!(
        told,
        [
            (State::Opened, Verdict::Leak, 214),
            (State::Opened, Verdict::Leak, 0)
        ]
    );
    assert_eq!(read[0].limit.map(|limit| limit.name), Some("a limit of"));
}

#[test]
fn null_says_no_more_than_a_field_that_is_missing() {
    let mut line = golden("finding.opened");
    for field in [
        "verified",
        "open_count",
        "calls",
        "samples",
        "alert",
        "judged",
    ] {
        line["memguard"]["finding"][field] = Value::Null;
    }
    line["memguard"]["evidence"] = Value::Null;
    line["host"] = Value::Null;
    let read = findings(&line.to_string());
    assert_eq!((read[0].open_count, read[0].verified), (0, false));
    assert!(read[0].evidence.conclusive());
}

/// Lines are read by the types that write them: what comes back is what was written.
#[test]
fn every_line_survives_reading_and_writing() {
    fn again<P: DeserializeOwned + serde::Serialize>(line: &str) -> String {
        let record: Record<P> = serde_json::from_str(line).expect(line);
        serde_json::to_string(&record).expect("it is JSON")
    }
    for line in testing::golden_lines() {
        let record: Record<Value> = serde_json::from_str(&line).expect("a line is JSON");
        let written = match record.event_name {
            EventName::AgentStarted => again::<wire::AgentStarted>(&line),
            EventName::Census => again::<wire::CensusTaken>(&line),
            EventName::FindingOpened | EventName::FindingUpdated | EventName::FindingResolved => {
                again::<wire::FindingChanged>(&line)
            }
            EventName::ThresholdCrossed => again::<wire::ThresholdCrossed>(&line),
            EventName::Mappings => again::<wire::MappingsShown>(&line),
            EventName::ProcessExited => again::<wire::ProcessExited>(&line),
            EventName::HealthChanged => again::<wire::HealthChanged>(&line),
            EventName::RunSummary | EventName::AgentStopped => again::<wire::AgentSummary>(&line),
            EventName::Unknown => panic!("{line}"),
        };
        assert_eq!(written, line);
    }
}

/// Any value in the place of another.
fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        testing::hostile_text().prop_map(Value::from),
        Just(json!([])),
        Just(json!([null, {}])),
        Just(json!({ "name": 1 })),
    ]
}

/// Puts a value somewhere into a tree.
fn spoil(tree: &mut Value, mut at: usize, value: Value) {
    let mut place = tree;
    loop {
        let length = match &place {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        };
        if length == 0 || at.is_multiple_of(5) {
            break;
        }
        let next = at / 5 % length;
        at /= 5 * length.max(1);
        place = match place {
            Value::Array(items) => &mut items[next],
            Value::Object(fields) => fields.values_mut().nth(next).expect("counted"),
            _ => break,
        };
    }
    *place = value;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        drop(read_all(&bytes));
    }

    #[test]
    fn no_spoilt_line_makes_it_panic(
        line in 0_usize..15, at in any::<usize>(), value in values(),
    ) {
        let lines = testing::golden_lines();
        let mut spoilt: Value = serde_json::from_str(&lines[line]).expect("a line is JSON");
        spoil(&mut spoilt, at, value);
        drop(read_all(spoilt.to_string().as_bytes()));
    }
}
