//! Which code every process had mapped at any moment, from the side-band and from
//! `/proc/PID/maps`.
//!
//! Of each process the changes are kept in the order of their stamps, whatever the order they come
//! in, and a [`Layout`] is made of them for the stamp of a window. Whoever asks about a stamp has
//! taken everything out of the side-band that was written before it, so nothing that matters comes
//! later.

use std::{rc::Rc, sync::Arc, time::Duration};

use hashbrown::{HashMap, HashSet};

use super::layout::{Layout, Mapped};
use crate::{
    model::{
        ids::Stamp,
        origin::{Mapping, Module, ModuleEvent},
    },
    source::procfs::maps::MAPPINGS,
};

/// Most processes; beyond it those are forgotten that nobody asked about for longest.
const PROCESSES: usize = 8192;

/// How long a process that has ended is kept: windows come up to two seconds after they were
/// copied, and its children refer to it.
const KEPT: Duration = Duration::from_secs(30);

/// Longest line of forks without an exec that is followed upwards.
const ANCESTORS: usize = 64;

/// A change of what a process has mapped.
#[derive(Debug)]
enum Change {
    /// All is gone.
    Execed,
    /// It begins with what this process had.
    Forked(u32),
    /// It had this.
    Known(Rc<Layout>),
    Mapped(Rc<Mapped>),
    /// Its leader is over. What has its number next begins with a fork.
    Exited,
    /// From here on something is missing.
    Lost,
}

impl Change {
    /// Whether nothing before it matters.
    fn is_root(&self) -> bool {
        !matches!(self, Self::Mapped(_) | Self::Exited)
    }
}

/// Why there is no layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// `/proc/PID/maps` of a process would help, if what it shows was so at a stamp.
    Unread(u32, Stamp),
    /// Nothing will.
    Gone,
}

/// A layout, and from when until when it was so.
#[derive(Debug)]
struct Memo {
    from: Stamp,
    until: Stamp,
    layout: Rc<Layout>,
}

#[derive(Debug, Default)]
struct History {
    /// By stamp.
    changes: Vec<(Stamp, Change)>,
    /// The last answer.
    memo: Option<Memo>,
    /// Who forked it, where that was seen.
    parent: Option<u32>,
    used: u64,
}

impl History {
    fn insert(&mut self, stamp: Stamp, change: Change) {
        let at = self.changes.partition_point(|(other, _)| *other <= stamp);
        self.changes.insert(at, (stamp, change));
        if let Some(memo) = &mut self.memo {
            if stamp < memo.from {
                self.memo = None;
            } else {
                memo.until = memo.until.min(stamp);
            }
        }
    }

    /// Number of the changes up to a stamp.
    fn until(&self, at: Stamp) -> usize {
        self.changes.partition_point(|(stamp, _)| *stamp <= at)
    }

    /// The last change before the `count`th that makes those before it meaningless.
    fn root(&self, count: usize) -> Option<usize> {
        let changes = self.changes.get(..count)?;
        changes.iter().rposition(|(_, change)| change.is_root())
    }

    fn remembered(&self, at: Stamp) -> Option<Rc<Layout>> {
        let memo = self.memo.as_ref()?;
        (memo.from <= at && at < memo.until).then(|| Rc::clone(&memo.layout))
    }

    /// What was mapped between two changes, on top of `base`; and how many did not fit.
    fn apply(&self, base: Layout, from: usize, until: usize) -> (Layout, u64) {
        let (mut layout, mut dropped) = (base, 0);
        for (_, change) in self.changes.get(from..until).unwrap_or_default() {
            if let Change::Mapped(mapped) = change {
                dropped += u64::from(!layout.map(mapped));
            }
        }
        (layout, dropped)
    }

    /// Whether what is mapped now was mapped after `count` changes already, as far as that can
    /// have changed without a record.
    fn lasts(&self, count: usize) -> bool {
        let later = self.changes.get(count..).unwrap_or_default();
        !later.iter().any(|(_, change)| change.is_root())
    }

