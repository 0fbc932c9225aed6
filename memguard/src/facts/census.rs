//! What each watched process holds when memguard comes.

use hashbrown::HashSet;

use crate::{
    judge::question::{Answer, CensusRequest},
    model::observed::HeldBefore,
    source::{
        kernel,
        procfs::{CENSUS_DESCRIPTORS, CensusRound, Procfs},
    },
};

/// Counts each, and says of which it held many of the same; of those that have gone meanwhile
/// nothing is told.
pub(super) fn census<E>(
    procfs: &Procfs,
    requests: Vec<CensusRequest>,
    mut tell: impl FnMut(Answer) -> Result<(), E>,
) -> Result<(), E> {
    let stamp = kernel::now();
    let mut round = CensusRound::new(procfs, CENSUS_DESCRIPTORS);
    for request in requests {
        let preexisting: HashSet<u32> = request.preexisting.into_iter().collect();
        let was_open = |fd: u32| preexisting.contains(&fd);
        let Ok(counted) = round.census(request.tgid, was_open, stamp) else {
            continue;
        };
        let held = HeldBefore {
            process: (*counted.census.process).clone(),
            piles: counted.piles,
            complete: !counted.census.partial,
        };
        tell(Answer::Census(Box::new(counted.census)))?;
        if !held.piles.is_empty() {
            tell(Answer::HeldBefore(Box::new(held)))?;
        }
    }
    Ok(())
}
