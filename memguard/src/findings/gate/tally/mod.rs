//! What has reached a gate so far, and the largest of it, for the one line that says why.

use std::collections::{BTreeMap, HashMap};

use super::Gate;
use crate::model::{
    finding::{Finding, Limit, State, Verdict},
    process::ProcessInfo,
};

/// Longest name of a process in a reason, in characters.
const NAME_MAX: usize = 40;
/// Longest place in a reason, in characters.
const PLACE_MAX: usize = 120;

/// The findings that reach a gate: told one by one, in the order in which they change.
///
/// As large as there are findings that may change yet; of those that are over a sum is kept.
#[derive(Debug, Default)]
pub struct GateTally {
    gate: Gate,
    /// Findings that may change yet, as they stand.
    living: HashMap<u64, Counted>,
    /// Findings that are over.
    over: BTreeMap<Verdict, Sum>,
    /// Descriptors that were open when their processes ended.
    left: Sum,
}

/// A finding that reaches the gate by its verdict.
#[derive(Debug)]
struct Counted {
    verdict: Verdict,
    largest: Largest,
}

/// How much there is, and the largest of it.
#[derive(Clone, Debug, Default)]
struct Sum {
    count: u64,
    largest: Option<Largest>,
}

#[derive(Clone, Debug)]
struct Largest {
    size: u64,
    what: String,
}

impl GateTally {
    /// Nothing has reached this gate yet.
    pub fn new(gate: Gate) -> Self {
        Self {
            gate,
            ..Self::default()
        }
    }

    /// Takes a finding as it is told; `counts` is false where it is suppressed, or known from a
    /// baseline.
    pub fn take(&mut self, finding: &Finding, counts: bool) {
        let before = self.living.remove(&finding.id);
        if finding.state == State::Resolved {
            let stays = |it: &Counted| it.verdict.outlives(finding.resolution);
            if let Some(counted) = before.filter(stays) {
                self.add(counted.verdict, counted.largest);
            }
            return;
        }
        if !counts {
            return;
        }
        if self.gate.left().is_some() {
            self.left(finding);
        }
        if self.gate.is_reached_by(finding) {
            self.count(finding);
        }
    }

    /// Findings of which is known only how many there were: a file has lost their lines.
    pub fn untold(&mut self, verdict: Verdict, count: u64) {
        if self.gate.wants(verdict) && count > 0 {
            let sum = self.over.entry(verdict).or_default();
            sum.count = sum.count.saturating_add(count);
        }
    }

    /// Descriptors left at exits of which is known only how many there were.
    pub fn untold_left(&mut self, count: u64) {
        self.left.count = self.left.count.saturating_add(count);
    }

    /// Why the gate was reached, as `1 leak (files from get (pool.c:8) of api[7], 16 of them),
    /// --fail-on leak`; `None` where it was not.
    pub fn reached(&self) -> Option<String> {
        let verdicts = Verdict::ALL.into_iter();
        let sums = verdicts.filter_map(|verdict| reason(noun(verdict), &self.sum(verdict)));
        let enough = |limit| self.left.count >= limit;
        let left = self.gate.left().is_some_and(enough);
        let left = left.then(|| {
            reason(
                ["descriptor left at exit", "descriptors left at exit"],
                &self.left,
            )
        });
        let reasons: Vec<_> = sums.chain(left.flatten()).collect();
        let gate = &self.gate;
        (!reasons.is_empty()).then(|| format!("{}, --fail-on {gate}", reasons.join(", ")))
    }

    fn count(&mut self, finding: &Finding) {
        let (verdict, largest) = (finding.verdict, Largest::of(finding));
        if finding.is_final() {
            self.add(verdict, largest);
        } else {
            let counted = Counted { verdict, largest };
            self.living.insert(finding.id, counted);
        }
    }

    fn add(&mut self, verdict: Verdict, largest: Largest) {
        self.over.entry(verdict).or_default().add(1, largest);
    }

    fn left(&mut self, finding: &Finding) {
        let descriptors = finding.left_descriptors();
        if descriptors > 0 {
            self.left.add(descriptors, Largest::of(finding));
        }
    }

    /// All of a verdict, over or not.
    fn sum(&self, verdict: Verdict) -> Sum {
        let mut sum = self.over.get(&verdict).cloned().unwrap_or_default();
        let living = self.living.values();
        for counted in living.filter(|it| it.verdict == verdict) {
            sum.add(1, counted.largest.clone());
        }
        sum
    }
}

impl Sum {
    fn add(&mut self, count: u64, other: Largest) {
        self.count = self.count.saturating_add(count);
        // Of equals the one that comes first in the alphabet, so that the line is always the same.
        let key = |it: &Largest| (std::cmp::Reverse(it.size), it.what.clone());
        if self.largest.as_ref().is_none_or(|it| key(&other) < key(it)) {
            self.largest = Some(other);
        }
    }
}

impl Largest {
    fn of(finding: &Finding) -> Self {
        Self {
            size: finding.open_bytes.unwrap_or(finding.open_count),
            what: what(finding),
        }
    }
}

/// `files from load_orders (orders.c:41) of api[7], 16 of them`.
fn what(finding: &Finding) -> String {
    let who = who(&finding.process);
    if let Some(Limit {
        name, value, used, ..
    }) = finding
        .limit
        .as_ref()
        .filter(|_| finding.verdict == Verdict::Exhaustion)
    {
        return format!("{used} of {name} {value} in use by {who}");
    }
    let from = match cut(&finding.origin_text(), PLACE_MAX) {
        place if place.is_empty() => place,
        place => format!(" from {place}"),
    };
    let noun = finding.kind.noun(2);
    match finding.verdict {
        Verdict::Growth => format!("{noun}{from} of {who}"),
        _ => format!("{noun}{from} of {who}, {} of them", finding.open_count),
    }
}

/// `api[7]`, or `pid 7` where no name is known.
fn who(process: &ProcessInfo) -> String {
    let label = cut(&process.label(), NAME_MAX);
    if process.name.is_none() && process.executable.is_none() {
        return label;
    }
    format!("{label}[{}]", process.id.tgid)
}

/// The beginning of a text that programs choose.
fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    let begin = text.chars().take(most.saturating_sub(1));
    begin.chain(['…']).collect()
}

/// One of a verdict, and many.
fn noun(verdict: Verdict) -> [&'static str; 2] {
    match verdict {
        Verdict::Leak => ["leak", "leaks"],
        Verdict::Suspect => ["suspected leak", "suspected leaks"],
        Verdict::Exhaustion => ["count near its limit", "counts near their limits"],
        Verdict::Growth => ["process that keeps growing", "processes that keep growing"],
        Verdict::Aged | Verdict::Left | Verdict::Inherited | Verdict::Cleared | Verdict::Hoard => {
            ["finding", "findings"]
        }
    }
}

fn reason([one, many]: [&str; 2], sum: &Sum) -> Option<String> {
    let Sum { count, largest } = sum;
    let head = match count {
        0 => return None,
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    };
    let largest = largest.as_ref().map(|it| &it.what);
    Some(largest.map_or_else(|| head.clone(), |what| format!("{head} ({what})")))
}

#[cfg(test)]
mod tests;
