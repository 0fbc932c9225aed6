//! Memory: ranges of an address space that are acquired and given back.
//!
//! A range is a handle like a descriptor, and lives in the same nursery. Two things are different.
//! Something may be mapped *over* it, which ends it without a release; and a release is of any
//! range. So what was mapped over is told to the agent, and a young range is paired only by the
//! release of exactly its pages, and only if nothing was mapped over anything in that address space
//! since: else what lies inside would be taken for held. All other releases are sent.

mod attach;
mod heap;
mod map;
mod range;
mod remap;

use memguard_common::{
    call::Call,
    event::{Acquired, Head, LONG_RANGE, Unmapped, kind},
    nursery::{Key, owner},
    stats::Stat,
};

use self::range::Range;
use crate::{
    emit::{add, count, lose, send},
    filter,
    kernel::{Process, Space, Task},
    maps,
    memory::{now, read_volatile, write_volatile},
    nursery::{self, Entry, Kept},
    regs::Arguments,
    wide,
    window::StackBuf,
};

/// A range that is the caller's now.
#[derive(Clone, Copy)]
struct New {
    range: Range,
    call: Call,
    detail: u64,
    /// Whatever was there before is gone.
    over: bool,
}

/// A watched task in a call about memory.
#[derive(Clone, Copy)]
struct Caller {
    task: Task,
    space: Space,
}

impl Caller {
    /// `None` where nothing is to be done, which the caller counts.
    #[inline(always)]
    fn watched() -> Option<Self> {
        let running = filter::running()?;
        let task = filter::watched(running)?;
        Some(Self {
            task,
            space: task.space()?,
        })
    }

    /// At the exit of a call that may have acquired something.
    #[inline(always)]
    fn returning() -> Option<Self> {
        let running = filter::running()?;
        count(Stat::Seen);
        let Some(task) = filter::watched(running) else {
            count(Stat::Filtered);
            return None;
        };
        let Some(space) = task.space() else {
            count(Stat::Failed);
            return None;
        };
        Some(Self { task, space })
    }

    #[inline(always)]
    fn arguments(self) -> Arguments {
        Arguments::of(self.task)
    }

    #[inline(always)]
    fn key(self, range: Range) -> Key {
        Key {
            table: self.space.address,
            handle: range.handle(),
        }
    }

    #[inline(always)]
    fn acquired(self, new: New) {
        let stamp = now();
        let range = new.range;
        if new.over {
            // Before the record, so that it is of the new count and may be paired.
            self.overlay(range, stamp);
        }
        self.keep(self.record(range, new.call, new.detail, stamp), range);
    }

    /// Ends what was in the range at this moment.
    #[inline(always)]
    fn overlay(self, range: Range, stamp: u64) {
        count_overlay(self.space);
        self.erase(range);
        let record = self.unmapped(kind::UNMAPPED, range, stamp - 1);
        send_unmapped(&record, Stat::OverlaidSent, Stat::OverlaidLost);
    }

    #[inline(always)]
    fn record(self, range: Range, call: Call, detail: u64, stamp: u64) -> Acquired {
        Acquired {
            head: Head {
                kind: kind::ACQUIRED,
                flags: 0,
                stamp,
            },
            table: self.space.address,
            tgid: self.task.tgid,
            tid: self.task.tid,
            handle: range.handle(),
            start: self.task.start,
            call: call as u32,
            exec_id: overlays(self.space),
            detail,
        }
    }

    #[inline(always)]
    fn keep(self, record: Acquired, range: Range) {
        let mut entry = Entry::new(record, self.arguments().origin());
        let kept = if range.pages >= LONG_RANGE {
            Kept::Nowhere
        } else {
            entry.keep()
        };
        wide::copy_if_wanted(&entry);
        match kept {
            Kept::Alone => {}
            Kept::Replacing => count(Stat::Replaced),
            Kept::Nowhere => self.direct(&entry.record),
        }
    }

    /// Past the nursery.
    #[inline(always)]
    fn direct(self, record: &Acquired) {
        let Some(buffer) = StackBuf::aside() else {
            return lose(self.task.process(), Stat::LostAcquired);
        };
        buffer.copy(self.arguments().origin());
        buffer.send(&raw const *record, Stat::Direct);
    }

    /// Erases a young record of exactly this range, over which something is mapped.
    #[inline(always)]
    fn erase(self, range: Range) {
        if range.pages < LONG_RANGE {
            let erased = nursery::release(self.key(range), None);
            add(Stat::Replaced, u64::from(erased));
        }
    }

    /// A range that is given back.
    #[inline(always)]
    fn gives_back(self, range: Range, stamp: u64) {
        count(Stat::Releases);
        if range.pages == 0 {
            return count(Stat::NotOpen);
        }
        let erased = self.pair(range);
        if erased > 0 {
            add(Stat::Paired, u64::from(erased));
            return count(Stat::ReleasesPaired);
        }
        let record = self.unmapped(kind::UNMAPPED, range, stamp);
        send_unmapped(&record, Stat::ReleasesSent, Stat::ReleasesLost);
    }

    /// Erases a young record of exactly this range, if nothing was mapped over anything since.
    #[inline(always)]
    fn pair(self, range: Range) -> u32 {
        if range.pages >= LONG_RANGE {
            return 0;
        }
        let owner = owner(self.task.tgid, self.task.start, overlays(self.space));
        nursery::release(self.key(range), Some(owner))
    }

    #[inline(always)]
    fn unmapped(self, kind: u32, range: Range, stamp: u64) -> Unmapped {
        Unmapped {
            head: Head {
                kind,
                flags: 0,
                stamp,
            },
            space: self.space.address,
            tgid: self.task.tgid,
            tid: self.task.tid,
            start: self.task.start,
            address: range.address,
            length: range.bytes(),
        }
    }
}

#[inline(always)]
fn send_unmapped(record: &Unmapped, sent: Stat, lost: Stat) {
    let bytes = size_of::<Unmapped>() as u64;
    let process = Process {
        tgid: record.tgid,
        start: record.start,
    };
    send((&raw const *record).cast(), bytes, process, sent, lost);
}

/// Where an address space's count lies.
#[inline(always)]
fn overlay_slot(space: Space) -> Option<*mut u32> {
    const SLOTS_SHIFT: u32 = 12;
    let hash = space.address.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    maps::OVERLAYS.get_ptr_mut((hash >> (64 - SLOTS_SHIFT)) as u32)
}

/// How often something was mapped over in this address space, and in those that share its count.
#[inline(always)]
fn overlays(space: Space) -> u32 {
    overlay_slot(space).map_or(0, |slot| read_volatile(slot))
}

/// Two CPUs may lose an increment to each other; what each of them then compares with has changed
/// all the same.
#[inline(always)]
fn count_overlay(space: Space) {
    if let Some(slot) = overlay_slot(space) {
        write_volatile(slot, read_volatile(slot).wrapping_add(1));
    }
}
