//! What is known without a stack: where one site alone may have made it, it is told with that and
//! never beside it. It decides nothing: only a site that is told anyway is joined.

use std::collections::BTreeMap;

use super::{descriptors::Verified, exits::Left};
use crate::{
    ledger::{HeldFd, population::GroupId},
    model::{finding::Verdict, resource::Call},
};

/// The only one of these sites that makes handles by each of these calls; `None` where there are
/// several, or none.
pub fn only_site<T>(sites: impl IntoIterator<Item = (T, Vec<Call>)>, calls: &[Call]) -> Option<T> {
    let makes = |of_site: &[Call]| calls.iter().all(|call| of_site.contains(call));
    let mut likely = sites.into_iter().filter(|(_, of_site)| makes(of_site));
    let (site, _) = likely.next().filter(|_| !calls.is_empty())?;
    likely.next().is_none().then_some(site)
}

/// What a process left without a stack goes to the site that it is likely of.
pub fn join(left: &mut Vec<Left>) {
    let without = |left: &mut Left| left.group.stack.is_none() && left.group.topic.is_none();
    for unknown in left.extract_if(.., without).collect::<Vec<_>>() {
        let same = |it: &Left| {
            it.group.kind == unknown.group.kind
                && (it.verdict == Verdict::Inherited) == (unknown.verdict == Verdict::Inherited)
        };
        let sites = left.iter().enumerate().filter(|(_, it)| same(it));
        let sites = sites.map(|(at, it)| (at, calls(&it.held)));
        let likely = only_site(sites, &calls(&unknown.held));
        match likely.and_then(|at| left.get_mut(at)) {
            Some(site) => site.without_stack.extend(unknown.held),
            None => left.push(unknown),
        }
    }
}

/// Takes out what has no stack where one site alone may have made it; how many more each site has
/// by that.
pub fn join_verified(groups: &mut BTreeMap<GroupId, Verified>) -> BTreeMap<GroupId, u64> {
    let mut more = BTreeMap::new();
    let unknown = |group: &GroupId| group.stack.is_none() && group.topic.is_none();
    let without: Vec<_> = groups.keys().copied().filter(unknown).collect();
    for group in without {
        let sites = groups
            .iter()
            .filter(|(site, _)| site.kind == group.kind && site.stack.is_some());
        let sites = sites.map(|(site, verified)| (*site, verified.calls()));
        let calls = groups.get(&group).map(Verified::calls).unwrap_or_default();
        if let Some(site) = only_site(sites, &calls)
            && let Some(joined) = groups.remove(&group)
        {
            *more.entry(site).or_default() += joined.survivors.len() as u64;
        }
    }
    more
}

fn calls(held: &[HeldFd]) -> Vec<Call> {
    super::calls(held.iter().map(|held| held.acquired.call))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::testing::{PROCESS, acquired},
        model::{origin::StackId, resource::Kind},
    };

    fn left(stack: Option<u32>, call: Call, fds: &[u32]) -> Left {
        let held = fds.iter().map(|fd| {
            let mut held = HeldFd::from(acquired(*fd, 10));
            held.acquired.call = call;
            held
        });
        Left {
            group: GroupId {
                stack: stack.map(StackId),
                ..GroupId::of(PROCESS, Kind::File)
            },
            verdict: Verdict::Left,
            held: held.collect(),
            without_stack: Vec::new(),
        }
    }

    /// How many each has with a stack of its own, and without.
    fn joined(mut all: Vec<Left>) -> Vec<(Option<u32>, usize, usize)> {
        join(&mut all);
        let counts = all.iter().map(|it| {
            let stack = it.group.stack.map(|it| it.0);
            (stack, it.held.len(), it.without_stack.len())
        });
        counts.collect()
    }

    #[test]
    fn the_only_site_of_that_call_gets_them() {
        let (open, dup) = (Call::Openat, Call::Dup);
        let unknown = || left(None, open, &[7, 8]);
        assert_eq!(
            joined(vec![unknown(), left(Some(1), open, &[3, 4, 5])]),
            [(Some(1), 3, 2)]
        );
        assert_eq!(
            joined(vec![unknown(), left(Some(1), dup, &[3])]),
            [(Some(1), 1, 0), (None, 2, 0)],
            "another call"
        );
        assert_eq!(
            joined(vec![
                unknown(),
                left(Some(1), open, &[3]),
                left(Some(2), open, &[4])
            ]),
            [(Some(1), 1, 0), (Some(2), 1, 0), (None, 2, 0)],
            "either may be it"
        );
        assert_eq!(
            joined(vec![
                unknown(),
                left(Some(1), open, &[3]),
                left(Some(2), dup, &[4])
            ]),
            [(Some(1), 1, 2), (Some(2), 1, 0)]
        );
        assert_eq!(joined(vec![unknown()]), [(None, 2, 0)]);
    }

    #[test]
    fn what_another_program_left_stays_apart() {
        let inherited = Left {
            verdict: Verdict::Inherited,
            ..left(None, Call::Openat, &[7])
        };
        assert_eq!(
            joined(vec![inherited, left(Some(1), Call::Openat, &[3])]),
            [(Some(1), 1, 0), (None, 1, 0)]
        );
    }
}
