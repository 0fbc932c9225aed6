//! Finds out who touches new memory: samples of page faults are unwound like the windows of
//! acquisitions, kept by process and page, and told with a growth.
//!
//! What of the samples counts is decided when it is told: those in anonymous memory that the
//! process has mapped now, and has not given back and acquired anew since.

use std::{cmp::Reverse, time::Duration};

use hashbrown::HashMap;

use super::{Agent, Stacks};
use crate::{
    ledger::population::GroupId,
    model::{
        fault::{Fault, FaultEvent, PERIOD},
        finding::{TouchSite, Touched},
        ids::{ProcessId, Stamp},
        memory::{PAGE, Piece},
        origin::StackId,
        resource::Kind,
    },
    origin::{Subject, WINDOWS, Work},
    source::{kernel, procfs::MappedRange},
    touches::{Touch, Touches},
};

/// How often samples are taken: their rings hold no more.
pub(super) const EVERY: Duration = Duration::from_millis(50);
/// Most samples that wait to be unwound: what is acquired needs room too.
const WAITING: usize = WINDOWS / 2;
/// Stacks that are named of one process; what others touched is told without a name.
const STACKS: usize = 64;
/// Places named with a growth.
const SITES: usize = 10;
/// Longest time that a growth is held back until those who touch are named, once: there may always
/// be new ones.
const NAMING: Duration = Duration::from_secs(15);

/// Stacks with how many samples each has, the most first.
pub(super) type Touchers = Vec<(StackId, u64)>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Faults {
    source: Option<kernel::faults::Faults>,
    /// Why there are no samples, where they were asked for.
    pub(super) missing: Option<(String, String)>,
    touches: Touches,
    /// Samples that are being unwound.
    waiting: usize,
    /// Growths that were held back, and since when.
    held_back: HashMap<ProcessId, Stamp>,
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

impl Faults {
    /// Begins to sample. What cannot be had is said once: memguard goes on without it.
    pub(super) fn start() -> Self {
        let opened = kernel::faults::Faults::open();
        let missing = opened.as_ref().err();
        Self {
            missing: missing.map(|error| ("page-fault samples".to_owned(), error.to_string())),
            source: opened.ok(),
            ..Self::default()
        }
    }

    /// Whether there are samples to take.
    pub(super) fn are_sampled(&self) -> bool {
        self.source.is_some()
    }

    /// Memory of the rings in the kernel.
    pub(super) fn bytes(&self) -> u64 {
        self.source
            .as_ref()
            .map_or(0, kernel::faults::Faults::bytes)
    }

    /// A process has ended, or runs another program.
    pub(super) fn forget(&mut self, process: ProcessId) {
        self.touches.forget(process);
        self.held_back.remove(&process);
    }

    /// Has a sample unwound, where it is wanted and there is room.
    fn sampled(&mut self, process: ProcessId, fault: Fault, stacks: &mut Stacks) {
        self.counts.sampled += 1;
        if !self.touches.wants(process) {
            return;
        }
        let room = self.waiting < WAITING;
        let Some(work) = work(process, fault).filter(|_| room) else {
            self.counts.lost += 1;
            return;
        };
        if stacks.request(work) {
            self.waiting += 1;
        } else {
            self.counts.lost += 1;
        }
    }

    /// A sample has come to a stack.
    pub(super) fn unwound(&mut self, process: ProcessId, touch: Touch) {
        self.waiting = self.waiting.saturating_sub(1);
        self.counts.unwound += 1;
        self.touches.touched(process, touch);
    }

    /// Counters for the summary.
    pub(super) fn counters(&self) -> Vec<(String, u64)> {
        if !self.are_sampled() {
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

    /// Whether a growth of this process may still wait for names.
    fn may_wait(&mut self, process: ProcessId, now: Stamp) -> bool {
        let since = *self.held_back.entry(process).or_insert(now);
        now.since(since) < NAMING
    }
}

fn work(process: ProcessId, fault: Fault) -> Option<Work> {
    let Fault {
        stamp,
        address,
        window,
        ..
    } = fault;
    Some(Work {
        subject: Subject::Touch { address, stamp },
        process,
        stamp,
        window: window?,
    })
}

impl Agent {
    /// Takes the samples that are there.
    pub(super) fn take_faults(&mut self) {
        let Self {
            faults,
            ledger,
            stacks,
            ..
        } = self;
        let Some(mut source) = faults.source.take() else {
            return;
        };
        source.drain(&mut |event| match event {
            FaultEvent::Sampled(fault) => {
                if let Some(process) = ledger.processes.running_as(fault.tgid) {
                    faults.sampled(process, fault, stacks);
                }
            }
            FaultEvent::Lost { count } => faults.counts.lost += count,
        });
        faults.source = Some(source);
    }

    /// Who touched the memory that a process has, as far as it is still there.
    pub(super) fn touchers(&self, group: GroupId) -> Option<Touchers> {
        let anonymous = group.kind == Kind::HeapAnon;
        if !anonymous || !self.faults.are_sampled() {
            return None;
        }
        let process = group.process;
        let mapped = self.procfs.mapped_ranges(process.tgid).unwrap_or_default();
        let held: Vec<Piece> = self.ledger.memory.held_by(process).collect();
        let (weight, touches) = self.faults.touches.of(process);
        let mut stacks: HashMap<StackId, u64> = HashMap::new();
        for touch in touches.filter(|touch| is_there(touch, &mapped, &held)) {
            *stacks.entry(touch.stack).or_default() += weight;
        }
        let mut touchers: Touchers = stacks.into_iter().collect();
        touchers.sort_unstable_by_key(|(stack, samples)| (Reverse(*samples), *stack));
        Some(touchers)
    }

    /// Whether a growth is to be told without waiting for who touched the memory.
    pub(super) fn are_touchers_named(
        &mut self,
        process: ProcessId,
        touchers: Option<&Touchers>,
        now: Stamp,
    ) -> bool {
        let stacks = touchers.into_iter().flatten().take(STACKS);
        let named = self
            .stacks
            .are_named(process, stacks.map(|(stack, _)| *stack));
        named || !self.faults.may_wait(process, now)
    }

    /// By function of the program's own code, for each line of it is a stack of its own.
    pub(super) fn describe_touched(&self, touchers: &Touchers) -> Touched {
        let mut sites: Vec<(Option<String>, TouchSite)> = Vec::new();
        for (at, (stack, samples)) in touchers.iter().enumerate() {
            let (function, place) = self.toucher((at < STACKS).then_some(*stack));
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
            lost: self.faults.counts.lost,
            sites,
        }
    }

    /// Function and place; the place alone where the function has no name.
    fn toucher(&self, stack: Option<StackId>) -> (Option<String>, Option<String>) {
        let Some(origin) = self.stacks.origin(stack) else {
            return (None, None);
        };
        let frame = origin.stack.application_frame();
        let function = frame.and_then(|frame| frame.function.as_deref());
        let function = function.map(str::to_owned);
        (function.or_else(|| origin.place.clone()), origin.place)
    }
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
fn is_there(touch: &Touch, mapped: &[MappedRange], held: &[Piece]) -> bool {
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
    fn held(start: u64) -> Piece {
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
        Piece {
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
        let touch = Touch::new(page, Stamp(stamp), StackId(1));
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
