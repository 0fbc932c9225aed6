//! What memguard tells of a process against what the process says of itself. Pure: lines come in as
//! values.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    said::{Finds, Grows, Said},
    usage::Usage,
};
use crate::{finding::Finding, lines::Lines, origins::stack::Stack};

/// How far from the truth a slope may be.
const SLOPE: f64 = 0.35;

/// What was found about one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// In a few words, for a table.
    pub found: String,
    /// What is not as it should be.
    pub differences: Vec<String>,
}

/// What `lines` tell of process `pid` and of those it speaks of, against what it `said` and what it
/// used at the end.
pub fn judge(said: &Said, pid: u32, usage: Usage, lines: &Lines) -> Judgement {
    let mut pids = said.pids();
    pids.insert(u64::from(pid));
    let mut alarms = alarms(lines, &pids);
    let found: Vec<_> = alarms.iter().map(|alarm| summary(*alarm)).collect();
    let mut differences = Vec::new();
    for finds in &said.finds {
        let told: Vec<_> = alarms
            .extract_if(.., |alarm| is_about(*alarm, finds))
            .collect();
        differences.extend(compare(finds, &told, lines));
    }
    for grows in &said.grows {
        let told: Vec<_> = alarms
            .extract_if(.., |alarm| is_of(*alarm, grows))
            .collect();
        differences.extend(compare_growth(grows, &told, usage));
    }
    let unexpected = alarms.into_iter().filter(|alarm| !is_allowed(*alarm, said));
    differences.extend(unexpected.map(|alarm| format!("nobody expected {alarm}")));
    let found = if found.is_empty() {
        "nothing".to_owned()
    } else {
        found.join("; ")
    };
    Judgement { found, differences }
}

/// The last alarming line of every finding that ever had one: what is taken back was told before.
fn alarms<'a>(lines: &'a Lines, pids: &BTreeSet<u64>) -> Vec<Finding<'a>> {
    let ours = lines.finding_lines().into_iter();
    let ours = ours.filter(|finding| pids.contains(&finding.pid()) && is_alarming(*finding));
    let by_id: BTreeMap<&str, Finding<'a>> = ours.map(|finding| (finding.id(), finding)).collect();
    by_id.into_values().collect()
}

/// Alarming lines about processes that are none of these.
pub fn about_others<'a>(lines: &'a Lines, pids: &BTreeSet<u64>) -> Vec<Finding<'a>> {
    let mut findings = lines.finding_lines();
    findings.retain(|finding| !pids.contains(&finding.pid()) && is_alarming(*finding));
    findings
}

/// The last line of every leak of mappings of process `pid`.
pub fn lost_mappings(lines: &Lines, pid: u32) -> Vec<Finding<'_>> {
    let mut findings = alarms(lines, &BTreeSet::from([u64::from(pid)]));
    findings.retain(|finding| finding.verdict() == "leak" && finding.resource() == "mmap");
    findings
}

/// What a process may not be said to do unless it does. Age alone is no alarm, and every process
/// leaves descriptors.
fn is_alarming(finding: Finding<'_>) -> bool {
    match finding.verdict() {
        "leak" | "growth" => true,
        "left" => finding.resource() == "shm",
        _ => finding.warns(),
    }
}

fn is_about(alarm: Finding<'_>, finds: &Finds) -> bool {
    let Finds {
        pid,
        verdict,
        resource,
        kind,
        ..
    } = finds;
    let same = alarm.pid() == *pid && alarm.verdict() == verdict;
    same && alarm.resource() == resource && alarm.kind() == kind
}

fn is_of(alarm: Finding<'_>, grows: &Grows) -> bool {
    let Grows {
        pid,
        resource,
        kind,
        ..
    } = grows;
    let same = alarm.pid() == *pid && alarm.verdict() == "growth";
    same && alarm.resource() == resource && alarm.kind() == kind
}

/// Who loses mappings or threads grows by what is in them.
fn is_allowed(alarm: Finding<'_>, said: &Said) -> bool {
    let grows = |finds: &Finds| matches!(finds.resource.as_str(), "mmap" | "thread");
    alarm.verdict() == "growth" && alarm.resource() == "heap" && said.finds.iter().any(grows)
}

