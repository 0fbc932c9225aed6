//! What memguard told of all workloads, and what that is worth.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Outcome, Row, Staff, Worker, judge::judge};
use crate::{finding::Finding, lines::Lines};

/// All rows.
#[derive(Debug)]
pub struct Report {
    /// One for each workload, in the order of the catalogue.
    pub rows: Vec<Row>,
}

impl Report {
    /// Of workloads that began at `begun`, in seconds since 1970.
    ///
    /// # Panics
    ///
    /// When a finding is of a process that no workload has.
    pub fn of(staff: &Staff, lines: &Lines, begun: f64) -> Self {
        let roots = staff.workers.iter().map(|worker| u64::from(worker.pid));
        let owners = owners(roots.collect(), lines);
        let mut findings: BTreeMap<u64, Vec<Finding<'_>>> = BTreeMap::new();
        for finding in lines.finding_lines() {
            let owner = owners.get(&finding.pid());
            let owner = owner.unwrap_or_else(|| panic!("of no workload: {finding}"));
            findings.entry(*owner).or_default().push(finding);
        }
        let row = |worker: &Worker| {
            let of_it = findings.get(&u64::from(worker.pid));
            let of_it = of_it.map_or(&[][..], Vec::as_slice);
            judge(worker.workload, &worker.said(), of_it, begun)
        };
        Self {
            rows: staff.workers.iter().map(row).collect(),
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

    /// Alarms that are not so.
    pub fn false_alarms(&self) -> usize {
        self.rows.iter().map(|row| row.false_alarms.len()).sum()
    }

    /// Leaks that were found, beside a false alarm or not.
    pub fn hits(&self) -> usize {
        let found = |row: &&Row| row.workload.leaks && row.held_and_told.is_some();
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
