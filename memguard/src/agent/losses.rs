//! What did not reach the agent: read from the programs' counters.

use super::Agent;
use crate::{
    engine::Input,
    judge::context::losses::{LOST, SKIPPED},
    model::ids::Stamp,
    source::kernel::{self, Counters, KernelError},
};

/// What was read last.
#[derive(Debug, Default)]
pub(super) struct LossReader {
    last: u64,
    /// That the kernel's table cannot be cleared was said.
    pub(super) complained: bool,
}

impl Agent {
    /// Reads the counters, and tells the engine.
    pub(super) fn note_losses(&mut self) {
        let at = kernel::now();
        let input = self.read_losses(at).unwrap_or_else(|error| {
            let why = format!("{:#}", anyhow::Error::from(error));
            Input::LossesUnreadable { at, why }
        });
        self.tell(input);
    }

    fn read_losses(&mut self, at: Stamp) -> Result<Input, KernelError> {
        let counters = lost(&self.kernel.counters()?);
        let sum = counters.iter().map(|(_, count)| *count);
        let sum = sum.fold(0, u64::saturating_add);
        let more = std::mem::replace(&mut self.losses.last, sum) < sum;
        let by_process = more.then(|| self.kernel.losses()).transpose()?;
        Ok(Input::Losses {
            at,
            counters,
            by_process,
        })
    }
}

fn lost(counters: &Counters) -> Vec<(String, u64)> {
    let kernel = LOST
        .iter()
        .map(|stat| (stat.name().to_owned(), counters.get(*stat)));
    kernel
        .chain([(SKIPPED.to_owned(), counters.skipped)])
        .collect()
}
