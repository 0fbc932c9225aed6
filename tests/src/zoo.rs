//! The scenario programs (`tests/programs/zoo.h`): each says itself what memguard is to report, and
//! here the two are compared.
//!
//! ```text
//! expect PID VERDICT RESOURCE KIND COUNT CALLS     "*" is any
//! met COUNT WHAT
//! SKIPPED: REASON
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use crate::{
    finding::Finding,
    invoke::Memguard,
    lines::{Lines, flag},
    machine,
    programs::program,
    running::Ran,
};

const PATIENCE: Duration = Duration::from_mins(3);

/// What is counted together: handles of one process, verdict, resource and kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    pid: Option<u64>,
    verdict: String,
    resource: String,
    kind: Option<String>,
}

impl Group {
    /// Whether `other`, which is exact, is what this one is about.
    fn covers(&self, other: &Self) -> bool {
        let Self {
            pid,
            verdict,
            resource,
            kind,
        } = self;
        let same = *verdict == other.verdict && *resource == other.resource;
        same && (pid.is_none() || *pid == other.pid) && (kind.is_none() || *kind == other.kind)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            verdict,
            resource,
            kind,
        } = self;
        let pid = pid.map_or_else(|| "*".to_owned(), |pid| pid.to_string());
        let kind = kind.as_deref().unwrap_or("*");
        write!(formatter, "{verdict} {resource}/{kind} of process {pid}")
    }
}

/// How many, and by which calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Amount {
    count: u64,
    calls: BTreeSet<String>,
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.calls.extend(other.calls);
    }

    /// Whether this exact amount is the one expected.
    fn is(&self, expected: &Self) -> bool {
        let any = expected.calls.contains("*");
        self.count == expected.count && (any || self.calls == expected.calls)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: Vec<_> = self.calls.iter().map(String::as_str).collect();
        write!(formatter, "{} by {}", self.count, calls.join(","))
    }
}

type Amounts = BTreeMap<Group, Amount>;

/// What a scenario program said of itself.
#[derive(Debug, Default)]
pub struct Account {
    expected: Amounts,
    skipped: Option<String>,
    missing: Vec<String>,
    met: BTreeMap<String, u64>,
}

impl Account {
    /// Reads what the program printed.
    pub fn of(printed: &str) -> Self {
        let mut account = Self::default();
        for line in printed.lines() {
            account.read(line);
        }
        account
    }

    fn read(&mut self, line: &str) {
        let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
        match head {
            "expect" => {
                let (group, amount) =
                    expectation(rest).unwrap_or_else(|| panic!("not an expectation: {line:?}"));
                self.expected.entry(group).or_default().add(amount);
            }
            "met" => {
                let (what, count) = met(rest).unwrap_or_else(|| panic!("met what? {line:?}"));
                *self.met.entry(what.to_owned()).or_default() += count;
            }
            "SKIPPED:" => self.skipped = Some(rest.to_owned()),
            "without" => self.missing.push(rest.to_owned()),
            _ => {}
        }
    }

    /// Why this machine cannot do it.
    pub fn skipped(&self) -> Option<&str> {
        self.skipped.as_deref()
    }

    /// Parts that this machine cannot do.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// What needs luck, and how often it came about.
    pub fn met(&self) -> &BTreeMap<String, u64> {
        &self.met
    }

    /// The processes about which something is to be reported.
    pub fn pids(&self) -> BTreeSet<u64> {
        self.expected.keys().filter_map(|group| group.pid).collect()
    }

    /// How many handles are to be reported, all in all.
    pub fn total(&self) -> u64 {
        self.expected.values().map(|amount| amount.count).sum()
    }

