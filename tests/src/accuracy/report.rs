//! What memguard told of all workloads, and what that is worth.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;

use super::{Claim, Outcome, Row, RunningWorkload, WorkloadPool, judge::Observed};
use crate::{
    finding::Finding,
    lines::{Lines, text},
    times::unix_seconds,
};

/// All rows.
#[derive(Debug)]
pub struct Report {
    /// One for each workload, in the order of the catalogue.
    pub rows: Vec<Row>,
}

impl Report {
    /// Of workloads that lost something for `span` from when memguard came.
    ///
    /// # Panics
    ///
    /// When a finding is of a process that no workload has.
    pub fn of(pool: &WorkloadPool, lines: &Lines, span: Duration) -> Self {
        let roots = pool.running.iter().map(|workload| u64::from(workload.pid));
        let owners = owners(roots.collect(), lines);
        let mut findings: BTreeMap<u64, Vec<Finding<'_>>> = BTreeMap::new();
        for finding in lines.finding_lines() {
            let owner = owners.get(&finding.pid());
            let owner = owner.unwrap_or_else(|| panic!("of no workload: {finding}"));
            findings.entry(*owner).or_default().push(finding);
        }
        let attached = lines.events("memguard.agent.started");
        let attached = attached.first().map(|line| text(line, "/timestamp"));
        let attached = attached.map_or(0.0, unix_seconds);
        let row = |workload: &RunningWorkload| {
            let of_it = findings.get(&u64::from(workload.pid));
            let observed = Observed {
                workload: workload.workload,
                said: workload.said(),
                milestones: workload.milestones(),
                begun: workload.begun,
                attached,
                lost_until: workload.begun + (workload.age + span).as_secs_f64(),
                findings: of_it.map_or(&[][..], Vec::as_slice),
            };
            observed.judged()
        };
        Self {
            rows: pool.running.iter().map(row).collect(),
        }
    }

    /// Those with this outcome.
    pub fn with(&self, outcome: Outcome) -> Vec<&Row> {
        let rows = self.rows.iter();
        rows.filter(|row| row.outcome == outcome).collect()
    }

    /// Workloads that leak.
    pub fn leaking(&self) -> usize {
        self.rows.iter().filter(|row| row.workload.leaks).count()
    }

    /// Workloads that do not.
    pub fn healthy(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.workload.leaks)
    }

    /// All lines that may be so or not.
    pub fn claims(&self) -> Vec<Claim> {
        let claims = self.rows.iter().flat_map(|row| &row.claims);
        claims.copied().collect()
    }

    /// Alarms that are not so.
    pub fn false_alarms(&self) -> usize {
        self.rows.iter().map(|row| row.false_alarms.len()).sum()
    }

    /// Leaks that were found, beside a false alarm or not.
    pub fn hits(&self) -> usize {
        let found = |row: &&Row| match row.outcome {
            Outcome::Hit => true,
            Outcome::False => row.workload.leaks && row.held_and_told.is_some(),
            Outcome::Miss | Outcome::Clean => false,
        };
        self.rows.iter().filter(found).count()
    }

    /// Of the leaks, the share that was found.
    pub fn recall(&self) -> f64 {
        self.hits() as f64 / self.leaking().max(1) as f64
    }

    /// Of the alarms, the share that is so.
    pub fn precision(&self) -> f64 {
        let hits = self.hits() as f64;
        hits / (hits + self.false_alarms() as f64).max(1.0)
    }
}

/// Whose workload each process belongs to, by its parents: the first process of it.
fn owners(roots: BTreeSet<u64>, lines: &Lines) -> BTreeMap<u64, u64> {
    let number = |line: &Value, at: &str| line.pointer(at).and_then(Value::as_u64);
    let pair = |line: &Value| {
        Some((
            number(line, "/process/pid")?,
            number(line, "/process/parent_pid")?,
        ))
    };
    let parents: BTreeMap<u64, u64> = lines.all().iter().filter_map(pair).collect();
    let mut owners: BTreeMap<u64, u64> = roots.iter().map(|root| (*root, *root)).collect();
    loop {
        let adopted: Vec<_> = parents
            .iter()
            .filter(|(pid, _)| !owners.contains_key(pid))
            .filter_map(|(pid, parent)| Some((*pid, *owners.get(parent)?)))
            .collect();
        if adopted.is_empty() {
            return owners;
        }
        owners.extend(adopted);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::owners;
    use crate::lines::Lines;

    #[test]
    fn grandchildren_belong_to_the_workload() {
        let line = |pid, parent| json!({"process": {"pid": pid, "parent_pid": parent}});
        let lines = Lines::of(vec![line(9, 8), line(8, 7), line(6, 1)]);
        let owners = owners(BTreeSet::from([7]), &lines);
        assert_eq!(
            owners.into_iter().collect::<Vec<_>>(),
            [(7, 7), (8, 7), (9, 7)]
        );
    }
}
