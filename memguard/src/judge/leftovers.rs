//! What the processes hold that outlive the command of `run`: when the grace is over they are
//! judged as they stand, as if they ended.

use std::collections::BTreeMap;

use super::{Context, descriptors::Verified, exits};
use crate::{
    detect::History,
    judge::question::Inspected,
    ledger::{HeldFd, population::GroupId},
    model::{
        finding::{Finding, Moment, Verdict},
        ids::ProcessId,
    },
};

/// Handles of processes that run, by group, the oldest first.
pub fn groups(context: &Context) -> BTreeMap<GroupId, Vec<HeldFd>> {
    let mut groups: BTreeMap<GroupId, Vec<HeldFd>> = BTreeMap::new();
    for held in context.ledger.held() {
        let group = GroupId::from(held);
        let meant = held.acquired.is_standard() || context.is_inherited(held);
        if !meant && context.wants(group.kind) && is_judged(context, group.process) {
            groups.entry(group).or_default().push(*held);
        }
    }
    for held in groups.values_mut() {
        held.sort_unstable_by_key(|held| held.acquired.stamp);
    }
    groups
}

fn is_judged(context: &Context, process: ProcessId) -> bool {
    let known = context.ledger.processes.get(process);
    known.is_some_and(|process| !context.is_naming(process))
}

/// The finding about one group; `told` says that it is told to leak already.
pub fn describe(
    context: &Context,
    verified: &Verified,
    history: &History,
    inspected: &Inspected,
    told: bool,
) -> Finding {
    let group = verified.group;
    let life = [context.observed_from(group.process), context.now];
    let survivors = &verified.survivors;
    let piled_up = !told && exits::has_piled_up(context, group, survivors, history, life);
    Finding {
        verdict: if piled_up {
            Verdict::Leak
        } else {
            Verdict::Left
        },
        moment: Moment::End,
        ..verified.describe(context, history, inspected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::{holding, redirect_output};

    #[test]
    fn everything_but_standard_descriptors_is_left() {
        let mut context = holding(2, [(5, 99), (6, 98)]);
        redirect_output(&mut context, 10);
        let groups = groups(&context);
        let held: Vec<_> = groups.values().flatten().collect();
        let fds: Vec<_> = held.iter().map(|held| held.acquired.fd).collect();
        assert_eq!(fds, [6, 5], "however short, the oldest first");
    }
}
