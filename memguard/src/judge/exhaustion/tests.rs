use super::*;
use crate::{
    judge::testing::{PROCESS, acquired, holding},
    model::{finding::Verdict, memory::Usage},
};

const LIMIT: u64 = 1024;

/// After the host's first minute.
fn second(second: u64) -> Stamp {
    Stamp((60 + second) * 1_000_000_000)
}

fn descriptors(value: u64, used: u64) -> Ceilings {
    Ceilings {
        descriptors: Some(Ceiling {
            name: "RLIMIT_NOFILE",
            value,
            used,
        }),
        ..Ceilings::default()
    }
}

fn found(count: u64) -> SurveyedProcess {
    SurveyedProcess {
        process: PROCESS,
        usage: None,
        ceilings: Vec::new(),
        info: None,
        descriptor_count: Some(count),
        open: None,
        modes: Vec::new(),
        watches: None,
    }
}

/// Counts each two seconds, as surveys do; what was said, and when, in seconds.
fn said(limit: u64, counts: impl IntoIterator<Item = u64>) -> Vec<(u64, &'static str)> {
    let (mut exhaustion, mut said) = (Exhaustion::default(), Vec::new());
    for (at, count) in (0..).step_by(2).zip(counts) {
        let now = second(at);
        exhaustion.surveyed(&found(count), now);
        for (process, kind) in exhaustion.due(now) {
            assert_eq!(kind, Kind::AllDescriptors);
            match exhaustion.judge(process, kind, &descriptors(limit, count), now) {
                Judged::Nearing(_) => said.push((at, "nearing")),
                Judged::Over => said.push((at, "over")),
                Judged::Nothing => {}
            }
        }
    }
    said
}

fn first(limit: u64, counts: impl IntoIterator<Item = u64>) -> Option<(u64, &'static str)> {
    said(limit, counts).into_iter().next()
}

fn last(limit: u64, counts: impl IntoIterator<Item = u64>) -> Option<(u64, &'static str)> {
    said(limit, counts).into_iter().last()
}

/// So many at first, and so many more each two seconds.
fn rising(from: u64, more: u64) -> impl Iterator<Item = u64> {
    (0..30).map(move |step| (from + step * more).min(LIMIT))
}

#[test]
fn what_is_full_within_ten_minutes_is_told_by_the_third_sample() {
    let nearing = |at| Some((at, "nearing"));
    assert_eq!(first(LIMIT, rising(202, 20)), nearing(4), "10 a second");
    assert_eq!(first(LIMIT, rising(900, 5)), nearing(4), "nearly full");
    assert_eq!(first(LIMIT, rising(600, 8)), nearing(4), "half full");
    assert_eq!(
        first(LIMIT, rising(5, 20)),
        nearing(6),
        "from 5 % in use on"
    );
    let fast = (0..30).map(|step| 100 + step * 4_000);
    assert_eq!(first(1_000_000, fast), nearing(10), "of a million");
}

#[test]
fn what_leads_nowhere_is_not_told() {
    let none = None;
    assert_eq!(first(LIMIT, [30, 60, 61, 61, 61, 61, 61]), none, "a start");
    assert_eq!(first(LIMIT, [500; 60]), none, "flat");
    assert_eq!(first(LIMIT, [950; 60]), none, "flat, and most of it");
    let swings = (0..60).map(|step| 200 + 150 * (step % 2));
    assert_eq!(first(LIMIT, swings), none, "up and down");
    assert_eq!(first(1_000_000, rising(202, 20)), none, "of a million");
    let crawls = (0..60).map(|step| 100 + step);
    assert_eq!(first(LIMIT, crawls), none, "full in half an hour");
}

/// Four seconds say nothing of the next minutes where most of the limit is left.
#[test]
fn a_pace_is_trusted_for_as_long_as_it_was_seen() {
    let burst = [300, 320, 340, 340, 340, 340, 340, 340];
    assert_eq!(first(4 * LIMIT, burst), None);
    let steady = (0..60).map(|step| 300 + step * 20);
    let told = first(4 * LIMIT, steady).map(|(at, _)| at);
    assert_eq!(told, Some(10));
}

#[test]
fn a_limit_that_is_reached_is_told_though_nothing_rises_any_more() {
    let full = [LIMIT; 600];
    assert_eq!(first(LIMIT, full), Some((4, "nearing")), "full");
    assert_eq!(last(LIMIT, full), Some((1198, "nearing")), "for as long");
    let then_full = rising(900, 40).chain([LIMIT; 600]);
    let (_, end) = last(LIMIT, then_full).unwrap();
    assert_eq!(end, "nearing", "a process that gets no descriptor any more");
}

