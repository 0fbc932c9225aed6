//! Which code every process had mapped at any moment, from the side-band and from
//! `/proc/PID/maps`.
//!
//! Of each process the changes are kept in the order of their stamps, whatever the order they come
//! in, and a [`Layout`] is made of them for the stamp of a window. Whoever asks about a stamp has
//! taken everything out of the side-band that was written before it, so nothing that matters comes
//! later.

#[cfg(test)]
mod tests;

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
pub(super) const PROCESSES: usize = 8192;

/// How long a process that has ended is kept: windows come up to two seconds after they were
/// copied, and its children refer to it.
const KEPT: Duration = Duration::from_secs(5);

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
    /// The latest when the side-band had been read for the last time.
    settled: Stamp,
    /// Something was lost since then.
    lost: bool,
    swept: Stamp,
    clock: u64,
    pub(super) losses: Losses,
}

impl Modules {
    /// To be called when the side-band was read. What was lost may have been an exec of any
    /// process, at any time since it was read before.
    pub(super) fn settle(&mut self) {
        if self.lost {
            for history in self.histories.values_mut() {
                history.doubt(self.settled);
                history.doubt(self.now);
            }
        }
        (self.lost, self.settled) = (false, self.now);
        if KEPT < self.now.since(self.swept) {
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        let Self { now, histories, .. } = self;
        let over = |ended: Stamp| KEPT < now.since(ended);
        histories.retain(|_, history| !history.ended().is_some_and(over));
        if histories.capacity() / 4 > histories.len() {
            histories.shrink_to(histories.len().saturating_mul(2));
        }
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
            ModuleEvent::Lost { count } => {
                self.losses.sideband_lost += count;
                self.lost = true;
                return;
            }
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