/// Counts and sizes are exact, places are right, and the finding stands at the end.
fn compare(finds: &Finds, told: &[Finding<'_>], lines: &Lines) -> Vec<String> {
    let what = format!("{} {}/{}", finds.verdict, finds.resource, finds.kind);
    if told.is_empty() {
        return vec![format!("{what} is not found")];
    }
    let mut differences = Vec::new();
    let count: u64 = told.iter().map(|finding| finding.open_count()).sum();
    // Who counts threads may count the first one, which nobody lost.
    let first = u64::from(finds.kind == "thread");
    if count != finds.count && count != finds.count + first {
        differences.push(format!("{what}: {count} told, {} lost", finds.count));
    }
    if let Some(expected) = finds.bytes {
        let bytes: u64 = told.iter().filter_map(|finding| finding.open_bytes()).sum();
        if bytes != expected {
            differences.push(format!("{what}: {bytes} bytes told, {expected} lost"));
        }
    }
    let named = told.iter().map(|finding| Stack::of(finding.0));
    let has_place = finds.resource == "mmap";
    for place in named.map(|stack| function(stack.as_ref())) {
        match place {
            Some(place) if place != finds.function => {
                differences.push(format!("{what}: from {place}, not {}", finds.function));
            }
            None if has_place => differences.push(format!("{what}: no function is named")),
            _ => {}
        }
    }
    if finds.verdict == "leak" {
        differences.extend(
            told.iter()
                .filter_map(|finding| while_it_ran(*finding, lines)),
        );
    }
    differences
}

fn function(stack: Option<&Stack>) -> Option<String> {
    stack?.application()?.function.clone()
}

/// Found before it was over, and not taken back since.
fn while_it_ran(finding: Finding<'_>, lines: &Lines) -> Option<String> {
    let all = lines.finding_lines().into_iter();
    let all: Vec<_> = all.filter(|line| line.id() == finding.id()).collect();
    let first = all.iter().find(|line| line.verdict() == "leak")?;
    let last = all.last()?;
    if first.open_count() >= finding.open_count() {
        return Some(format!("found only when it was over: {first}"));
    }
    let stands = last.verdict() == "leak" && !last.is_resolved();
    (!stands).then(|| format!("taken back: {last}"))
}

/// One finding, of about the right size and slope, with its greatest site.
fn compare_growth(grows: &Grows, told: &[Finding<'_>], usage: Usage) -> Vec<String> {
    let what = format!("growth {}/{}", grows.resource, grows.kind);
    let [finding] = told else {
        return vec![format!("{what}: {} findings, not one", told.len())];
    };
    let mut differences = Vec::new();
    let size = match grows.kind.as_str() {
        "shm" => usage.shmem_bytes,
        _ => usage.anon_bytes,
    };
    let bytes = finding.open_bytes().unwrap_or(0);
    if bytes < size / 2 || bytes > size + size / 8 {
        differences.push(format!("{what}: {bytes} bytes told, {size} in use"));
    }
    let (slope, rate) = (finding.slope_per_second().unwrap_or(0.0), grows.rate());
    if (slope / rate - 1.0).abs() > SLOPE {
        differences.push(format!("{what}: {slope:.0} bytes/s told, {rate:.0} true"));
    }
    let shape = finding.growth_shape().unwrap_or("none");
    if !matches!(shape, "linear" | "stepwise") {
        differences.push(format!("{what}: the shape is {shape}, and it is a line"));
    }
    match finding.baseline_bytes() {
        Some(baseline) if baseline < bytes => {}
        baseline => differences.push(format!("{what}: from {baseline:?} to {bytes} bytes")),
    }
    if let Some((call, function)) = &grows.site {
        differences.extend(compare_site(*finding, call, function, grows.bytes));
    }
    differences
}

/// The first site is the one, and has most of what was acquired.
fn compare_site(finding: Finding<'_>, call: &str, function: &str, bytes: u64) -> Option<String> {
    let sites = finding.sites();
    let is_it = sites.first().is_some_and(|site| {
        let place = site.place.as_deref().unwrap_or("");
        site.kind == call && names(place, function) && site.bytes >= bytes / 4
    });
    (!is_it).then(|| format!("the first site is not {call} in {function}: {sites:?}"))
}

/// Whether a place like `leak (pool.c:88)` is in `function`.
pub fn names(place: &str, function: &str) -> bool {
    place.split([' ', '(']).next() == Some(function)
}

fn summary(alarm: Finding<'_>) -> String {
    let (verdict, resource, kind) = (alarm.verdict(), alarm.resource(), alarm.kind());
    let bytes = alarm.open_bytes().map(|bytes| format!(", {bytes} bytes"));
    let slope = alarm.slope_per_second().filter(|_| verdict == "growth");
    let slope = slope.map(|slope| format!(", {slope:.0} bytes/s"));
    let (bytes, slope) = (bytes.unwrap_or_default(), slope.unwrap_or_default());
    format!(
        "{verdict} {resource}/{kind} {}{bytes}{slope}",
        alarm.open_count()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{judge, names};
    use crate::{
        lines::Lines,
        memory::{said::Said, usage::Usage},
    };

    /// A line of a finding about process 7.
    fn line(verdict: &str, what: [&str; 2], count: u64, more: Value) -> Value {
        let [resource, kind] = what;
        let mut finding = json!({"id": format!("{verdict}{resource}{kind}"), "state": "open",
            "verdict": verdict, "resource": resource, "kind": kind, "open_count": count});
        let fields = finding.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        json!({"event_name": "memguard.finding.updated", "severity_number": 13, "body": "…",
            "process": {"pid": 7}, "memguard": {"finding": finding, "stack": {"complete": true,
            "frames": [{"function": "leak_s47", "application": true}]}}})
    }

    fn check(said: &str, lines: Vec<Value>, differences: usize) {
        let usage = Usage {
            anon_bytes: 40000,
            ..Usage::default()
        };
        let judged = judge(&Said::of(said), 7, usage, &Lines::of(lines.clone()));
        assert_eq!(
            judged.differences.len(),
            differences,
            "{said} and {lines:?}: {judged:?}"
        );
    }

    /// What is lost is found while that goes on, exact, named, and nothing else is.
    #[test]
    fn leaks_are_compared() {
        const LOST: &str = "finds 7 leak mmap anon 3 12288 leak_s47";
        const ANON: [&str; 2] = ["mmap", "anon"];
        let bytes = |bytes: u64| json!({"open_bytes": bytes});
        let early = || line("leak", ANON, 1, bytes(4096));
        let last = |count, size| vec![early(), line("leak", ANON, count, bytes(size))];
        check("", vec![], 0);
        check("", vec![line("aged", ANON, 3, bytes(1))], 1);
        check("", last(3, 12288), 1);
        check(LOST, vec![], 1);
        check(LOST, last(3, 12288), 0);
        check(LOST, last(4, 12288), 1);
        check(LOST, last(3, 12289), 1);
        check(LOST, last(4, 16384), 2);
        check(LOST, vec![line("leak", ANON, 3, bytes(12288))], 1);
        check(&LOST.replace("s47", "s48"), last(3, 12288), 1);
        let mut taken_back = last(3, 12288);
        taken_back.push(line("leak", ANON, 3, bytes(12288)));
        taken_back[2]["memguard"]["finding"]["state"] = json!("resolved");
        check(LOST, taken_back, 1);
        let threads = |count| {
            let last = line("leak", ["thread", "thread"], count, json!({}));
            vec![line("leak", ["thread", "thread"], 1, json!({})), last]
        };
        check("finds 7 leak thread thread 3 * leak_s47", threads(3), 0);
        check("finds 7 leak thread thread 3 * leak_s47", threads(4), 0);
        check("finds 7 leak thread thread 3 * leak_s47", threads(5), 1);
        let mut grown = last(3, 12288);
        grown.push(line("growth", ["heap", "anon"], 1, bytes(1)));
        check(LOST, grown.clone(), 0);
        check(&LOST.replace("mmap anon", "timer posix"), grown, 3);
    }

    /// Size and slope are about right, and the first site is the one.
    #[test]
    fn growth_is_compared() {
        const GROWN: &str = "grows 7 heap anon 38000 10.0 brk leak_s55";
        let growth = |bytes: u64, slope: f64, kind: &str, place: &str| {
            let growth = json!({"slope_per_second": slope, "shape": "linear", "baseline": 99});
            let site = json!({"place": place, "kind": kind, "bytes": 37000, "count": 4});
            let more = json!({"open_bytes": bytes, "growth": growth, "sites": [site]});
            vec![line("growth", ["heap", "anon"], 1, more)]
        };
        const PLACE: &str = "leak_s55 (zoo.c:3)";
        check("", growth(38000, 3800.0, "brk", PLACE), 1);
        check(GROWN, vec![], 1);
        check(GROWN, growth(38000, 3800.0, "brk", PLACE), 0);
        check(GROWN, growth(10000, 3800.0, "brk", PLACE), 1);
        check(GROWN, growth(90000, 3800.0, "brk", PLACE), 1);
        check(GROWN, growth(38000, 800.0, "brk", PLACE), 1);
        check(GROWN, growth(38000, 3800.0, "anon", PLACE), 1);
        check(GROWN, growth(38000, 3800.0, "brk", "leak_s5 (zoo.c:3)"), 1);
    }

    #[test]
    fn places_name_a_function() {
        assert!(names("leak_s47 (zoo.c:3)", "leak_s47"));
        assert!(names("leak_s47", "leak_s47"));
        assert!(!names("leak_s47_file (zoo.c:3)", "leak_s47"));
    }
}
