//! Stories of single address spaces, and what the state may cost. `histories` are random ones
//! against a naive model.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "a model of the kernel counts"
)]

mod histories;

use super::{
    interval_map::{PIECES, TOTAL},
    *,
};
use crate::model::{ids::ProcessId, memory::PAGE};

const SPACE: SpaceId = SpaceId(1);

const PROCESS: ProcessId = ProcessId {
    tgid: 7,
    start_ticks: 700,
};

/// `pages` pages from page `first` on.
fn pages(first: u64, pages: u64) -> Range {
    Range::of(first * PAGE, pages * PAGE).unwrap()
}

fn made(space: SpaceId, call: Call, range: Range, stamp: u64) -> Mapped {
    Mapped {
        stamp: Stamp(stamp),
        space,
        range,
        process: PROCESS,
        tid: 7,
        call,
        protection: 3,
        flags: if call == Call::Mmap { 0x22 } else { 0 },
    }
}

/// Spaces, and what they reported.
#[derive(Default)]
struct Play {
    spaces: Spaces,
    gone: Vec<Gone>,
}

impl Play {
    fn call(&mut self, call: Call, range: Range, stamp: u64) -> &mut Self {
        let Self { spaces, gone } = self;
        spaces.mapped(made(SPACE, call, range, stamp), &mut |g| gone.push(g));
        self
    }

    fn mmap(&mut self, range: Range, stamp: u64) -> &mut Self {
        self.call(Call::Mmap, range, stamp)
    }

    fn munmap(&mut self, range: Range, stamp: u64) -> &mut Self {
        let Self { spaces, gone } = self;
        let unmapped = Unmapped {
            stamp: Stamp(stamp),
            space: SPACE,
            range,
            process: PROCESS,
        };
        spaces.unmapped(unmapped, &mut |g| gone.push(g));
        self
    }

    fn shmdt(&mut self, address: u64, stamp: u64) -> &mut Self {
        let Self { spaces, gone } = self;
        let detached = Detached {
            stamp: Stamp(stamp),
            space: SPACE,
            address,
            process: PROCESS,
        };
        spaces.detached(detached, &mut |g| gone.push(g));
        self
    }

    fn left(&self) -> Vec<(Range, u64)> {
        let pieces = self.spaces.pieces(SPACE);
        pieces
            .map(|piece| (piece.range, piece.mapped.stamp.0))
            .collect()
    }

    fn gone(&self) -> Vec<(u64, Option<u64>)> {
        let gone = self.gone.iter();
        gone.map(|gone| (gone.mapped.stamp.0, gone.at.map(|at| at.0)))
            .collect()
    }

    /// What is left, by range and stamp of its acquisition, and what went, by stamp, and when.
    fn is(&self, left: &[(Range, u64)], gone: &[(u64, Option<u64>)]) {
        assert_eq!(self.left(), left);
        assert_eq!(self.gone(), gone);
    }
}

#[test]
fn one_munmap_ends_all_it_spans() {
    let mut play = Play::default();
    for map in 0..10 {
        play.mmap(pages(map * 3, 2), map + 1);
    }
    play.munmap(pages(0, 64), 11);
    let all: Vec<_> = (1..=10).map(|stamp| (stamp, Some(11))).collect();
    play.is(&[], &all);
}

#[test]
fn a_partial_munmap_leaves_the_rest() {
    let mut play = Play::default();
    play.mmap(pages(0, 10), 1).munmap(pages(0, 9), 2);
    play.is(&[(pages(9, 1), 1)], &[]);
    let left: Vec<_> = play.spaces.pieces(SPACE).collect();
    assert_eq!(left[0].mapped.range, pages(0, 10), "as it was acquired");
    play.munmap(pages(9, 1), 3).is(&[], &[(1, Some(3))]);
}

#[test]
fn a_hole_in_the_middle_makes_two_pieces() {
    let mut play = Play::default();
    play.mmap(pages(0, 10), 1).munmap(pages(4, 2), 2);
    play.is(&[(pages(0, 4), 1), (pages(6, 4), 1)], &[]);
    play.munmap(pages(0, 4), 3).is(&[(pages(6, 4), 1)], &[]);
    play.munmap(pages(6, 4), 4).is(&[], &[(1, Some(4))]);
}

