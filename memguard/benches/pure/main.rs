//! Code that reads no kernel: decode, pairing, interval map, unwinding, sinks. `cargo xtask bench`
//! runs this and takes its samples into the table.
#![cfg(test)] // so that clippy.toml's allowances for tests reach all of it

mod records;
mod stacks;

use std::io::{BufReader, sink};

use criterion::{Criterion, criterion_group, criterion_main};
use memguard::{
    cost,
    decode::decode,
    ledger::{Ledger, space::Spaces},
    model::report::Report,
    output::{Clock, Host, JsonlSink, Redaction, Sink as _, read::read},
};

/// Handles that are there all the time.
const HELD: u64 = 100_000;
/// Pieces of one address space; 65 536 are the most.
const PIECES: u64 = 50_000;
/// Windows that are unwound together, half of what may wait.
const WINDOWS: usize = 1024;

fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, record) in [
        (
            "an acquisition with 2 KiB of stack",
            records::acquired(3, 1, 1952),
        ),
        ("an acquisition without stack", records::acquired(3, 1, 0)),
        ("a release", records::released(3, 1)),
    ] {
        assert!(decode(&record).is_ok(), "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| decode(&record)));
    }
    group.finish();
}

/// A pair that reached user space, while others are held.
fn pairing(criterion: &mut Criterion) {
    let mut ledger = Ledger::new();
    for fd in 0..HELD {
        ledger.apply(decode(&records::acquired(fd, fd, 0)).unwrap());
    }
    let mut stamp = HELD;
    criterion.bench_function("ledger/a pair beside 100 000 held handles", |bencher| {
        bencher.iter(|| {
            stamp += 2;
            ledger.apply(decode(&records::acquired(HELD, stamp, 0)).unwrap());
            ledger.apply(decode(&records::released(HELD, stamp + 1)).unwrap());
        });
    });
    assert_eq!(ledger.held_count() as u64, HELD);
}

/// A range that is mapped and given back, between others.
fn intervals(criterion: &mut Criterion) {
    let mut spaces = Spaces::default();
    for place in 0..PIECES {
        spaces.mapped(records::mapped(2 * place, place), &mut |_| {});
    }
    let mut stamp = PIECES;
    criterion.bench_function("interval map/a pair between 50 000 pieces", |bencher| {
        bencher.iter(|| {
            stamp += 2;
            let place = 2 * (stamp % PIECES) + 1;
            spaces.mapped(records::mapped(place, stamp), &mut |_| {});
            spaces.unmapped(records::unmapped(place, stamp + 1), &mut |_| {});
        });
    });
    assert_eq!(spaces.count() as u64, PIECES);
}

/// CPU time of the thread that does it and of what gives it work, so that others on the machine do
/// not count.
fn unwinding(criterion: &mut Criterion) {
    let mut stacks = stacks::Stacks::start();
    let window = stacks::window();
    println!("unwinding windows of {} bytes", window.stack.len());
    criterion.bench_function("unwinding/1024 windows", |bencher| {
        bencher.iter_custom(|rounds| {
            let round = |_| {
                let windows = vec![window.clone(); WINDOWS];
                let begun = cost::cpu();
                stacks.unwind(windows);
                cost::cpu().saturating_sub(begun)
            };
            (0..rounds).map(round).sum()
        });
    });
}

fn sinks(criterion: &mut Criterion) {
    let lines = include_bytes!("../../src/output/golden/reports.jsonl");
    let mut reports = Vec::new();
    read(BufReader::new(&lines[..]), |line| {
        reports.extend(line.report);
    })
    .unwrap();
    let finding = reports
        .into_iter()
        .find(|report| matches!(report, Report::Finding(_)));
    let finding = finding.expect("the golden file has findings");
    let clock = Clock::new(1_795_212_530_123_456_789, 0, 0);
    let host = Host {
        name: "node-7".to_owned(),
    };
    let mut json = JsonlSink::new(sink(), host, clock, Redaction::On);
    criterion.bench_function("output/a finding as a JSON line", |bencher| {
        bencher.iter(|| json.report(&finding).unwrap());
    });
}

criterion_group!(pure, decoding, pairing, intervals, unwinding, sinks);
criterion_main!(pure);
