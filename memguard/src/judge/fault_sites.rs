//! Who touches new memory: samples of page faults are unwound like the windows of acquisitions,
//! kept by process and page, and told with a growth.
//!
//! What of the samples counts is decided when it is told: those in anonymous memory that the
//! process has mapped now, and has not given back and acquired anew since.

use std::cmp::Reverse;

use hashbrown::HashMap;

use super::Context;
use crate::{
    judge::{
        fault_samples::{FaultSample, FaultSamples},
        question::Inspected,
    },
    ledger::population::GroupId,
    model::{
        fault::PERIOD,
        finding::{TouchSite, Touched},
        ids::ProcessId,
        memory::{HeldRange, PAGE},
        observed::MappedRange,
        origin::StackId,
        resource::Kind,
    },
    origin::WINDOWS,
};

/// Most samples that wait to be unwound: what is acquired needs room too.
const WAITING: usize = WINDOWS / 2;
/// Stacks that are named of one process; what others touched is told without a name.
const STACKS: usize = 64;
/// Places named with a growth.
const SITES: usize = 10;

/// Stacks with how many samples each has, the most first.
pub type Touchers = Vec<(StackId, u64)>;

/// See the module.
#[derive(Debug, Default)]
pub struct FaultSites {
    enabled: bool,
    touches: FaultSamples,
    /// Samples that are being unwound.
    waiting: usize,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Samples of watched processes.
    sampled: u64,
    /// Those that found no room, of any process, and those that have no window.
    lost: u64,
    /// Those that came to a stack.
    unwound: u64,
}

impl FaultSites {
    /// `enabled` says whether faults are sampled at all.
    pub fn new(enabled: bool) -> Self {
        Self {
            enabled,
            ..Self::default()
        }
    }

    /// Whether a growth of this kind is told with who touched the memory.
    pub fn are_told(&self, kind: Kind) -> bool {
        self.enabled && kind == Kind::HeapAnon
    }

    /// A fault of a process was sampled; true where it is to be unwound.
    pub fn sampled(&mut self, process: ProcessId, has_window: bool) -> bool {
        self.counts.sampled += 1;
        if !self.touches.wants(process) {
            return false;
        }
        let room = has_window && self.waiting < WAITING;
        if room {
            self.waiting += 1;
        } else {
            self.counts.lost += 1;
        }
        room
    }

    /// A sample has come to a stack.
    pub fn unwound(&mut self, process: ProcessId, touch: FaultSample) {
        self.waiting = self.waiting.saturating_sub(1);
        self.counts.unwound += 1;
        self.touches.add(process, touch);
    }

    /// Samples were lost, or could not be unwound.
    pub fn lost(&mut self, count: u64) {
        self.counts.lost = self.counts.lost.saturating_add(count);
    }

    /// One that was to be unwound was not.
    pub fn refused(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
        self.lost(1);
    }

    /// A process has ended, or runs another program.
    pub fn forget(&mut self, process: ProcessId) {
        self.touches.forget(process);
    }

    /// Whether samples of a process are kept; for tests.
    pub fn mentions(&self, process: ProcessId) -> bool {
        self.touches.of(process).1.next().is_some()
    }

    /// Counters for the summary.
    pub fn counters(&self) -> Vec<(String, u64)> {
        if !self.enabled {
            return Vec::new();
        }
        let Counts {
            sampled,
            lost,
            unwound,
        } = self.counts;
        [
            ("faults.sampled", sampled),
            ("faults.lost", lost),
            ("faults.unwound", unwound),
        ]
        .map(|(name, count)| (name.to_owned(), count))
        .into()
    }

    /// Who touched the memory that a process has, as far as it is still there.
    pub fn touchers(
        &self,
        context: &Context,
        group: GroupId,
        inspected: &Inspected,
    ) -> Option<Touchers> {
        if !self.are_told(group.kind) {
            return None;
        }
        let held: Vec<HeldRange> = context.ledger.memory.held_by(group.process).collect();
        let (weight, touches) = self.touches.of(group.process);
        let mut stacks: HashMap<StackId, u64> = HashMap::new();
        for touch in touches.filter(|touch| is_there(touch, &inspected.mapped, &held)) {
            *stacks.entry(touch.stack).or_default() += weight;
        }
        let mut touchers: Touchers = stacks.into_iter().collect();
        touchers.sort_unstable_by_key(|(stack, samples)| (Reverse(*samples), *stack));
        Some(touchers)
    }