#[test]
fn mapping_over_is_a_release() {
    let mut play = Play::default();
    for stamp in 1..=1000 {
        play.mmap(pages(5, 3), stamp);
    }
    assert_eq!(play.left(), [(pages(5, 3), 1000)]);
    let gone: Vec<_> = (1..1000).map(|stamp| (stamp, Some(stamp + 1))).collect();
    assert_eq!(play.gone(), gone);
}

#[test]
fn a_mapping_that_moves_leaves_nothing_behind() {
    let mut play = Play::default();
    let (mut at, mut size) = (pages(0, 1), 1);
    play.mmap(at, 1);
    for step in 1..=25_600 {
        let (entry, exit) = (step * 10, step * 10 + 5);
        size += 1;
        // Every tenth time there is room behind it.
        let first = if step % 10 == 0 {
            at.start / PAGE
        } else {
            step * 100_000
        };
        play.munmap(at, entry);
        at = pages(first, size);
        play.call(Call::Mremap, at, exit);
    }
    assert!(at.bytes() > 100 << 20, "100 MiB");
    assert_eq!(play.left(), [(at, 256_005)]);
    assert_eq!(play.spaces.bytes(SPACE), at.bytes());
    play.munmap(at, 300_000);
    assert_eq!(play.left(), []);
    assert_eq!(play.gone.len(), 25_601);
}

#[test]
fn a_mapping_that_shrinks_loses_its_tail() {
    let mut play = Play::default();
    play.mmap(pages(0, 10), 1).munmap(pages(3, 7), 2);
    play.is(&[(pages(0, 3), 1)], &[]);
}

#[test]
fn dontunmap_leaves_the_old_range() {
    let mut play = Play::default();
    for step in 0..50 {
        play.mmap(pages(step * 20, 10), step * 2 + 1);
        play.call(Call::Mremap, pages(step * 20 + 10, 10), step * 2 + 2);
    }
    play.munmap(pages(10, 10), 101);
    assert_eq!(play.gone(), [(2, Some(101))]);
    assert_eq!(play.left().len(), 99, "49 that were moved and all 50 old");
}

#[test]
fn munmap_of_an_attachment_detaches() {
    let mut play = Play::default();
    play.call(Call::Shmat, pages(8, 4), 1);
    play.munmap(pages(8, 4), 2).is(&[], &[(1, Some(2))]);
    // The kernel says EINVAL then.
    play.shmdt(8 * PAGE, 3).is(&[], &[(1, Some(2))]);
}

#[test]
fn shmdt_takes_only_what_is_left_of_its_attachment() {
    let mut play = Play::default();
    play.call(Call::Shmat, pages(8, 8), 1);
    play.munmap(pages(8, 2), 2).mmap(pages(8, 1), 3);
    play.mmap(pages(12, 1), 4).shmdt(8 * PAGE, 5);
    play.is(&[(pages(8, 1), 3), (pages(12, 1), 4)], &[(1, Some(5))]);
}

#[test]
fn shmdt_takes_the_youngest_attachment_that_is_not_younger() {
    let mut play = Play::default();
    play.call(Call::Shmat, pages(8, 8), 1);
    play.call(Call::Shmat, pages(8, 4), 2).shmdt(8 * PAGE, 3);
    play.is(&[(pages(12, 4), 1)], &[(2, Some(3))]);
    play.shmdt(8 * PAGE, 0)
        .is(&[(pages(12, 4), 1)], &[(2, Some(3))]);
    play.shmdt(8 * PAGE, 4);
    play.is(&[], &[(2, Some(3)), (1, Some(4))]);

    // The first page of neither is left.
    let mut play = Play::default();
    play.call(Call::Shmat, pages(8, 8), 1);
    play.call(Call::Shmat, pages(8, 4), 2);
    play.munmap(pages(8, 1), 3).shmdt(8 * PAGE, 4);
    play.is(&[(pages(12, 4), 1)], &[(2, Some(4))]);
}

