//! In how many places the ledger still speaks of a process: none, once its end was told.

use super::{Ledger, epoch::Epoch};
use crate::model::ids::{ProcessId, TableId};

impl Ledger {
    /// How many entries of all tables are about a process, or about its number where no other
    /// process has that. For tests and for soak tests: it looks at everything.
    ///
    /// After the end of a process was judged, its counts ([`Ledger::populations`]) remain until the
    /// agent has used and forgotten them.
    pub fn mentions(&self, process: ProcessId) -> usize {
        let populations = usize::from(self.populations.has(process));
        let parts = [
            self.in_epochs(process),
            self.by_number(process),
            self.ends.mentions(process),
            self.processes.mentions(process),
            self.memory.mentions(process),
            populations,
        ];
        parts.iter().fold(0, |sum, part| sum.saturating_add(*part))
    }

    fn in_epochs(&self, process: ProcessId) -> usize {
        let epochs = self.tables.values().flatten();
        let counts = epochs.map(|epoch| epoch.mentions(process));
        counts.fold(0, usize::saturating_add)
    }

    fn by_number(&self, process: ProcessId) -> usize {
        let tgid = process.tgid;
        if self.processes.is_number_of_another(process) {
            return 0;
        }
        let shares = |epoch: &&Epoch| epoch.is_shared_by(tgid);
        let epochs = self.tables.values().flatten().filter(shares).count();
        let placeholder = self.tables.contains_key(&TableId::placeholder(tgid));
        let borrows = self.memory.is_borrower(tgid);
        [self.shared.contains_key(&tgid), placeholder, borrows]
            .into_iter()
            .fold(epochs, |sum, found| sum.saturating_add(usize::from(found)))
    }
}
