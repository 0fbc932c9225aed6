//! Random histories of address spaces, against a model that has an owner for every page.

use std::{
    cell::Cell as Counter,
    collections::{BTreeMap, BTreeSet},
};

use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestCaseResult, TestRunner},
};

use super::*;

const PAGES: usize = 64;

const SPACES: u64 = 3;

#[derive(Clone, Copy, Debug)]
enum Record {
    Mapped(Mapped),
    Unmapped(Unmapped),
    Detached(Detached),
    Died(SpaceId, Stamp),
    Attributed(MappingId, StackId),
}

impl Record {
    fn space(&self) -> SpaceId {
        match self {
            Self::Mapped(mapped) => mapped.space,
            Self::Unmapped(unmapped) => unmapped.space,
            Self::Detached(detached) => detached.space,
            Self::Died(space, _) => *space,
            Self::Attributed(id, _) => id.space,
        }
    }

    fn play(self, spaces: &mut Spaces, gone: &mut Vec<Gone>) {
        let gone = &mut |g| gone.push(g);
        match self {
            Self::Mapped(mapped) => spaces.mapped(mapped, gone),
            Self::Unmapped(unmapped) => spaces.unmapped(unmapped, gone),
            Self::Detached(detached) => spaces.detached(detached, gone),
            Self::Died(space, stamp) => spaces.died(space, stamp),
            Self::Attributed(id, stack) => {
                spaces.attribute(id, stack);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lives,
    Gone(Stamp),
    Died,
}

#[derive(Clone, Debug)]
struct Owner {
    mapped: Mapped,
    stack: Option<StackId>,
    fate: Fate,
}

/// What the kernel does, one page at a time.
#[derive(Debug, Default)]
struct Kernel {
    pages: Vec<[Option<usize>; PAGES]>,
    owners: Vec<Owner>,
}

impl Kernel {
    fn new() -> Self {
        Self {
            pages: vec![[None; PAGES]; SPACES as usize],
            owners: Vec::new(),
        }
    }

    fn of(&mut self, space: SpaceId) -> &mut [Option<usize>; PAGES] {
        &mut self.pages[space.0 as usize]
    }

    fn play(&mut self, record: Record) {
        match record {
            Record::Mapped(mapped) => {
                self.owners.push(Owner {
                    mapped,
                    stack: None,
                    fate: Fate::Lives,
                });
                let owner = self.owners.len() - 1;
                self.set(mapped.space, mapped.range, Some(owner));
                self.end(mapped.space, Fate::Gone(mapped.stamp));
            }
            Record::Unmapped(Unmapped {
                stamp,
                space,
                range,
                ..
            }) => {
                self.set(space, range, None);
                self.end(space, Fate::Gone(stamp));
            }
            Record::Detached(detached) => {
                if let Some(owner) = self.attached(detached.space, detached.address) {
                    let own = |page: &&mut Option<usize>| **page == Some(owner);
                    let pages = self.of(detached.space).iter_mut();
                    pages.filter(own).for_each(|page| *page = None);
                    self.end(detached.space, Fate::Gone(detached.stamp));
                }
            }
            Record::Died(space, _) => {
                *self.of(space) = [None; PAGES];
                self.end(space, Fate::Died);
            }
            Record::Attributed(id, stack) => {
                let living = self.owners.iter_mut().filter(|o| o.fate == Fate::Lives);
                for owner in living.filter(|o| MappingId::from(&o.mapped) == id) {
                    owner.stack = Some(stack);
                }
            }
        }
    }

    fn set(&mut self, space: SpaceId, range: Range, owner: Option<usize>) {
        let (first, end) = (range.start / PAGE, range.end / PAGE);
        self.of(space)[first as usize..end as usize].fill(owner);
    }

    fn end(&mut self, space: SpaceId, fate: Fate) {
        let mut left = vec![false; self.owners.len()];
        for owner in self.of(space).iter().flatten() {
            left[*owner] = true;
        }
        for (owner, left) in self.owners.iter_mut().zip(left) {
            if owner.fate == Fate::Lives && owner.mapped.space == space && !left {
                owner.fate = fate;
            }
        }
    }

    /// The youngest attachment of an address of which something is left.
    fn attached(&self, space: SpaceId, address: u64) -> Option<usize> {
        let is = |owner: &Owner| {
            let Mapped {
                space: at,
                range,
                call,
                ..
            } = owner.mapped;
            at == space && range.start == address && call == Call::Shmat
        };
        self.owners
            .iter()
            .rposition(|owner| is(owner) && owner.fate == Fate::Lives)
    }

    fn living(&self, space: SpaceId) -> impl Iterator<Item = &Owner> {
        let owners = self.owners.iter();
        owners.filter(move |o| o.fate == Fate::Lives && o.mapped.space == space)
    }

    /// No two acquisitions have the same stamp, and they come in its order.
    fn find(&self, stamp: Stamp) -> usize {
        let found = self.owners.binary_search_by_key(&stamp, |o| o.mapped.stamp);
        found.expect("an acquisition that nobody made")
    }

    /// Pages, pieces and all that is known of them are the same; how many pages were compared.
    fn check(&self, spaces: &Spaces, space: SpaceId) -> Result<u64, TestCaseError> {
        let mut pages = [None; PAGES];
        let mut before: Option<HeldRange> = None;
        for piece in spaces.pieces(space) {
            let known = self.find(piece.mapped.stamp);
            let owner = &self.owners[known];
            prop_assert_eq!((owner.mapped, owner.stack), (piece.mapped, piece.stack));
            let (first, end) = (piece.range.start / PAGE, piece.range.end / PAGE);
            pages[first as usize..end as usize].fill(Some(known));
            let whole = before.is_none_or(|before| {
                let gap = piece.range.start.checked_sub(before.range.end);
                gap.is_some_and(|gap| gap > 0 || before.mapped != piece.mapped)
            });
            prop_assert!(whole, "pieces overlap, or one was split for nothing");
            before = Some(piece);
        }
        prop_assert_eq!(&pages, &self.pages[space.0 as usize]);
        Ok(PAGES as u64)
    }
}

/// What happens next, in small numbers.
#[derive(Clone, Debug)]
struct Step {
    what: u8,
    space: u64,
    first: u64,
    length: u64,
    other: u64,
    late: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let numbers = (0u8..24, 0..SPACES, 0u64..64, 1u64..20, 0u64..64, 0u64..60);
    numbers.prop_map(|(what, space, first, length, other, late)| Step {
        what,
        space,
        first,
        length: length.min(64 - first),
        other,
        late,
    })
}

/// Records in the order of their stamps, each with how late it comes.
#[derive(Default)]
struct History {
    kernel: Kernel,
    records: Vec<(Stamp, u64, Record)>,
    now: u64,
    /// The last end of each space.
    died: [Stamp; SPACES as usize],
}

impl History {
    fn of(steps: &[Step]) -> Self {
        let kernel = Kernel::new();
        let mut history = Self {
            kernel,
            ..Self::default()
        };
        for step in steps {
            history.now += 1 + step.other % 3;
            history.step(step);
        }
        history
    }

    fn step(&mut self, step: &Step) {
        let range = pages(step.first, step.length);
        let other = pages(step.other, step.length.min(64 - step.other));
        let part = pages(step.first, 1 + step.other % step.length);
        match step.what {
            0..=6 => self.map(step, Call::Mmap, range),
            7..=10 => self.unmap(step, range),
            // A release of the same stamp, of a part.
            11 => {
                self.map(step, Call::Mmap, range);
                self.now -= 1;
                self.unmap(step, part);
            }
            // mremap: grow or shrink in place, move, leave the old.
            12 | 13 => {
                self.unmap(step, part);
                self.map(step, Call::Mremap, range);
            }
            14 => self.unmap(step, part),
            15 | 16 => {
                self.unmap(step, range);
                self.map(step, Call::Mremap, other);
            }
            17 => self.map(step, Call::Mremap, other),
            18 | 19 => self.attach(step, range),
            20 | 21 => self.detach(step),
            22 => {
                let (space, stamp) = (SpaceId(step.space), Stamp(self.now));
                self.died[step.space as usize] = stamp;
                self.record(step, Record::Died(space, stamp));
            }
            _ => self.attribute(step),
        }
    }

    fn record(&mut self, step: &Step, record: Record) {
        self.kernel.play(record);
        self.records.push((Stamp(self.now), step.late, record));
        self.now += 1;
    }

    fn map(&mut self, step: &Step, call: Call, range: Range) {
        let mut mapped = made(SpaceId(step.space), call, range, self.now);
        mapped.tid = step.other as u32 % 5;
        mapped.process.tgid = 7 + step.other as u32 % 2;
        self.record(step, Record::Mapped(mapped));
    }

    fn unmap(&mut self, step: &Step, range: Range) {
        let unmapped = Unmapped {
            stamp: Stamp(self.now),
            space: SpaceId(step.space),
            range,
            process: PROCESS,
        };
        self.record(step, Record::Unmapped(unmapped));
    }

    /// Two attachments of one start never live together, as long as nobody asks for `SHM_REMAP`.
    fn attach(&mut self, step: &Step, range: Range) {
        let taken = self.kernel.attached(SpaceId(step.space), range.start);
        let call = taken.map_or(Call::Shmat, |_| Call::Mmap);
        self.map(step, call, range);
    }

    /// Of an attachment that lives, where there is one.
    fn detach(&mut self, step: &Step) {
        let space = SpaceId(step.space);
        let attached = self.kernel.living(space).map(|owner| owner.mapped);
        let attached = attached.filter(|mapped| mapped.call == Call::Shmat);
        let address = attached.map(|mapped| mapped.range.start).next();
        let detached = Detached {
            stamp: Stamp(self.now),
            space,
            address: address.unwrap_or(step.first * PAGE),
            process: PROCESS,
        };
        self.record(step, Record::Detached(detached));
    }

    fn attribute(&mut self, step: &Step) {
        let living: Vec<_> = self.kernel.living(SpaceId(step.space)).collect();
        if let Some(owner) = living.get(step.other as usize % living.len().max(1)) {
            let id = MappingId::from(&owner.mapped);
            self.record(step, Record::Attributed(id, StackId(step.first as u32)));
        }
    }

    /// As they come when each is up to `lateness` times 60 late, and the oldest stamp to come after
    /// each.
    fn arrivals(&self, lateness: u64) -> Vec<(Record, Stamp)> {
        let mut records = self.records.clone();
        records.sort_by_key(|(stamp, late, _)| stamp.0 + late * lateness);
        let mut oldest = Stamp(u64::MAX);
        let mut arrivals = Vec::new();
        for (stamp, _, record) in records.into_iter().rev() {
            arrivals.push((record, oldest));
            oldest = oldest.min(stamp);
        }
        arrivals.reverse();
        arrivals
    }
}

/// Each of them once, in the order in which they went.
fn check_gone(kernel: &Kernel, gone: &[Gone]) -> TestCaseResult {
    let mut expected: Vec<_> = kernel
        .owners
        .iter()
        .filter_map(|owner| match owner.fate {
            Fate::Gone(at) => Some((at, owner.mapped, owner.stack)),
            Fate::Lives | Fate::Died => None,
        })
        .collect();
    let mut reported: Vec<_> = gone
        .iter()
        .filter_map(|gone| Some((gone.at?, gone.mapped, gone.stack)))
        .collect();
    expected.sort_by_key(|(at, mapped, _)| (*at, mapped.stamp));
    reported.sort_by_key(|(at, mapped, _)| (*at, mapped.stamp));
    prop_assert_eq!(reported, expected);
    Ok(())
}

/// What went is reported once, not earlier than it went, unless its space ended before it came;
/// what lives is not.
fn check_gone_late(history: &History, gone: &[Gone]) -> TestCaseResult {
    let mut reports = BTreeMap::<Stamp, Vec<&Gone>>::new();
    for gone in gone {
        reports.entry(gone.mapped.stamp).or_default().push(gone);
    }
    for owner in &history.kernel.owners {
        let reports = reports.remove(&owner.mapped.stamp).unwrap_or_default();
        let may_miss = history.died[owner.mapped.space.0 as usize] > owner.mapped.stamp;
        let right = match (owner.fate, reports.as_slice()) {
            (Fate::Lives | Fate::Died, []) => true,
            (Fate::Gone(_), []) => may_miss,
            (Fate::Gone(at), [report]) => report.mapped == owner.mapped && report.at >= Some(at),
            // What came before the end of its space was mapped over by the next one.
            (Fate::Died, [_]) => true,
            _ => false,
        };
        prop_assert!(right, "{:?} of {:?}", reports, owner);
    }
    prop_assert!(reports.is_empty(), "an acquisition that nobody made");
    Ok(())
}

/// Panics where something in a map does not fit together.
fn check_state(map: &IntervalMap) {
    let (mut end, mut holes) = (0, 0);
    for (start, cell) in map.cells.iter() {
        assert!(end <= start && start < cell.end, "cells overlap");
        end = cell.end;
        holes += usize::from(cell.is_hole());
    }
    assert_eq!(map.cells.holes(), holes);
    for (stamp, origin, pieces) in map.splits.pieces() {
        let own = map.cells.within(origin);
        let own = own.filter(|(_, cell)| cell.is_of(stamp)).count();
        assert_eq!(own as u32, pieces, "pieces of {stamp:?}");
    }
    let of = |piece: HeldRange| (piece.mapped.stamp, piece.mapped.range);
    let acquisitions: BTreeSet<_> = map.pieces().map(of).collect();
    assert_eq!(map.attributes.uses() as usize, acquisitions.len());
}

/// Everything is given back at the end, and nothing is left.
fn check_end(spaces: &mut Spaces) -> TestCaseResult {
    spaces.forget_holes(Stamp(u64::MAX));
    prop_assert_eq!(spaces.state_count(), spaces.all().count());
    for map in spaces.maps.values() {
        check_state(map);
    }
    prop_assert_eq!(spaces.anomalies, Anomalies::default());
    for space in 0..SPACES {
        spaces.died(SpaceId(space), Stamp(u64::MAX - 1));
    }
    spaces.forget_holes(Stamp(u64::MAX));
    prop_assert_eq!((spaces.count(), spaces.state_count()), (0, 0));
    prop_assert!(spaces.maps.is_empty(), "state is left behind");
    Ok(())
}

/// In the order of stamps: after every record.
fn in_order(history: &History) -> Result<u64, TestCaseError> {
    let (mut kernel, mut spaces) = (Kernel::new(), Spaces::default());
    let (mut gone, mut pages) = (Vec::new(), 0);
    for (stamp, late, record) in &history.records {
        if late % 4 == 0 {
            spaces.forget_holes(Stamp(stamp.0 - late.min(&stamp.0)));
        }
        record.play(&mut spaces, &mut gone);
        kernel.play(*record);
        pages += kernel.check(&spaces, record.space())?;
    }
    check_gone(&kernel, &gone)?;
    check_end(&mut spaces)?;
    Ok(pages)
}

/// As records arrive: at the end. Stacks are told then.
fn late(history: &History, lateness: u64) -> Result<u64, TestCaseError> {
    let (mut spaces, mut gone, mut pages) = (Spaces::default(), Vec::new(), 0);
    for (index, (record, to_come)) in history.arrivals(lateness).into_iter().enumerate() {
        if !matches!(record, Record::Attributed(..)) {
            record.play(&mut spaces, &mut gone);
        }
        if index % 3 == 0 {
            let room = index as u64 % 7;
            spaces.forget_holes(Stamp(to_come.0.saturating_sub(room)));
        }
    }
    check_gone_late(history, &gone)?;
    for space in (0..SPACES).map(SpaceId) {
        for owner in history.kernel.living(space) {
            if let Some(stack) = owner.stack {
                let known = spaces.attribute(MappingId::from(&owner.mapped), stack);
                prop_assert_eq!(known, Some((owner.mapped, None)));
            }
        }
        pages += history.kernel.check(&spaces, space)?;
    }
    check_end(&mut spaces)?;
    Ok(pages)
}

/// Whatever the order in which records come, every page has the owner that the kernel gave it.
#[test]
fn histories_end_as_the_kernel_says() {
    let (records, pages, ends) = (Counter::new(0), Counter::new(0), Counter::new(0));
    let mut runner = TestRunner::new(ProptestConfig {
        source_file: Some(file!()),
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::with_cases(10_000)
    });
    let steps = prop::collection::vec(step(), 1..40);
    let outcome = runner.run(&steps, |steps| {
        let history = History::of(&steps);
        records.set(records.get() + history.records.len());
        pages.set(pages.get() + in_order(&history)?);
        for lateness in [1, 1000] {
            ends.set(ends.get() + late(&history, lateness)?);
        }
        Ok(())
    });
    let (records, pages, ends) = (records.get(), pages.get(), ends.get());
    println!(
        "10000 histories of {records} records: {pages} pages after each, {ends} after late ones"
    );
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

proptest! {
    /// Any records at all, of any stamps: no panic, counts are right, and nothing stays behind.
    #[test]
    fn nonsense_does_no_harm(
        steps in prop::collection::vec((0u8..8, 0u64..20, 0u64..20, 0u64..12), 0..100)
    ) {
        let (mut spaces, mut gone) = (Spaces::default(), Vec::new());
        for (what, start, end, stamp) in steps {
            let (range, stamp) = (Range { start, end }, Stamp(stamp));
            let mapped = made(SPACE, Call::Mmap, range, stamp.0);
            let process = PROCESS;
            let space = SPACE;
            match what {
                0..=2 => spaces.mapped(mapped, &mut |g| gone.push(g)),
                3 => spaces.mapped(Mapped { call: Call::Shmat, ..mapped }, &mut |g| gone.push(g)),
                4 => spaces.unmapped(Unmapped { stamp, space, range, process }, &mut |g| gone.push(g)),
                5 => {
                    let address = start;
                    spaces.detached(Detached { stamp, space, address, process }, &mut |g| gone.push(g));
                }
                6 => {
                    let id = MappingId::from(&mapped);
                    spaces.refute(id, Range { start: end, end: start }, &mut |g| gone.push(g));
                }
                _ if end == 0 => spaces.died(SPACE, stamp),
                _ => spaces.forget_holes(stamp),
            }
            for map in spaces.maps.values() {
                check_state(map);
            }
            prop_assert_eq!(spaces.count(), spaces.all().count());
        }
        spaces.anomalies = Anomalies::default();
        check_end(&mut spaces)?;
    }
}
