//! Memory that is held: what is in each address space, and whose it is.

use hashbrown::HashMap;

use super::{
    foreign::Foreign,
    owners::Owners,
    population::{GroupId, Populations},
    space::{Gone, Spaces},
};
use crate::model::{
    event::{Execed, Exited, Forked},
    ids::{ProcessId, Stamp},
    memory::{
        Attached, Detached, HeldRange, Mapped, MappingId, Range, SegmentSize, SpaceId, Unmapped,
    },
    origin::StackId,
};

/// See the module.
#[derive(Debug, Default)]
pub struct Memory {
    spaces: Spaces,
    owners: Owners,
    foreign: Foreign,
    segments: Segments,
    /// Attachments of segments that nobody has told of: they are missed.
    unsized_attachments: u64,
}

/// Sizes of shared memory segments, by id; ids are not used again for a long time. Those that came
/// last, and as many before.
#[derive(Debug, Default)]
struct Segments {
    new: HashMap<i32, u64>,
    old: HashMap<i32, u64>,
}

/// Twice as many as the kernel has by default.
const SEGMENTS: usize = 8192;

impl Segments {
    fn learn(&mut self, segment: SegmentSize) {
        if self.new.len() >= SEGMENTS {
            self.old = std::mem::take(&mut self.new);
        }
        let known = self.size(segment.id).unwrap_or(0);
        self.new.insert(segment.id, segment.bytes.max(known));
    }

    fn size(&self, id: i32) -> Option<u64> {
        self.new.get(&id).or_else(|| self.old.get(&id)).copied()
    }
}

impl Memory {
    pub(super) fn mapped(&mut self, mapped: Mapped, populations: &mut Populations) {
        if !self.owners.used(mapped.space, mapped.process, mapped.stamp) {
            return;
        }
        if let Some(group) = self.group(&mapped, None) {
            populations.count_acquired(group);
        }
        let Self {
            spaces,
            owners,
            foreign,
            ..
        } = self;
        if spaces.was_released(mapped.space, mapped.range, mapped.stamp) {
            // That release came first, and was taken for a foreign one.
            foreign.known(mapped.space);
        }
        spaces.mapped(mapped, &mut released(owners, populations));
    }

    pub(super) fn unmapped(&mut self, unmapped: Unmapped, populations: &mut Populations) {
        let Self {
            spaces,
            owners,
            foreign,
            ..
        } = self;
        if !spaces.knows(unmapped.space, unmapped.range) && owners.of(unmapped.space).is_some() {
            foreign.released(unmapped.space);
        }
        spaces.unmapped(unmapped, &mut released(owners, populations));
    }

    pub(super) fn detached(&mut self, detached: Detached, populations: &mut Populations) {
        let Self { spaces, owners, .. } = self;
        spaces.detached(detached, &mut released(owners, populations));
    }

    /// There is a segment, of at least this size.
    pub fn segment(&mut self, segment: SegmentSize) {
        self.segments.learn(segment);
    }

    /// Whether the size of a segment is known.
    pub fn knows_segment(&self, id: i32) -> bool {
        self.segments.size(id).is_some()
    }

    pub(super) fn attached(&mut self, attached: Attached, populations: &mut Populations) {
        let bytes = self.segments.size(attached.segment);
        match bytes.and_then(|bytes| attached.sized(bytes)) {
            Some(mapped) => self.mapped(mapped, populations),
            None => self.unsized_attachments = self.unsized_attachments.saturating_add(1),
        }
    }

    pub(super) fn forked(&mut self, forked: &Forked) {
        match forked.space.filter(|_| forked.shares_space) {
            Some(space) => self.owners.lent(space, forked.parent, forked.child),
            None => self.owners.born(forked.child),
        }
    }

    pub(super) fn execed(&mut self, execed: &Execed) {
        let Execed {
            process,
            space,
            stamp,
            ..
        } = *execed;
        let ended = self.owners.execed(process, space, stamp);
        for over in ended.into_iter().chain(space) {
            self.spaces.died(over, stamp);
        }
    }

