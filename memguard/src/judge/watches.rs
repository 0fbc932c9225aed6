//! Watches of inotify: a process may have any number of them in one descriptor, and its user may
//! have only so many.
//!
//! Counting them is dear, a line of the kernel each, so only processes are asked that have such a
//! descriptor: by the ledger, or by one look through what they had open when memguard came.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};

use super::{Context, sampler::Sampler, usage::Usages};
use crate::{
    ledger::population::GroupId,
    model::{ids::ProcessId, observed::InotifyWatches, resource::Kind},
};

/// Most processes that are followed; those beyond are not, and are counted.
const FOLLOWED: usize = 4096;
/// Processes that are counted at one survey; the others wait for their next turn.
const COUNTED: usize = 32;
/// Processes whose descriptors from before are looked through at one survey.
const LOOKED_THROUGH: usize = 32;

/// Who has watches, and when they are counted next.
#[derive(Debug)]
pub struct Watches {
    sampler: Sampler,
    /// Of those that have any: how many at first, and at the last count.
    counts: HashMap<ProcessId, (u64, u64)>,
    /// Whose descriptors from before were looked through.
    looked_through: HashSet<ProcessId>,
    dropped: u64,
}

impl Watches {
    /// Nobody is followed yet.
    pub fn new(sampler: Sampler) -> Self {
        Self {
            sampler,
            counts: HashMap::new(),
            looked_through: HashSet::new(),
            dropped: 0,
        }
    }

    /// Whose watches are to be counted now.
    pub fn due(&mut self, context: &Context) -> BTreeSet<ProcessId> {
        let watchers = context.ledger.held().map(GroupId::from);
        let watchers = watchers.filter(|group| group.kind == Kind::Inotify);
        let watchers: BTreeSet<_> = watchers.map(|group| group.process).collect();
        for process in watchers {
            self.follow(process, context);
        }
        let due = self.sampler.due(context.now).into_iter();
        let mut due: BTreeSet<_> = due.take(COUNTED).collect();
        due.extend(self.looked_through_now(context));
        due
    }

    fn follow(&mut self, process: ProcessId, context: &Context) {
        let known = context.ledger.processes.get(process).is_some();
        if known && !context.is_own(process) && self.counts.len() < FOLLOWED {
            self.sampler.seen(process, context.now);
        }
    }

    /// Some of those that had descriptors before memguard came, each once.
    fn looked_through_now(&mut self, context: &Context) -> Vec<ProcessId> {
        let processes = &context.ledger.processes;
        let running = processes.running().filter_map(|(_, process)| process);
        let strange = running.filter(|process| {
            let known = processes.get(*process);
            let any = known.is_some_and(|known| !known.preexisting.is_empty());
            any && !self.looked_through.contains(process)
        });
        let mut strange: Vec<_> = strange.collect();
        strange.sort_unstable();
        strange.truncate(LOOKED_THROUGH);
        self.looked_through.extend(&strange);
        strange
    }

    /// What was counted.
    pub fn counted(
        &mut self,
        process: ProcessId,
        found: InotifyWatches,
        context: &Context,
        usages: &mut Usages,
    ) {
        if found.descriptors == 0 {
            self.counts.remove(&process);
            return self.sampler.forget(process);
        }
        if !self.counts.contains_key(&process) && FOLLOWED <= self.counts.len() {
            self.dropped += 1;
            return self.sampler.forget(process);
        }
        let (watches, now) = (found.watches, context.now);
        let (first, last) = self.counts.entry(process).or_insert((watches, watches));
        let moved = std::mem::replace(last, watches) != watches;
        self.sampler.seen(process, now);
        self.sampler.sampled(process, now, moved);
        usages.count(process, Kind::InotifyWatch, now, *first, watches);
    }

    /// Processes that are not followed, for there were too many.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The process has ended.
    pub fn forget(&mut self, process: ProcessId) {
        self.sampler.forget(process);
        self.counts.remove(&process);
        self.looked_through.remove(&process);
    }

    /// Whether anything is known of a process; for tests.
    pub fn mentions(&self, process: ProcessId) -> bool {
        self.counts.contains_key(&process) || self.looked_through.contains(&process)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        detect::growth::{Outcome, Rules},
        judge::testing::{PROCESS, acquired, context, holding, second},
        model::{
            event::{Acquired, Event},
            memory::Usage,
            resource::Call,
        },
    };

    const INTERVAL: Duration = Duration::from_secs(1);

    fn watches() -> Watches {
        Watches::new(Sampler::new(INTERVAL))
    }

    fn watching() -> Context {
        let mut context = holding(2, [(5, 10)]);
        context.ledger.apply(Event::Acquired(Acquired {
            call: Call::InotifyInit1,
            ..acquired(6, 10)
        }));
        context
    }

    /// What is said of a process that has so many at each second.
    fn outcome(count: impl Fn(u64) -> u64) -> Outcome {
        let (mut context, mut watches) = (watching(), watches());
        let mut usages = Usages::new(Sampler::new(INTERVAL), Rules::default(), false);
        usages.sampled(PROCESS, Usage::default(), second(100), None);
        for at in 100..300 {
            context.now = second(at);
            if watches.due(&context).contains(&PROCESS) {
                let found = InotifyWatches {
                    descriptors: 1,
                    watches: count(at - 100),
                };
                watches.counted(PROCESS, found, &context, &mut usages);
            }
        }
        assert!(watches.mentions(PROCESS));
        watches.forget(PROCESS);
        assert!(!watches.mentions(PROCESS));
        usages.outcome(PROCESS, Kind::InotifyWatch)
    }

    #[test]
    fn watches_that_pile_up_are_told_and_others_are_not() {
        let grows = |outcome: Outcome| outcome.growing().is_some();
        assert!(grows(outcome(|at| 3 + 4 * at)));
        assert!(!grows(outcome(|_| 900)), "as many as before memguard came");
        assert!(!grows(outcome(|at| 3 + at % 30)), "they come and go");
    }

    #[test]
    fn only_who_has_an_inotify_descriptor_is_asked() {
        let due = |mut context: Context| {
            let mut watches = watches();
            watches.due(&context);
            context.now = second(102);
            watches.due(&context).contains(&PROCESS)
        };
        assert!(due(watching()));
        assert!(!due(holding(2, [(5, 10)])), "only a file");
        let (context, mut watches) = (watching(), watches());
        let mut usages = Usages::new(Sampler::new(INTERVAL), Rules::default(), false);
        watches.counted(PROCESS, InotifyWatches::default(), &context, &mut usages);
        assert!(!watches.mentions(PROCESS), "it has none any more");
    }

    /// What was open when memguard came may be one: it is looked through, once.
    #[test]
    fn descriptors_that_were_open_before_are_looked_through_once() {
        let mut context = context();
        let open = [3, 4].into_iter().collect();
        context.ledger.processes.seed(PROCESS, None, open);
        let mut watches = watches();
        assert_eq!(watches.due(&context), BTreeSet::from([PROCESS]));
        context.now = second(110);
        assert!(watches.due(&context).is_empty());
    }
}
