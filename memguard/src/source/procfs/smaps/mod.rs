//! What of some ranges of addresses is still mapped, and resident: `/proc/PID/smaps`,
//! `proc_pid_smaps(5)`.
//!
//! The kernel merges neighbours that are alike into one mapping, so a mapping may be partly in an
//! asked range, and a range may be many mappings. What of a part is resident, its pages tell. The
//! file is in order of addresses, and so are the ranges: both are gone through once (`merge`).

mod mapping;
mod merge;

use self::merge::Merge;
use super::{ProcError, Procfs};
use crate::model::{memory::Range, observed::Residency};

/// The most that is read, 0.7 KiB a mapping: as many as `maps` is read of.
const BYTES: usize = 1024 * 1024 * 1024;

impl Procfs {
    /// What is in each of some ranges, which are in order and have nothing in common. Nothing for a
    /// zombie. As dear as the mappings up to the last range are many, 1.4 µs each and more where
    /// they are large. [`ProcError::Gone`] where there is no such process.
    pub fn residency(&self, tgid: u32, ranges: &[Range]) -> Result<Vec<Residency>, ProcError> {
        let found = self.residency_of(tgid, &[ranges])?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    /// The same of several requests at once, for example of all sites of a process: the file is
    /// read and parsed a single time, however many there are. Each request is in order, and no two
    /// ranges of any have an address in common. Answers are in the order of the requests.
    pub fn residency_of(
        &self,
        tgid: u32,
        requests: &[&[Range]],
    ) -> Result<Vec<Vec<Residency>>, ProcError> {
        let mut merge = Merge::new(requests);
        let whole = self.each_line_of(tgid, "smaps", BYTES, |line| merge.line(line))?;
        self.complete(whole, tgid, "smaps")?;
        merge.flush();
        let map = merge.needs_pages().then(|| self.page_map(tgid)).flatten();
        merge.settle(map.as_ref());
        Ok(merge.answers(requests.len()))
    }
}

#[cfg(test)]
mod tests;
