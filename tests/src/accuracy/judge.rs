//! What memguard tells of one workload against what it is. Pure: lines come in as values.

use std::collections::{BTreeMap, BTreeSet};

use super::Workload;
use crate::{
    finding::Finding,
    memory::{
        Said,
        said::{Finds, Grows},
    },
    origins::stack::Stack,
};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It leaks, and memguard says so: the right process, kind and place.
    Hit,
    /// It leaks, and memguard does not say so, or takes it back.
    Miss,
    /// It does not leak, and memguard never says so.
    Clean,
    /// memguard says what is not so.
    False,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which workload.
    pub workload: Workload,
    /// What is to be reported, in a few words.
    pub expected: String,
    /// What was reported.
    pub reported: String,
    /// How much was lost when all was done, and how much memguard told last: handles or bytes.
    pub held_and_told: Option<(u64, u64)>,
    /// Seconds from the beginning of the work to the verdict.
    pub after_seconds: Option<f64>,
    /// Lines with verdict `aged`.
    pub aged: usize,
    /// What came of it.
    pub outcome: Outcome,
    /// Alarms that are not so.
    pub false_alarms: Vec<String>,
}

/// What the lines about its processes tell of a workload that began at `begun`.
pub fn judge(workload: Workload, said: &Said, of_it: &[Finding<'_>], begun: f64) -> Row {
    let aged = of_it.iter().filter(|finding| finding.verdict() == "aged");
    let aged = aged.count();
    let mut alarms = alarms(of_it);
    let hits: Vec<_> = alarms.extract_if(.., |alarm| is_so(alarm, said)).collect();
    let mut reported: BTreeSet<_> = hits.iter().map(summary).collect();
    alarms.retain(|alarm| !is_implied(alarm, said));
    if hits.is_empty() {
        // It leaks, and this is said of another kind or place: a miss, and no accusation of the
        // healthy.
        let misplaced = alarms.extract_if(.., |alarm| is_misplaced(alarm, said));
        reported
            .extend(misplaced.map(|alarm| format!("{} from {}", summary(&alarm), place(&alarm))));
    }
    reported.extend(alarms.iter().map(summary));
    let false_alarms: Vec<_> = alarms.iter().map(|alarm| alarm.last.to_string()).collect();
    let stands = hits.iter().any(|alarm| alarm.stands);
    let outcome = match (workload.leaks, stands, false_alarms.is_empty()) {
        (_, _, false) => Outcome::False,
        (true, true, true) => Outcome::Hit,
        (true, false, true) => Outcome::Miss,
        (false, _, true) => Outcome::Clean,
    };
    Row {
        workload,
        expected: expected(said),
        reported: reported.into_iter().collect::<Vec<_>>().join("; "),
        held_and_told: held(said).zip(stands.then(|| told(&hits))),
        after_seconds: hits
            .iter()
            .map(|alarm| alarm.first.written_at() - begun)
            .reduce(f64::min),
        aged,
        outcome,
        false_alarms,
    }
}

/// A finding that was alarming at any time.
struct Alarm<'a> {
    first: Finding<'a>,
    last: Finding<'a>,
    /// It still was, in its last line.
    stands: bool,
}

fn alarms<'a>(findings: &[Finding<'a>]) -> Vec<Alarm<'a>> {
    let mut by_id: BTreeMap<&str, Vec<Finding<'a>>> = BTreeMap::new();
    for finding in findings {
        by_id.entry(finding.id()).or_default().push(*finding);
    }
    let alarm = |lines: Vec<Finding<'a>>| {
        let mut alarming = lines.iter().filter(|finding| is_alarming(**finding));
        let first = *alarming.next()?;
        let last = *alarming.next_back().unwrap_or(&first);
        let end = lines.last()?;
        let stands = is_alarming(*end) && !end.is_resolved();
        Some(Alarm {
            first,
            last,
            stands,
        })
    };
    by_id.into_values().filter_map(alarm).collect()
}

fn is_alarming(finding: Finding<'_>) -> bool {
    matches!(finding.verdict(), "leak" | "growth")
}

/// Whether the workload says the same.
fn is_so(alarm: &Alarm<'_>, said: &Said) -> bool {
    said.finds.iter().any(|finds| is_found(alarm.last, finds))
        || said.grows.iter().any(|grows| is_growing(alarm.last, grows))
}

fn is_found(finding: Finding<'_>, finds: &Finds) -> bool {
    let same = finding.pid() == finds.pid && finding.verdict() == finds.verdict;
    same && finding.resource() == finds.resource
        && finding.kind() == finds.kind
        && is_at(finding, &finds.function)
}

/// Some function of the program's own, for a place may be that of a library and its caller another.
fn is_at(finding: Finding<'_>, function: &str) -> bool {
    let frames = Stack::of(finding.0).unwrap_or_default().frames;
    let named = |name: &String| name.contains(function);
    // What the kernel tells of itself, like zombies, has no place; and the place of threads is who
    // had their stacks mapped: the C library hands those of ended threads on to others.
    function == "*"
        || matches!(finding.resource(), "process" | "thread")
        || frames
            .iter()
            .any(|frame| frame.function.as_ref().is_some_and(named))
}

fn is_growing(finding: Finding<'_>, grows: &Grows) -> bool {
    let same = finding.pid() == grows.pid && finding.verdict() == "growth";
    let places: Vec<_> = finding
        .sites()
        .into_iter()
        .filter_map(|site| site.place)
        .collect();
    // Not the first: which of a heap's users needed more of it from the kernel is chance.
    let is_there = |(_, function): &(String, String)| {
        function == "*" || places.iter().any(|place| place.starts_with(function))
    };
    same && finding.resource() == grows.resource
        && finding.kind() == grows.kind
        && grows.site.as_ref().is_none_or(is_there)
}

