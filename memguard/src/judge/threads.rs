//! Stacks of threads that have ended and that nobody freed by joining.

use std::collections::BTreeMap;

use super::{Context, usage::Usages};
use crate::model::{ids::ProcessId, resource::Kind};

/// glibc keeps stacks of threads that have ended for the next ones, up to this many bytes:
/// `nptl/allocatestack.c`, `stack_cache_maxsize`.
const CACHED: u64 = 40 << 20;

/// Counts the stacks beyond those of the threads that run.
pub fn count(context: &Context, usages: &mut Usages) {
    let mut stacks: BTreeMap<ProcessId, u64> = BTreeMap::new();
    for piece in context.ledger.memory.held() {
        if piece.mapped.is_stack()
            && let Some(group) = context.ledger.memory.group_of(&piece)
        {
            let count = stacks.entry(group.process).or_default();
            *count = count.saturating_add(1);
        }
    }
    for (process, count) in stacks {
        let threads = usages.last(process).and_then(|usage| usage.threads);
        // The first thread's stack was not mapped by a call.
        let running = threads.map_or(u64::MAX, |threads| u64::from(threads).saturating_sub(1));
        let idle = count.saturating_sub(running);
        usages.count(process, Kind::Unjoined, context.now, 0, idle);
    }
}

/// How many idle stacks may be kept for the next threads, whose own have been joined.
pub fn cached(context: &Context, process: ProcessId) -> u64 {
    let held = context.ledger.memory.held_by(process);
    let stacks = held.filter(|piece| piece.mapped.is_stack());
    let smallest = stacks.map(|piece| piece.range.bytes()).min();
    CACHED / smallest.unwrap_or(CACHED).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::testing::{PROCESS, context, mapped},
        model::{event::Event, memory::Mapped},
    };

    #[test]
    fn so_many_stacks_as_the_library_keeps_are_not_unjoined() {
        let mut context = context();
        let stack = Mapped {
            flags: mapped(0, 1, 1).flags | libc::MAP_STACK as u32,
            ..mapped(0x1000, 2048, 20)
        };
        assert_eq!(cached(&context, PROCESS), 1, "none is known");
        context.ledger.apply(Event::Mapped(stack));
        assert_eq!(cached(&context, PROCESS), 5, "of 8 MiB each");
    }
}