    pub(super) fn exited(&mut self, exited: &Exited) {
        if !exited.group_dead {
            return;
        }
        let stamp = exited.stamp;
        if let Some(over) = self.owners.ended(exited.process, exited.space, stamp) {
            self.spaces.died(over, stamp);
        }
    }

    /// The end of a process was missed, which was at this moment at the latest.
    pub(super) fn missed_end(&mut self, process: ProcessId, at: Stamp) {
        let space = self.owners.space(process);
        let youngest = self.youngest(space.or_else(|| self.owners.borrowed(process.tgid)));
        if let Some(over) = self.owners.ended(process, None, youngest) {
            self.spaces.died(over, youngest);
        }
        self.owners.left(process, at);
    }

    /// A number is nobody's any more, or another's: what was borrowed by it is given back.
    pub(super) fn forget_number(&mut self, tgid: u32) {
        let youngest = self.youngest(self.owners.borrowed(tgid));
        if let Some(over) = self.owners.returned(tgid, youngest) {
            self.spaces.died(over, youngest);
        }
    }

    /// When the youngest that is known of a space was acquired: an end that no record told of was
    /// not before it, and what is younger may be of the next space at this address.
    fn youngest(&self, space: Option<SpaceId>) -> Stamp {
        let pieces = space
            .into_iter()
            .flat_map(|space| self.spaces.pieces(space));
        pieces
            .map(|piece| piece.mapped.stamp)
            .max()
            .unwrap_or_default()
    }

    /// Whether a thread group lives in an address space of another process.
    pub(super) fn is_borrower(&self, tgid: u32) -> bool {
        self.owners.borrowed(tgid).is_some()
    }

    /// How many entries are about a process.
    pub(super) fn mentions(&self, process: ProcessId) -> usize {
        let pieces = self.spaces.all();
        let own = pieces.filter(|piece| piece.mapped.process == process);
        own.count().saturating_add(self.owners.mentions(process))
    }

    /// How often a process has released memory of which no acquisition is known: it was mapped
    /// before memguard came.
    pub fn foreign_releases(&self, process: ProcessId) -> u64 {
        let space = self.owners.space(process);
        space.map_or(0, |space| self.foreign.count(space))
    }

    /// Address spaces that have ended, and when.
    pub(super) fn ended(&self) -> impl Iterator<Item = (SpaceId, Stamp)> {
        self.owners.over()
    }

    /// Nothing older than this comes any more.
    pub(super) fn forget(&mut self, cutoff: Stamp) {
        self.spaces.forget_holes(cutoff);
        self.owners.forget(cutoff);
        let Self {
            owners, foreign, ..
        } = self;
        foreign.forget(|space| owners.of(space).is_none());
    }

    /// Whether anything is left of an acquisition.
    pub(super) fn holds(&self, id: MappingId) -> bool {
        self.spaces.holds(id)
    }

    /// Remembers where memory was acquired.
    pub(super) fn attribute(
        &mut self,
        id: MappingId,
        stack: StackId,
        populations: &mut Populations,
    ) {
        let Some((mapped, before)) = self.spaces.attribute(id, stack) else {
            return;
        };
        let groups = [before, Some(stack)].map(|stack| self.group(&mapped, stack));
        if let [Some(from), Some(to)] = groups {
            populations.moved(from, to);
        }
    }

    /// The kernel shows nothing of it in this range any more.
    pub(super) fn refute(&mut self, id: MappingId, range: Range, populations: &mut Populations) {
        let Self { spaces, owners, .. } = self;
        spaces.refute(id, range, &mut released(owners, populations));
    }

    fn group(&self, mapped: &Mapped, stack: Option<StackId>) -> Option<GroupId> {
        group(&self.owners, mapped, stack)
    }

    /// Which group a piece counts to; `None` where its address space is over, or its owner has
    /// ended and it is only lent.
    pub fn group_of(&self, piece: &HeldRange) -> Option<GroupId> {
        self.group(&piece.mapped, piece.stack)
    }