#[test]
fn an_attachment_that_comes_after_its_detachment_is_gone_at_once() {
    let mut play = Play::default();
    play.shmdt(8 * PAGE, 5).mmap(pages(10, 1), 3);
    play.call(Call::Shmat, pages(8, 4), 2);
    play.is(&[(pages(10, 1), 3)], &[(2, Some(5))]);
    play.mmap(pages(9, 1), 1).call(Call::Shmat, pages(8, 4), 6);
    play.is(
        &[(pages(8, 4), 6)],
        &[(2, Some(5)), (1, Some(2)), (3, Some(6))],
    );
}

/// In any order of arrival: each case is a list of what is left.
#[test]
fn stamps_decide() {
    let mut play = Play::default();
    play.munmap(pages(2, 2), 5).mmap(pages(0, 8), 3);
    play.is(&[(pages(0, 2), 3), (pages(4, 4), 3)], &[]);

    let mut play = Play::default();
    play.mmap(pages(2, 2), 5).mmap(pages(0, 8), 3);
    let sides = [(pages(0, 2), 3), (pages(2, 2), 5), (pages(4, 4), 3)];
    play.is(&sides, &[]);
    play.munmap(pages(0, 8), 4)
        .is(&[(pages(2, 2), 5)], &[(3, Some(5))]);

    let mut play = Play::default();
    play.munmap(pages(0, 8), 5).mmap(pages(2, 2), 5);
    play.is(&[], &[(5, Some(5))]);
    play.mmap(pages(2, 2), 6)
        .is(&[(pages(2, 2), 6)], &[(5, Some(5))]);
}

#[test]
fn what_ends_with_its_space_is_not_reported() {
    let mut play = Play::default();
    play.mmap(pages(0, 4), 1).mmap(pages(2, 4), 8);
    play.spaces.died(SPACE, Stamp(5));
    play.mmap(pages(20, 4), 3)
        .mmap(pages(4, 1), 4)
        .mmap(pages(9, 1), 6);
    play.is(&[(pages(2, 4), 8), (pages(9, 1), 6)], &[]);
}

#[test]
fn a_stack_is_that_of_all_pieces() {
    let mut play = Play::default();
    play.mmap(pages(0, 8), 1).munmap(pages(3, 2), 2);
    let id = MappingId::from(&made(SPACE, Call::Mmap, pages(0, 8), 1));
    let known = play.spaces.attribute(id, StackId(9));
    assert_eq!(known, Some((made(SPACE, Call::Mmap, pages(0, 8), 1), None)));
    assert!(
        play.spaces
            .all()
            .all(|piece| piece.stack == Some(StackId(9)))
    );
    let known = play.spaces.attribute(id, StackId(10)).unwrap();
    assert_eq!(known.1, Some(StackId(9)));
    play.munmap(pages(0, 8), 3);
    assert_eq!(play.gone[0].stack, Some(StackId(10)));
    assert_eq!(play.spaces.attribute(id, StackId(11)), None);
}

#[test]
fn what_the_kernel_does_not_show_is_dropped() {
    let mut play = Play::default();
    play.mmap(pages(0, 8), 1).mmap(pages(3, 2), 2);
    let id = MappingId::from(&made(SPACE, Call::Mmap, pages(0, 8), 1));
    let Play { spaces, gone } = &mut play;
    spaces.refute(id, pages(4, 2), &mut |g| gone.push(g));
    play.is(&[(pages(0, 3), 1), (pages(3, 2), 2), (pages(6, 2), 1)], &[]);
    let Play { spaces, gone } = &mut play;
    spaces.refute(id, Range::ALL, &mut |g| gone.push(g));
    play.is(&[(pages(3, 2), 2)], &[(1, None)]);
    assert_eq!(play.spaces.anomalies.refuted, 3);
    play.mmap(pages(0, 1), 1);
    assert_eq!(play.left().len(), 2, "there is no hole");
}

#[test]
fn the_same_record_twice_is_taken_once() {
    let mut play = Play::default();
    play.mmap(pages(0, 8), 1).mmap(pages(0, 8), 1);
    play.munmap(pages(2, 2), 2).mmap(pages(2, 2), 1);
    play.is(&[(pages(0, 2), 1), (pages(4, 4), 1)], &[]);
    assert_eq!(play.spaces.anomalies.repeated, 2);
}

