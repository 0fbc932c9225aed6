//! What each watched process holds when memguard comes.

use super::Agent;
use crate::{
    model::report::Report,
    source::{
        kernel,
        procfs::{CENSUS_DESCRIPTORS, CensusRound},
    },
};

impl Agent {
    /// Counts, and tells the sinks.
    pub(super) fn census(&mut self, tgids: &[u32]) {
        let stamp = kernel::now();
        let mut round = CensusRound::new(&self.procfs, CENSUS_DESCRIPTORS);
        for tgid in tgids {
            let Ok(id) = self.procfs.identity(*tgid) else {
                continue;
            };
            let seeds = self
                .ledger
                .processes
                .get(id)
                .map(|process| &process.preexisting);
            let preexisting = |fd: u32| seeds.is_some_and(|seeds| seeds.contains(&fd));
            if let Ok(census) = round.census(*tgid, preexisting, stamp) {
                self.out.report(&Report::Census(census));
            }
        }
        self.out.flush();
    }
}