    /// By function of the program's own code, for each line of it is a stack of its own.
    pub fn describe(&self, context: &Context, touchers: &Touchers) -> Touched {
        let mut sites: Vec<(Option<String>, TouchSite)> = Vec::new();
        for (at, (stack, samples)) in touchers.iter().enumerate() {
            let (function, place) = toucher(context, (at < STACKS).then_some(*stack));
            match sites.iter_mut().find(|(known, _)| *known == function) {
                Some((_, site)) => site.samples = site.samples.saturating_add(*samples),
                None => sites.push((function, site(place, *samples))),
            }
        }
        let mut sites: Vec<_> = sites.into_iter().map(|(_, site)| sized(site)).collect();
        sites.sort_by_key(|site| Reverse(site.bytes));
        sites.truncate(SITES);
        Touched {
            period: PERIOD,
            lost: self.counts.lost,
            sites,
        }
    }
}

/// The stacks whose names are wanted.
pub fn stacks(touchers: &Touchers) -> impl Iterator<Item = StackId> {
    touchers.iter().take(STACKS).map(|(stack, _)| *stack)
}

/// Function and place; the place alone where the function has no name.
fn toucher(context: &Context, stack: Option<StackId>) -> (Option<String>, Option<String>) {
    let Some(origin) = context.names.origin(stack) else {
        return (None, None);
    };
    let frame = origin.stack.application_frame();
    let function = frame.and_then(|frame| frame.function.as_deref());
    let function = function.map(str::to_owned);
    (function.or_else(|| origin.place.clone()), origin.place)
}
fn site(place: Option<String>, samples: u64) -> TouchSite {
    TouchSite {
        place,
        bytes: 0,
        samples,
    }
}

fn sized(site: TouchSite) -> TouchSite {
    let faults = site.samples.saturating_mul(PERIOD);
    TouchSite {
        bytes: faults.saturating_mul(PAGE),
        ..site
    }
}

/// Whether what was touched is still there: in anonymous memory that is the process's own, and not
/// acquired anew since. Both lists are in the order of addresses.
fn is_there(touch: &FaultSample, mapped: &[MappedRange], held: &[HeldRange]) -> bool {
    let page = touch.page;
    let at = mapped.partition_point(|mapped| mapped.range.end <= page);
    let anonymous = mapped
        .get(at)
        .is_some_and(|mapped| mapped.range.start <= page && !mapped.shared && !mapped.of_file);
    let at = held.partition_point(|piece| piece.range.end <= page);
    let anew = held
        .get(at)
        .is_some_and(|piece| piece.range.start <= page && touch.stamp < piece.mapped.stamp);
    anonymous && !anew
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        ids::Stamp,
        memory::{Mapped, Range, SpaceId},
        resource::Call,
    };

    const PROCESS: ProcessId = ProcessId {
        tgid: 42,
        start_ticks: 7,
    };

    fn mapped(start: u64, shared: bool, of_file: bool) -> MappedRange {
        MappedRange {
            range: range(start),
            protection: 3,
            shared,
            of_file,
        }
    }

    fn range(start: u64) -> Range {
        Range {
            start,
            end: start + 0x2000,
        }
    }

    /// Acquired at nanosecond 100.
    fn held(start: u64) -> HeldRange {
        let mapped = Mapped {
            stamp: Stamp(100),
            space: SpaceId(1),
            range: range(start),
            process: PROCESS,
            tid: 42,
            call: Call::Mmap,
            protection: 3,
            flags: 0,
        };
        HeldRange {
            mapped,
            range: mapped.range,
            stack: None,
        }
    }

    #[track_caller]
    fn check(page: u64, stamp: u64, expected: bool) {
        let mapped = [
            mapped(0x1000, false, true),
            mapped(0x4000, false, false),
            mapped(0x6000, false, false),
            mapped(0x8000, true, false),
        ];
        let held = [held(0x4000), held(0xf000)];
        let touch = FaultSample::new(page, Stamp(stamp), StackId(1));
        assert_eq!(is_there(&touch, &mapped, &held), expected, "{page:x}");
    }

    #[test]
    fn anonymous_memory_that_is_still_there_counts() {
        check(0x5fff, 101, true);
        // Acquired before memguard came.
        check(0x6000, 1, true);
    }

    #[test]
    fn files_what_is_shared_and_what_is_gone_do_not() {
        check(0x1000, 200, false);
        check(0x8000, 200, false);
        check(0x3000, 200, false);
        check(0xf000, 200, false);
        // It has been given back, and acquired anew.
        check(0x5000, 99, false);
    }
}