#[test]
fn it_is_over_when_the_count_falls_or_rests() {
    let falls = rising(202, 20).take(10).chain([200, 200, 200]);
    assert_eq!(last(LIMIT, falls), Some((20, "over")), "at once");
    // It rose for 18 s.
    let rests = rising(202, 20).take(10).chain([382; 60]);
    let (at, end) = last(LIMIT, rests).unwrap();
    assert_eq!(end, "over");
    assert!((40..=18 + 60).contains(&at), "{at} s");
    let slower = rising(202, 20)
        .take(10)
        .chain((0..200).map(|step| 382 + step / 20));
    let ends = said(LIMIT, slower).into_iter();
    let ends: Vec<_> = ends.filter(|(_, end)| *end == "over").collect();
    assert_eq!(ends.len(), 1, "once, though it creeps on: {ends:?}");
    let raised = {
        let mut exhaustion = Exhaustion::default();
        let mut end = Judged::Nothing;
        for (at, count) in (0..).step_by(2).zip(rising(202, 20)) {
            let limit = if at < 20 { LIMIT } else { 1_000_000 };
            exhaustion.surveyed(&found(count), second(at));
            end = exhaustion.judge(
                PROCESS,
                Kind::AllDescriptors,
                &descriptors(limit, count),
                second(at),
            );
        }
        end
    };
    assert_eq!(raised, Judged::Nothing, "the limit was raised");
}

fn memory(name: &'static str, value: u64, used: u64) -> Ceilings {
    Ceilings {
        memory: vec![Ceiling { name, value, used }],
        ..Ceilings::default()
    }
}

/// A process whose memory becomes so much, in MiB, each two seconds, told or not.
fn memory_nearing(name: &'static str, value: u64, sizes: impl IntoIterator<Item = u64>) -> bool {
    let mut exhaustion = Exhaustion::default();
    let mut told = false;
    for (at, size) in (0..).step_by(2).zip(sizes) {
        let now = second(at);
        let usage = Usage {
            anonymous_bytes: size << 20,
            ..Usage::default()
        };
        let sampled = SurveyedProcess {
            usage: Some(usage),
            descriptor_count: None,
            ..found(0)
        };
        exhaustion.surveyed(&sampled, now);
        for (process, kind) in exhaustion.due(now) {
            let ceilings = memory(name, value << 20, size << 20);
            let judged = exhaustion.judge(process, kind, &ceilings, now);
            told |= matches!(judged, Judged::Nearing(_));
        }
    }
    told
}

#[test]
fn memory_must_rise_by_a_share_of_its_ceiling() {
    let grows = |step: u64| (0..20).map(move |at| 10 + at * step);
    assert!(memory_nearing("memory.max", 64, grows(2)));
    assert!(!memory_nearing("memory.max", 64, [10, 30, 31, 31, 31, 31]));
    assert!(!memory_nearing("MemTotal", 24_000, grows(30)), "a start");
    assert!(memory_nearing("MemTotal", 2_400, grows(100)));
}

#[test]
fn of_mappings_counts_what_the_limit_counts() {
    let mut exhaustion = Exhaustion::default();
    let mut told = None;
    for at in (0..30).step_by(2) {
        let now = second(at);
        exhaustion.counted(PROCESS, Kind::AllMappings, now, at * 1_000);
        for (process, kind) in exhaustion.due(now) {
            let ceiling = Ceiling {
                name: "vm.max_map_count",
                value: 65_530,
                used: 5_000 + at * 1_000,
            };
            let ceilings = Ceilings {
                mappings: Some(ceiling),
                ..Ceilings::default()
            };
            if let Judged::Nearing(nearing) = exhaustion.judge(process, kind, &ceilings, now) {
                told.get_or_insert((at, nearing.limit.used));
            }
        }
    }
    assert_eq!(told, Some((8, 13_000)), "once the count itself rises");
}

#[test]
fn a_forecast_is_of_the_whole_table() {
    let mut exhaustion = Exhaustion::default();
    let limit = Limit {
        name: "RLIMIT_NOFILE",
        value: LIMIT,
        used: 124,
        exhausted_in: Some(Duration::from_mins(15)),
        uncertainty: None,
    };
    assert_eq!(exhaustion.forecast(PROCESS, limit), limit, "not counted");
    for at in (0..=20).step_by(2) {
        exhaustion.surveyed(&found(104 + at * 2), second(at));
    }
    let forecast = exhaustion.forecast(PROCESS, limit);
    assert_eq!(forecast.exhausted_in, Some(Duration::from_secs(450)));
    exhaustion.forget(PROCESS);
    assert!(!exhaustion.mentions(PROCESS));
}

#[test]
fn the_finding_names_who_holds_most() {
    let context = holding(2, [(5, 10), (6, 10), (7, 20)]);
    let mut exhaustion = Exhaustion::default();
    let mut nearing = None;
    for (at, count) in (0..).step_by(2).zip([900, 920, 940]) {
        exhaustion.surveyed(&found(count), second(at));
        let ceilings = descriptors(LIMIT, count);
        let judged = exhaustion.judge(PROCESS, Kind::AllDescriptors, &ceilings, second(at));
        if let Judged::Nearing(told) = judged {
            nearing = Some(told);
        }
    }
    let nearing = nearing.expect("it is told by the third");
    let finding = describe(&context, PROCESS, Kind::AllDescriptors, &nearing);
    assert_eq!(
        (finding.verdict, finding.open_count),
        (Verdict::Exhaustion, 940)
    );
    assert_eq!(finding.limit.map(|limit| limit.used), Some(940));
    let call = acquired(5, 10).call.name();
    let sites: Vec<_> = finding
        .sites
        .iter()
        .map(|site| (site.place.as_deref(), site.count))
        .collect();
    assert_eq!(sites, [(Some(call), 3)]);
    assert!(finding.evidence.conclusive(), "it is arithmetic");
}