/// The function that it names.
fn place(alarm: &Alarm<'_>) -> String {
    let stack = Stack::of(alarm.last.0).unwrap_or_default();
    let frame = stack.application().cloned().unwrap_or_default();
    frame.function.unwrap_or_else(|| "nowhere".to_owned())
}

/// The process and the resource are right.
fn is_misplaced(alarm: &Alarm<'_>, said: &Said) -> bool {
    let last = alarm.last;
    let is_of = |pid, resource: &str| last.pid() == pid && last.resource() == resource;
    said.finds
        .iter()
        .any(|finds| is_of(finds.pid, &finds.resource))
        || said
            .grows
            .iter()
            .any(|grows| is_of(grows.pid, &grows.resource))
}

/// Who loses mappings or threads also grows by what is in them.
fn is_implied(alarm: &Alarm<'_>, said: &Said) -> bool {
    let grows = |finds: &Finds| matches!(finds.resource.as_str(), "mmap" | "thread");
    let last = alarm.last;
    last.verdict() == "growth" && last.resource() == "heap" && said.finds.iter().any(grows)
}

fn summary(alarm: &Alarm<'_>) -> String {
    let last = alarm.last;
    let withdrawn = if alarm.stands { "" } else { ", withdrawn" };
    format!(
        "{} {}/{}{withdrawn}",
        last.verdict(),
        last.resource(),
        last.kind()
    )
}

fn expected(said: &Said) -> String {
    let finds = said
        .finds
        .iter()
        .map(|it| format!("{} {}/{}", it.verdict, it.resource, it.kind));
    let grows = said
        .grows
        .iter()
        .map(|it| format!("growth {}/{}", it.resource, it.kind));
    finds.chain(grows).collect::<Vec<_>>().join("; ")
}

fn held(said: &Said) -> Option<u64> {
    let lost = said.finds.iter().map(|finds| finds.count);
    let grown = said.grows.iter().map(|grows| grows.bytes);
    lost.chain(grown).reduce(|sum, more| sum + more)
}

fn told(hits: &[Alarm<'_>]) -> u64 {
    let standing = hits
        .iter()
        .filter(|alarm| alarm.stands)
        .map(|alarm| alarm.last);
    let of = |finding: Finding<'_>| match finding.verdict() {
        "growth" => finding.open_bytes().unwrap_or(0),
        _ => finding.open_count(),
    };
    standing.map(of).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Outcome, Row, judge};
    use crate::{accuracy::Workload, lines::Lines, memory::Said};

    const LEAKING: &str = "finds 7 leak fd file 9 * forget_here\n";

    fn line(id: &str, second: u64, words: &str) -> Value {
        let [verdict, kind, function, count, state] = words.split(' ').collect::<Vec<_>>()[..]
        else {
            panic!("{words}");
        };
        let finding = json!({"id": id, "verdict": verdict, "resource": "fd", "kind": kind,
            "open_count": count.parse::<u64>().unwrap(), "state": state});
        let stack = json!({"complete": true, "frames": [{"function": "open", "offset": "0x1"},
            {"function": function, "offset": "0x2", "application": true}]});
        json!({"event_name": "memguard.finding.updated", "body": words, "process": {"pid": 7},
            "timestamp": format!("1970-01-01T00:00:{second:02}Z"),
            "memguard": {"finding": finding, "stack": stack}})
    }

    fn row(said: &str, told: &[(&str, &str)]) -> Row {
        let lines = told
            .iter()
            .zip(1..)
            .map(|((id, words), second)| line(id, second, words));
        let lines = Lines::of(lines.collect());
        let workload = Workload {
            program: "x.c",
            name: "x",
            leaks: !said.is_empty(),
            shows: "",
        };
        judge(workload, &Said::of(said), &lines.finding_lines(), 0.0)
    }

    /// A hit stands at the end, and says where; its numbers are those of the first and last line.
    #[test]
    fn a_hit_is_of_the_right_kind_and_place_and_stands() {
        let aged = ("a", "aged file forget_here 3 open");
        let early = ("a", "leak file forget_here 4 open");
        let late = ("a", "leak file forget_here 8 open");
        let found = row(LEAKING, &[aged, early, late]);
        assert_eq!((found.outcome, found.aged), (Outcome::Hit, 1));
        assert_eq!(found.held_and_told, Some((9, 8)));
        assert_eq!(found.after_seconds, Some(2.0));
        for (told, why) in [
            (vec![], "nothing"),
            (vec![aged], "age alone"),
            (
                vec![early, ("a", "leak file forget_here 0 resolved")],
                "withdrawn",
            ),
            (vec![("a", "leak file other 9 open")], "another place"),
            (vec![("a", "leak pipe forget_here 9 open")], "another kind"),
        ] {
            let missed = row(LEAKING, &told);
            assert_eq!(
                (missed.outcome, missed.held_and_told),
                (Outcome::Miss, None),
                "{why}"
            );
        }
    }

    /// What is not so is false, beside a hit too, and even if it is taken back.
    #[test]
    fn a_false_alarm_is_false_for_ever() {
        let hit = ("a", "leak file forget_here 8 open");
        let other = ("b", "leak file other 2 open");
        let gone = ("b", "leak file other 0 resolved");
        let both = row(LEAKING, &[hit, other, gone]);
        assert_eq!((both.outcome, both.false_alarms.len()), (Outcome::False, 1));
        assert_eq!(both.held_and_told, Some((9, 8)));
        assert_eq!(row("", &[other, gone]).outcome, Outcome::False);
        assert_eq!(
            row("", &[("b", "aged file other 2 open")]).outcome,
            Outcome::Clean
        );
    }
}
