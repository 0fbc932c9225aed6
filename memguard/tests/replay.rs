//! Recorded real runs, told to an engine once more, make the reports that the runs made: without
//! root, without the processes, and byte for byte but for times.
//!
//! `recordings/NAME.rec.jsonl` is what `--record` wrote, `recordings/NAME.out.jsonl` what `-o` of
//! the same run did, without what the engine does not say (start, census, summary), and with times
//! taken out. A change of behaviour that is meant: `UPDATE_GOLDEN=1 cargo test -p memguard --test
//! replay`.

#![cfg(test)] // so that the allowances for tests in clippy.toml reach the helpers too

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufReader, Cursor},
    path::{Path, PathBuf},
};

use memguard::{
    output::{Clock, Host, JsonlSink, Reading, Redaction, Sink as _},
    recording::replay,
};
use serde_json::Value;

/// Events that others than the engine tell.
const OTHERS: [&str; 4] = [
    "memguard.agent.started",
    "memguard.census",
    "memguard.run.summary",
    "memguard.agent.stopped",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

/// Lines of JSON without times, host and version.
fn plain(lines: &str) -> Vec<String> {
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let told = lines.filter(|line: &Value| {
        let event = line["event_name"].as_str().unwrap_or_default();
        !OTHERS.contains(&event)
    });
    told.map(|mut line| {
        without_times(&mut line);
        line["host"] = Value::Null;
        line["service"] = Value::Null;
        line.to_string()
    })
    .collect()
}

fn without_times(value: &mut Value) {
    match value {
        Value::String(text) if is_time(text) => *value = Value::from("TIME"),
        Value::Array(values) => values.iter_mut().for_each(without_times),
        Value::Object(fields) => fields.values_mut().for_each(without_times),
        _ => {}
    }
}

/// As `2026-11-28T22:07:56.123456789Z`.
fn is_time(text: &str) -> bool {
    text.len() >= 20 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T')
}

fn replayed(recording: &Path) -> Vec<String> {
    let file = fs::File::open(recording).unwrap();
    let reports = replay(BufReader::new(file)).unwrap();
    let host = Host {
        name: String::new(),
    };
    let clock = Clock::at(Reading {
        realtime_ns: 1_000_000_000_000_000_000,
        monotonic_ns: 0,
        boottime_ns: 0,
    });
    let mut out = Cursor::new(Vec::new());
    let mut sink = JsonlSink::new(&mut out, host, clock, Redaction::On);
    for report in &reports {
        sink.report(report).unwrap();
    }
    sink.finish().unwrap();
    drop(sink);
    plain(&String::from_utf8(out.into_inner()).unwrap())
}

/// Every recording, and how many of its lines say each verdict.
fn recordings() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(".rec.jsonl"));
    paths.sort();
    paths
}

#[test]
fn a_recorded_run_makes_the_reports_that_it_made() {
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    let recordings = recordings();
    assert!(recordings.len() >= 6, "{recordings:#?}");
    for recording in recordings {
        let name = recording
            .to_string_lossy()
            .replace(".rec.jsonl", ".out.jsonl");
        let got = replayed(&recording);
        if update {
            let end = if got.is_empty() {
                ""
            } else {
                "
"
            };
            fs::write(
                &name,
                got.join(
                    "
",
                ) + end,
            )
            .unwrap();
        }
        let expected = plain(&fs::read_to_string(&name).unwrap());
        println!("{name}: {} lines", expected.len());
        // Of a healthy server nothing is said.
        assert_eq!(expected.is_empty(), name.contains("nginx"), "{name}");
        for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
            assert_eq!(got, expected, "{name}, line {}", at + 1);
        }
        assert_eq!(got.len(), expected.len(), "{name}");
    }
}

/// The recordings are of different things; each is there for what it says.
#[test]
fn the_recordings_show_what_they_are_for() {
    let told: BTreeSet<String> = recordings()
        .iter()
        .flat_map(|recording| replayed(recording))
        .map(|line| {
            let line: Value = serde_json::from_str(&line).unwrap();
            let verdict = &line["memguard"]["finding"]["verdict"];
            let event = line["event_name"].as_str().unwrap_or_default().to_owned();
            verdict.as_str().map_or(event, str::to_owned)
        })
        .collect();
    for wanted in ["leak", "left", "growth", "memguard.health.changed"] {
        assert!(told.contains(wanted), "no {wanted} in {told:?}");
    }
}

/// Twice the same, whatever tables are ordered by.
#[test]
fn a_replay_is_deterministic() {
    for recording in recordings() {
        assert_eq!(replayed(&recording), replayed(&recording));
    }
}

#[test]
fn what_is_no_recording_is_an_error() {
    for text in ["", "{}", "{\"format\":2,\"setup\":{}}", "nonsense"] {
        assert!(replay(Cursor::new(text)).is_err(), "{text}");
    }
}