    /// When it ended, where nothing has begun since.
    fn ended(&self) -> Option<Stamp> {
        let (stamp, change) = self.changes.last()?;
        matches!(change, Change::Exited).then_some(*stamp)
    }

    /// Something was lost at some time after `stamp`.
    fn doubt(&mut self, stamp: Stamp) {
        let last = self.changes.iter().rfind(|(_, change)| change.is_root());
        let doubted = matches!(last, Some((_, Change::Lost)));
        if !doubted {
            self.insert(stamp, Change::Lost);
        }
    }
}

/// What went wrong so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Losses {
    pub(super) processes_evicted: u64,
    pub(super) mappings_dropped: u64,
    pub(super) sideband_lost: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Modules {
    histories: HashMap<u32, History>,
    /// Modules by value, so that all mappings of a file share one.
    names: HashSet<Arc<Module>>,
    /// The latest stamp that was seen.
    now: Stamp,
    /// The latest before the side-band was last read.
    settled: Stamp,
    swept: Stamp,
    clock: u64,
    pub(super) losses: Losses,
}

impl Modules {
    /// To be called before the side-band is read.
    pub(super) fn begin(&mut self) {
        self.settled = self.now;
        if KEPT < self.now.since(self.swept) {
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        let Self { now, histories, .. } = self;
        let over = |ended: Stamp| KEPT < now.since(ended);
        histories.retain(|_, history| !history.ended().is_some_and(over));
        self.names.retain(|module| Arc::strong_count(module) > 1);
        self.swept = self.now;
    }

    pub(super) fn take(&mut self, event: ModuleEvent) {
        let (tgid, stamp, change) = match event {
            ModuleEvent::Mapped {
                stamp,
                tgid,
                mapping,
            } => (tgid, stamp, self.mapped(mapping)),
            ModuleEvent::Execed { stamp, tgid } => (tgid, stamp, Change::Execed),
            ModuleEvent::Forked {
                stamp,
                parent,
                child,
            } => (child, stamp, Change::Forked(parent)),
            ModuleEvent::Exited { stamp, tgid } => (tgid, stamp, Change::Exited),
            ModuleEvent::Lost { count } => return self.lose(count),
        };
        self.now = self.now.max(stamp);
        let history = self.history(tgid);
        if let Change::Forked(parent) = change {
            history.parent = Some(parent);
        }
        history.insert(stamp, change);
        if history.changes.len() > 2 * MAPPINGS {
            self.fold(tgid);
        }
    }

    fn mapped(&mut self, mut mapping: Mapping) -> Change {
        let module = self.names.get_or_insert_with(&mapping.module, Arc::clone);
        mapping.module = Arc::clone(module);
        Change::Mapped(Mapped::new(mapping))
    }

    /// What was lost may have been an exec of any process.
    fn lose(&mut self, count: u64) {
        self.losses.sideband_lost += count;
        for history in self.histories.values_mut() {
            history.doubt(self.settled);
        }
    }

    fn history(&mut self, tgid: u32) -> &mut History {
        if self.histories.len() >= PROCESSES && !self.histories.contains_key(&tgid) {
            self.evict();
        }
        self.clock += 1;
        let history = self.histories.entry(tgid).or_default();
        history.used = self.clock;
        history
    }

    /// An eighth at once: looking for them takes long.
    fn evict(&mut self) {
        let mut used: Vec<_> = self
            .histories
            .values()
            .map(|history| history.used)
            .collect();
        let (_, bound, _) = used.select_nth_unstable(PROCESSES / 8);
        let bound = *bound;
        let before = self.histories.len();
        self.histories.retain(|_, history| bound < history.used);
        self.losses.processes_evicted += (before - self.histories.len()) as u64;
    }

    /// Makes one change of the older half of the changes; earlier moments are unknown then.
    fn fold(&mut self, tgid: u32) {
        let Some(history) = self.histories.get(&tgid) else {
            return;
        };
        let middle = history.changes.len() / 2;
        let Some(at) = history.changes.get(middle).map(|(stamp, _)| *stamp) else {
            return;
        };
        let layout = self.layout(tgid, at);
        let Some(history) = self.histories.get_mut(&tgid) else {
            return;
        };
        let behind = history.until(at);
        history.changes.drain(..behind);
        if let Ok(layout) = layout {
            history.changes.insert(0, (at, Change::Known(layout)));
        }
    }

    /// What a process had mapped at a moment.
    pub(super) fn layout(&mut self, tgid: u32, at: Stamp) -> Result<Rc<Layout>, Unknown> {
        self.now = self.now.max(at);
        self.layout_of(tgid, at, ANCESTORS)
    }

    fn layout_of(&mut self, tgid: u32, at: Stamp, ancestors: usize) -> Result<Rc<Layout>, Unknown> {
        self.clock += 1;
        let Some(history) = self.histories.get_mut(&tgid) else {
            return Err(Unknown::Unread(tgid, at));
        };
        history.used = self.clock;
        if let Some(layout) = history.remembered(at) {
            return Ok(layout);
        }
        let until = history.until(at);
        let root = history.root(until);
        let base = self.base(tgid, at, root, ancestors)?;
        Ok(self.build(tgid, base, root, until))
    }

    /// What a process had right after a change that makes those before it meaningless.
    fn base(
        &mut self,
        tgid: u32,
        at: Stamp,
        root: Option<usize>,
        ancestors: usize,
    ) -> Result<Rc<Layout>, Unknown> {
        let unread = Unknown::Unread(tgid, at);
        let history = self.histories.get(&tgid).ok_or(unread)?;
        let (stamp, parent) = match root.and_then(|root| history.changes.get(root)) {
            Some((_, Change::Execed)) => return Ok(Rc::default()),
            Some((_, Change::Known(layout))) => return Ok(Rc::clone(layout)),
            Some((stamp, Change::Forked(parent))) => (*stamp, *parent),
            _ if history.lasts(history.until(at)) => return Err(unread),
            _ => return Err(Unknown::Gone),
        };
        let ancestors = ancestors.checked_sub(1).ok_or(unread)?;
        let layout = self.layout_of(parent, stamp, ancestors)?;
        let history = self.histories.get_mut(&tgid).ok_or(Unknown::Gone)?;
        let change = root.and_then(|root| history.changes.get_mut(root));
        if let Some((_, change)) = change {
            *change = Change::Known(Rc::clone(&layout));
        }
        Ok(layout)
    }

    fn build(
        &mut self,
        tgid: u32,
        base: Rc<Layout>,
        root: Option<usize>,
        until: usize,
    ) -> Rc<Layout> {
        let Some(history) = self.histories.get_mut(&tgid) else {
            return base;
        };
        let from = root.map_or(0, |root| root + 1);
        let layout = if from == until {
            base
        } else {
            let (layout, dropped) = history.apply(Layout::clone(&base), from, until);
            self.losses.mappings_dropped += dropped;
            Rc::new(layout)
        };
        let stamp = |at: usize| history.changes.get(at).map(|(stamp, _)| *stamp);
        history.memo = Some(Memo {
            from: until.checked_sub(1).and_then(stamp).unwrap_or_default(),
            until: stamp(until).unwrap_or(Stamp(u64::MAX)),
            layout: Rc::clone(&layout),
        });
        layout
    }

    /// Takes what `/proc/PID/maps` showed after [`Unknown::Unread`]. The side-band must have been
    /// read in between: what it tells of an exec since then makes the reading worthless.
    pub(super) fn learn(&mut self, tgid: u32, at: Stamp, mappings: Vec<Mapping>) {
        let layout = Rc::new(Layout::of(mappings));
        let history = self.history(tgid);
        let until = history.until(at);
        if !history.lasts(until) {
            return;
        }
        let root = history.root(until);
        match root.and_then(|root| history.changes.get_mut(root)) {
            Some((_, forked @ Change::Forked(_))) => *forked = Change::Known(layout),
            Some((stamp, Change::Lost)) => {
                let stamp = *stamp;
                history.insert(stamp, Change::Known(layout));
            }
            Some(_) => {}
            None => history.insert(Stamp(0), Change::Known(layout)),
        }
    }

    /// Forgets a process of which nothing but `/proc/PID/maps` has told; the others are forgotten
    /// some time after the record of their end.
    pub(super) fn forget(&mut self, tgid: u32) {
        let untold = |history: &History| {
            let mut changes = history.changes.iter();
            changes.all(|(_, change)| matches!(change, Change::Known(_) | Change::Mapped(_)))
        };
        if self.histories.get(&tgid).is_some_and(untold) {
            self.histories.remove(&tgid);
        }
    }

    /// Who forked a process, where that was seen: it may still have the files open.
    pub(super) fn parent(&self, tgid: u32) -> Option<u32> {
        self.histories.get(&tgid)?.parent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(start: u64, inode: u64) -> Mapping {
        Mapping {
            start,
            end: start + 100,
            file_offset: 0,
            module: Arc::new(Module {
                path: format!("/{inode}").into(),
                build_id: None,
            }),
            device: 1,
            inode,
        }
    }

    fn mapped(stamp: u64, tgid: u32, start: u64, inode: u64) -> ModuleEvent {
        ModuleEvent::Mapped {
            stamp: Stamp(stamp),
            tgid,
            mapping: mapping(start, inode),
        }
    }

    fn execed(stamp: u64, tgid: u32) -> ModuleEvent {
        let stamp = Stamp(stamp);
        ModuleEvent::Execed { stamp, tgid }
    }

    fn forked(stamp: u64, parent: u32, child: u32) -> ModuleEvent {
        ModuleEvent::Forked {
            stamp: Stamp(stamp),
            parent,
            child,
        }
    }

    fn exited(stamp: u64, tgid: u32) -> ModuleEvent {
        let stamp = Stamp(stamp);
        ModuleEvent::Exited { stamp, tgid }
    }

    fn modules(events: &[ModuleEvent]) -> Modules {
        let mut modules = Modules::default();
        modules.begin();
        for event in events {
            modules.take(event.clone());
        }
        modules
    }

    /// Inode of what is mapped at an address.
    fn at(modules: &mut Modules, tgid: u32, stamp: u64, address: u64) -> Result<u64, Unknown> {
        let layout = modules.layout(tgid, Stamp(stamp))?;
        Ok(layout
            .find(address)
            .map_or(0, |(mapped, _)| mapped.mapping.inode))
    }

    /// A shell that forks a program, which loads a library, forks, and unloads it again.
    fn family() -> Vec<ModuleEvent> {
        vec![
            execed(10, 1),
            mapped(11, 1, 1000, 1),
            forked(20, 1, 2),
            execed(30, 2),
            mapped(31, 2, 1000, 2),
            mapped(40, 2, 2000, 3),
            forked(50, 2, 3),
            mapped(60, 2, 2000, 4),
            exited(70, 2),
            forked(80, 1, 2),
        ]
    }

    fn check_family(modules: &mut Modules) {
        for (tgid, stamp, address, expected) in [
            (1, 15, 1000, 1),
            (1, 99, 1050, 1),
            (1, 99, 1100, 0),
            (2, 25, 1000, 1), // before the exec: the shell's
            (2, 35, 1000, 2),
            (2, 35, 2000, 0),
            (2, 45, 2000, 3),
            (2, 65, 2000, 4),
            (2, 75, 2000, 4), // the leader has ended, others may still run
            (3, 55, 2000, 3), // the child has what its parent had then
            (3, 99, 2000, 3),
            (3, 99, 1000, 2),
            (2, 85, 1000, 1), // another process of that number
            (2, 85, 2000, 0),
        ] {
            assert_eq!(
                at(modules, tgid, stamp, address),
                Ok(expected),
                "{tgid} {stamp} {address}"
            );
        }
        assert_eq!(at(modules, 1, 5, 1000), Err(Unknown::Gone));
        let unread = Unknown::Unread(9, Stamp(5));
        assert_eq!(at(modules, 9, 5, 1000), Err(unread));
    }

    #[test]
    fn every_moment_has_its_own_modules() {
        check_family(&mut modules(&family()));
    }

    proptest::proptest! {
        /// The order in which records come does not matter, nor what was asked in between.
        #[test]
        fn any_order_of_arrival(
            order in proptest::sample::subsequence((0..10_usize).collect::<Vec<_>>(), 0..10),
            asked: Vec<(u8, u8)>,
        ) {
            let mut early = family();
            let mut late = Vec::new();
            for index in order.into_iter().rev() {
                late.push(early.remove(index));
            }
            let mut modules = modules(&early);
            // Nobody asks about a moment before all earlier records are there.
            let first = late.iter().map(stamp).min().unwrap_or(Stamp(100));
            for (tgid, moment) in asked {
                if Stamp(moment.into()) < first {
                    let _layout = modules.layout(u32::from(tgid % 4), Stamp(moment.into()));
                }
            }
            for event in late {
                modules.take(event);
            }
            check_family(&mut modules);
        }
    }

    fn stamp(event: &ModuleEvent) -> Stamp {
        match event {
            ModuleEvent::Mapped { stamp, .. }
            | ModuleEvent::Execed { stamp, .. }
            | ModuleEvent::Forked { stamp, .. }
            | ModuleEvent::Exited { stamp, .. } => *stamp,
            ModuleEvent::Lost { .. } => Stamp(0),
        }
    }

    #[test]
    fn what_ran_before_is_read_once_and_goes_on_from_there() {
        let mut modules = modules(&[mapped(50, 7, 2000, 2)]);
        assert_eq!(
            at(&mut modules, 7, 40, 1000),
            Err(Unknown::Unread(7, Stamp(40)))
        );
        modules.learn(7, Stamp(40), vec![mapping(1000, 1), mapping(2000, 9)]);
        assert_eq!(at(&mut modules, 7, 40, 1000), Ok(1));
        assert_eq!(at(&mut modules, 7, 60, 2000), Ok(2));
        modules.take(forked(70, 7, 8));
        assert_eq!(at(&mut modules, 8, 75, 2000), Ok(2));
    }

    #[test]
    fn what_is_read_after_an_exec_is_not_taken_for_what_was_before() {
        let mut modules = Modules::default();
        assert!(at(&mut modules, 7, 40, 1000).is_err());
        modules.take(execed(50, 7));
        modules.learn(7, Stamp(40), vec![mapping(1000, 1)]);
        assert_eq!(at(&mut modules, 7, 40, 1000), Err(Unknown::Gone));
        assert_eq!(at(&mut modules, 7, 60, 1000), Ok(0));
    }

    #[test]
    fn a_child_of_an_unknown_parent_asks_for_the_parent_as_of_the_fork() {
        let mut modules = modules(&[forked(20, 7, 8), forked(30, 8, 9)]);
        let unread = Unknown::Unread(7, Stamp(20));
        assert_eq!(at(&mut modules, 9, 40, 1000), Err(unread));
        modules.learn(7, Stamp(20), vec![mapping(1000, 1)]);
        assert_eq!(at(&mut modules, 9, 40, 1000), Ok(1));
        // The parent has gone: what the child itself has must do.
        modules.take(forked(50, 17, 18));
        modules.learn(18, Stamp(60), vec![mapping(1000, 2)]);
        assert_eq!(at(&mut modules, 18, 60, 1000), Ok(2));
        assert_eq!(at(&mut modules, 18, 45, 1000), Err(Unknown::Gone));
    }

    #[test]
    fn after_a_loss_only_what_is_read_again_is_believed() {
        let mut modules = modules(&[execed(10, 7), mapped(11, 7, 1000, 1)]);
        modules.begin();
        modules.take(mapped(50, 7, 2000, 2));
        modules.take(ModuleEvent::Lost { count: 3 });
        assert_eq!(modules.losses.sideband_lost, 3);
        assert_eq!(at(&mut modules, 7, 10, 1000), Ok(0), "long before");
        let unread = Unknown::Unread(7, Stamp(60));
        assert_eq!(at(&mut modules, 7, 60, 1000), Err(unread));
        modules.learn(7, Stamp(60), vec![mapping(1000, 5)]);
        assert_eq!(at(&mut modules, 7, 60, 1000), Ok(5));
        assert_eq!(at(&mut modules, 7, 60, 2000), Ok(2));
        // Losses in a row leave one mark.
        modules.begin();
        modules.take(ModuleEvent::Lost { count: 1 });
        modules.take(ModuleEvent::Lost { count: 1 });
        let changes = &modules.histories[&7].changes;
        let lost = |change: &&(Stamp, Change)| matches!(change.1, Change::Lost);
        assert_eq!(changes.iter().filter(lost).count(), 2);
    }

    #[test]
    fn processes_are_forgotten_some_time_after_their_end() {
        let late = KEPT.as_nanos() as u64 + 100;
        let mut modules = modules(&[execed(10, 7), exited(20, 7), execed(30, 8)]);
        modules.begin();
        assert!(modules.histories.contains_key(&7));
        modules.take(execed(late, 9));
        modules.begin();
        let mut left: Vec<_> = modules.histories.keys().copied().collect();
        left.sort_unstable();
        assert_eq!(left, [8, 9]);
        modules.learn(11, Stamp(late), vec![mapping(1, 1)]);
        modules.forget(11);
        modules.forget(8);
        assert!(!modules.histories.contains_key(&11) && modules.histories.contains_key(&8));
    }

    #[test]
    fn processes_and_changes_are_bounded() {
        let mut modules = Modules::default();
        for tgid in 0..2 * PROCESSES as u32 {
            modules.take(execed(u64::from(tgid), tgid));
        }
        assert!(modules.histories.len() <= PROCESSES);
        let evicted = 2 * PROCESSES - modules.histories.len();
        assert_eq!(modules.losses.processes_evicted, evicted as u64);
        let last = 2 * PROCESSES as u32 - 1;
        let start = u64::from(last) + 1;
        let changes = 5 * MAPPINGS as u64;
        for change in 0..changes {
            modules.take(mapped(
                start + change,
                last,
                1000 * (change % 10),
                change + 1,
            ));
        }
        assert!(modules.histories[&last].changes.len() <= 2 * MAPPINGS + 1);
        assert_eq!(at(&mut modules, last, start + changes, 9000), Ok(changes));
        assert_eq!(at(&mut modules, last, start, 0), Err(Unknown::Gone));
    }

    #[test]
    fn a_line_of_forks_may_be_long_but_not_endless() {
        let mut modules = modules(&[execed(1, 1), mapped(2, 1, 1000, 1)]);
        for child in 2..=60 {
            modules.take(forked(u64::from(child) + 1, child - 1, child));
        }
        assert_eq!(at(&mut modules, 60, 100, 1000), Ok(1));
        // Two that claim to be each other's parent.
        let mut modules = Modules::default();
        modules.take(forked(10, 3, 2));
        modules.take(forked(10, 2, 3));
        assert!(at(&mut modules, 2, 10, 1000).is_err());
    }
}