    /// Prints what was said, expected and reported.
    ///
    /// # Panics
    ///
    /// When these are not the same, to the last handle.
    #[track_caller]
    pub fn compare(&self, reported: &[Finding<'_>]) {
        let (count, total) = (reported.len(), crate::total(reported));
        println!(
            "{count} findings of {total} handles reported, {} expected",
            self.total()
        );
        for (what, count) in &self.met {
            println!("met: {count} {what}");
        }
        for missing in &self.missing {
            println!("SKIPPED: not on this machine: {missing}");
        }
        let differences = self.differences(reported);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }

    /// A line for each thing that is not reported as it should be, and for each that should not be
    /// reported.
    pub fn differences(&self, reported: &[Finding<'_>]) -> Vec<String> {
        differences(&self.expected, amounts(reported))
    }

    /// The same account, with every kind called "any".
    #[must_use]
    pub fn of_any_kind(&self) -> Self {
        let mut expected = Amounts::new();
        for (group, amount) in &self.expected {
            let mut amount = amount.clone();
            amount.calls = BTreeSet::from(["*".to_owned()]);
            let group = Group {
                kind: None,
                ..group.clone()
            };
            expected.entry(group).or_default().add(amount);
        }
        Self {
            expected,
            ..Self::default()
        }
    }
}

/// Reads "COUNT WHAT".
fn met(words: &str) -> Option<(&str, u64)> {
    let (count, what) = words.split_once(' ')?;
    Some((what, count.parse().ok()?))
}

/// Reads "PID VERDICT RESOURCE KIND COUNT CALLS".
fn expectation(words: &str) -> Option<(Group, Amount)> {
    let [pid, verdict, resource, kind, count, calls] =
        words.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let pid = if pid == "*" {
        None
    } else {
        Some(pid.parse().ok()?)
    };
    let group = Group {
        pid,
        verdict: verdict.to_owned(),
        resource: resource.to_owned(),
        kind: (kind != "*").then(|| kind.to_owned()),
    };
    let calls = calls.split(',').map(str::to_owned).collect();
    let count = count.parse().ok()?;
    Some((group, Amount { count, calls }))
}

/// Findings of several places of one group count together.
fn amounts(reported: &[Finding<'_>]) -> Amounts {
    let mut amounts = Amounts::new();
    for finding in reported {
        let group = Group {
            pid: Some(finding.pid()),
            verdict: finding.verdict().to_owned(),
            resource: finding.resource().to_owned(),
            kind: Some(finding.kind().to_owned()),
        };
        let calls = finding.calls().into_iter().map(str::to_owned).collect();
        let count = finding.open_count();
        amounts
            .entry(group)
            .or_default()
            .add(Amount { count, calls });
    }
    amounts
}

/// A line for each expected group that is not reported so, and for each reported one that nobody
/// expected.
fn differences(expected: &Amounts, mut reported: Amounts) -> Vec<String> {
    let mut differences = Vec::new();
    // The exact ones first, so that "any" takes only what is left.
    let mut order: Vec<_> = expected.iter().collect();
    order.sort_by_key(|(group, _)| (group.pid.is_none(), group.kind.is_none()));
    for (group, wanted) in order {
        let mut found = Amount::default();
        for (_, amount) in reported.extract_if(.., |other, _| group.covers(other)) {
            found.add(amount);
        }
        if !found.is(wanted) {
            differences.push(format!("{group}: expected {wanted}, reported {found}"));
        }
    }
    let unexpected =
        |(group, amount): (Group, Amount)| format!("{group}: expected nothing, reported {amount}");
    differences.extend(reported.into_iter().map(unexpected));
    differences
}

/// Runs a scenario under `memguard run` and compares what is reported at the exit of its processes
/// with what it said. Returns nothing where it was skipped, with the reason on screen.
#[track_caller]
pub fn at_exit(options: &[&str], name: &str, words: &[&str]) -> Option<(Ran, Account)> {
    let _alone = machine::ready()?;
    let program = program(name);
    let options: Vec<&str> = ["--kinds", "all"].iter().chain(options).copied().collect();
    let command: Vec<&str> = [program.as_str()].iter().chain(words).copied().collect();
    let ran = Memguard::run(&options, &command).finish_within(PATIENCE);
    assert_eq!(ran.code, 0, "the scenario itself: {}", ran.output());
    let account = Account::of(&ran.stdout);
    if let Some(reason) = account.skipped() {
        println!("SKIPPED: {reason}");
        return None;
    }
    Some((ran, account))
}

/// The same, and everything about the run is as it should be: nothing lost, nothing held.
#[track_caller]
pub fn exactly(name: &str, words: &[&str]) -> Option<(Ran, Account)> {
    let (ran, account) = at_exit(&[], name, words)?;
    let lines = ran.lines();
    account.compare(&reported_at_exit(&lines));
    let counters = lines.counters();
    counters.assert_identities();
    assert_eq!(counters.lost(), 0, "{counters}");
    assert_eq!(counters.get("acquisitions.held"), 0, "{counters}");
    assert_eq!(counters.get("ledger.held"), 0, "{counters}");
    assert!(
        flag(lines.summary(), "/memguard/evidence/conclusive"),
        "not conclusive: {}",
        lines.summary()
    );
    Some((ran, account))
}

/// What was left and what was inherited; the same piled up while it ran is no other thing.
pub fn reported_at_exit(lines: &Lines) -> Vec<Finding<'_>> {
    let mut reported = lines.left_behind();
    let others = lines.latest_findings();
    reported.extend(
        others
            .into_iter()
            .filter(|it| !matches!(it.verdict(), "left" | "leak")),
    );
    reported
}

#[cfg(test)]
mod tests {
    use super::{Account, Amounts, differences, expectation};

    fn amounts(lines: &[&str]) -> Amounts {
        lines
            .iter()
            .map(|line| expectation(line).unwrap())
            .collect()
    }

    /// The same groups are the same, "any" is every one that is not named, and each of the ways of
    /// being different has its line.
    #[test]
    fn differences_are_found() {
        let check = |expected: &[&str], reported: &[&str], lines: usize| {
            let found = differences(&amounts(expected), amounts(reported));
            assert_eq!(
                found.len(),
                lines,
                "{expected:?} and {reported:?}: {found:?}"
            );
        };
        let file = "7 left fd file 3 openat";
        check(&[], &[], 0);
        check(&[file], &[file], 0);
        check(&["7 left fd * 3 *"], &[file], 0);
        check(&["* left fd file 3 openat"], &[file], 0);
        check(
            &["* left fd * 5 *"],
            &[file, "8 left fd pipe 2 pipe,pipe2"],
            0,
        );
        check(
            &[file, "7 left fd * 2 pipe"],
            &[file, "7 left fd pipe 2 pipe"],
            0,
        );
        check(&[file], &[], 1);
        check(&[], &[file], 1);
        check(&[file], &["7 left fd file 4 openat"], 1);
        check(&[file], &["7 left fd file 3 open"], 1);
        check(&[file], &["8 left fd file 3 openat"], 2);
        check(&[file], &["7 inherited fd file 3 openat"], 2);
        check(&[file], &["7 left fd pipe 3 openat"], 2);
    }

    /// Lines of one group are added up, others are kept apart or left alone.
    #[test]
    fn accounts_are_read() {
        let account = Account::of(
            "hello\nexpect 7 left fd file 3 openat\nexpect 7 left fd file 4 open\nmet 2 closes\n\
             met 3 closes\nwithout bpf Operation not permitted\n",
        );
        assert_eq!(account.total(), 7);
        assert_eq!(account.expected, amounts(&["7 left fd file 7 openat,open"]));
        assert_eq!(account.met().get("closes"), Some(&5));
        assert_eq!(account.missing(), ["bpf Operation not permitted"]);
        assert_eq!(account.skipped(), None);
        assert_eq!(
            Account::of("SKIPPED: no such device\n").skipped(),
            Some("no such device")
        );
    }
}