#[test]
fn nothing_is_left_of_empty_spaces() {
    let mut play = Play::default();
    play.mmap(pages(0, 8), 1).munmap(pages(0, 8), 2);
    play.shmdt(PAGE, 3);
    play.spaces.died(SpaceId(2), Stamp(3));
    assert_eq!(play.spaces.state_count(), 3);
    play.spaces.forget_holes(Stamp(3));
    assert_eq!(play.spaces.state_count(), 2);
    play.spaces.forget_holes(Stamp(4));
    assert_eq!(play.spaces.state_count(), 0);
    assert!(play.spaces.maps.is_empty());
    play.shmdt(PAGE, 5).spaces.forget_holes(Stamp(6));
    assert!(play.spaces.maps.is_empty());
}

#[test]
fn pieces_of_a_space_are_bounded() {
    let mut play = Play::default();
    let many = PIECES as u64;
    for map in 0..many + 10 {
        play.mmap(pages(map * 2, 1), map + 1);
    }
    assert_eq!(play.spaces.count(), PIECES);
    assert_eq!(play.spaces.anomalies.refused, 10);
    let refused: Vec<_> = (many + 1..=many + 10).map(|stamp| (stamp, None)).collect();
    assert_eq!(play.gone(), refused);
    // A piece that would become two keeps its first part.
    play.munmap(pages(0, 2), many + 20);
    play.mmap(pages(1 << 20, 9), many + 21);
    play.munmap(pages((1 << 20) + 4, 1), many + 22);
    assert_eq!(play.spaces.count(), PIECES);
    assert_eq!(play.left().last(), Some(&(pages(1 << 20, 4), many + 21)));
    assert_eq!(play.spaces.anomalies.refused, 11);
}

#[test]
fn pieces_of_all_spaces_are_bounded() {
    let mut play = Play::default();
    play.spaces.pieces = TOTAL - 3;
    for map in 0..5 {
        play.mmap(pages(map * 10, 4), map + 1);
    }
    assert_eq!((play.left().len(), play.spaces.count()), (3, TOTAL));
    assert_eq!(play.gone(), [(4, None), (5, None)]);
    play.spaces.died(SPACE, Stamp(9));
    assert_eq!(play.spaces.count(), TOTAL - 3);
    assert_eq!(play.spaces.anomalies.refused, 2);
}

#[test]
fn holes_are_bounded_and_the_oldest_go_first() {
    let mut play = Play::default();
    let many = HOLES as u64;
    for hole in 0..=many {
        play.munmap(pages(hole * 2, 1), hole + 1);
    }
    let dropped = play.spaces.anomalies.holes_dropped;
    assert_eq!(dropped, many / 2 + 1);
    assert_eq!(play.spaces.state_count() as u64, many + 1 - dropped);
    play.mmap(pages(many * 2, 1), 1);
    assert_eq!(play.left(), [], "the youngest hole is there");

    for address in 0..=many {
        play.shmdt(address * PAGE, address + 1);
    }
    assert!(play.spaces.detachments.len() <= HOLES);
    assert!(play.spaces.anomalies.holes_dropped > dropped);
}

/// Bytes of a `BTreeMap` that was filled in order: its nodes have room for 11 entries and keep 6 of
/// them when they are split; one more goes up.
fn tree<K, V>(entries: usize) -> usize {
    let leaf = (11 * (size_of::<K>() + size_of::<V>()) + 12).next_multiple_of(8);
    let inner = leaf + 12 * size_of::<usize>();
    match entries {
        0 => 0,
        1..=11 => leaf,
        // The last leaf is full before it is split.
        _ => ((entries - 12) / 7 + 2) * leaf + inner,
    }
}

#[test]
fn a_process_of_25_mappings_is_small() {
    let mut play = Play::default();
    for map in 0..25 {
        play.mmap(pages(map * 100, 50), map + 1);
    }
    let space = size_of::<(SpaceId, IntervalMap)>() * 8 / 7;
    let attributes = play.spaces.maps[&SPACE].attributes.footprint();
    let whole = space + attributes + tree::<u64, cell::Cell>(25);
    // As of threads, whose arenas are trimmed.
    let trimmed = whole + tree::<(Stamp, u64), [u64; 3]>(8);
    println!("25 whole mappings: {whole} bytes; 8 of them split: {trimmed} bytes");
    assert!(whole < 2048, "{whole} bytes");
    assert!(trimmed < 2560, "{trimmed} bytes");
}