    /// All that is held, in no order.
    pub fn held(&self) -> impl Iterator<Item = HeldRange> {
        self.spaces.all()
    }

    /// What a process holds, by address.
    pub fn held_by(&self, process: ProcessId) -> impl Iterator<Item = HeldRange> {
        let space = self.owners.space(process);
        space
            .into_iter()
            .flat_map(|space| self.spaces.pieces(space))
    }

    /// Whether an address space has ended since: then nobody asks what was in it.
    pub fn is_over(&self, space: SpaceId, stamp: Stamp) -> bool {
        self.owners.is_over(space, stamp)
    }

    /// What there is, and what should not have happened, by name.
    pub fn counters(&self) -> [(&'static str, u64); 6] {
        let anomalies = self.spaces.anomalies;
        [
            ("memory.held", self.spaces.count() as u64),
            ("memory.refused", anomalies.refused),
            ("memory.holes_dropped", anomalies.holes_dropped),
            ("memory.refuted", anomalies.refuted),
            ("memory.repeated", anomalies.repeated),
            ("memory.unsized", self.unsized_attachments),
        ]
    }

    /// State that a soak test watches.
    pub fn state_count(&self) -> usize {
        self.spaces.state_count().saturating_add(self.owners.len())
    }
}

fn group(owners: &Owners, mapped: &Mapped, stack: Option<StackId>) -> Option<GroupId> {
    Some(GroupId {
        stack,
        ..GroupId::of(owners.living(mapped.space)?, mapped.kind())
    })
}

/// Counts what is reported as gone.
fn released(owners: &Owners, populations: &mut Populations) -> impl FnMut(Gone) {
    |gone| {
        if let Some(group) = group(owners, &gone.mapped, gone.stack) {
            let life = gone.at.map(|at| at.since(gone.mapped.stamp));
            populations.count_released(group, life);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ledger::Ledger,
        model::{event::Event, resource::Call},
    };

    const SPACE: SpaceId = SpaceId(7);
    const PROCESS: ProcessId = ProcessId {
        tgid: 7,
        start_ticks: 1,
    };

    fn range(pages: std::ops::Range<u64>) -> Range {
        let [start, end] = [pages.start, pages.end].map(|page| page << 12);
        Range { start, end }
    }

    fn map(at: u64, pages: std::ops::Range<u64>) -> Event {
        Event::Mapped(Mapped {
            stamp: Stamp(at),
            space: SPACE,
            range: range(pages),
            process: PROCESS,
            tid: 7,
            call: Call::Mmap,
            protection: 3,
            flags: 0x22,
        })
    }

    fn unmap(at: u64, pages: std::ops::Range<u64>) -> Event {
        Event::Unmapped(Unmapped {
            stamp: Stamp(at),
            space: SPACE,
            range: range(pages),
            process: PROCESS,
        })
    }

    /// The process was seen; then come these.
    fn check(events: impl IntoIterator<Item = Event>, expected: u64, why: &str) {
        let mut ledger = Ledger::new();
        ledger.apply(map(1, 0..1));
        events.into_iter().for_each(|event| ledger.apply(event));
        assert_eq!(ledger.memory.foreign_releases(PROCESS), expected, "{why}");
    }

    #[test]
    fn releases_of_what_was_there_before_are_foreign() {
        check([unmap(5, 10..20), unmap(6, 30..31)], 2, "two unknown");
        check([map(5, 10..20), unmap(6, 10..20)], 0, "it is known");
        check([map(5, 10..20), unmap(6, 12..13)], 0, "a part of it");
        check(
            [unmap(6, 10..20), map(5, 10..20)],
            0,
            "its record comes late",
        );
        check([unmap(6, 12..13), map(5, 10..20)], 0, "of a part of it");
        check(
            [unmap(6, 10..20), map(8, 10..20)],
            1,
            "what comes after it is another",
        );
    }
}
