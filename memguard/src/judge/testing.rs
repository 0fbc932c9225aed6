//! What policies see, in tests.

use std::time::Duration;

use super::{
    Context,
    context::{identities::Identities, losses::Losses, names::Names, whole_stacks::WholeStacks},
};
use crate::{
    config::DetectConfig,
    ledger::Ledger,
    model::{
        event::{Acquired, Event, Forked},
        ids::{ProcessId, Stamp, TableId},
        memory::{Mapped, Range, SpaceId},
        resource::Call,
    },
};

pub(super) const PROCESS: ProcessId = ProcessId {
    tgid: 7,
    start_ticks: 1,
};
pub(super) const SPACE: SpaceId = SpaceId(0x9000);
const TABLE: TableId = TableId(0x1000);

pub(super) fn second(second: u64) -> Stamp {
    Stamp(second * 1_000_000_000)
}

/// At 100 s, with a minimum age of 10 s and a warm-up of 5; nothing is held.
pub(super) fn context() -> Context {
    Context {
        config: DetectConfig {
            short_lives: true,
            ..DetectConfig::testing(Duration::from_secs(10), Duration::from_secs(5))
        },
        ledger: Ledger::new(),
        names: Names::new(false),
        whole_stacks: WholeStacks::default(),
        identities: Identities::default(),
        losses: Losses::default(),
        attached_at: second(1),
        now: second(100),
        own: 1,
        suspended: Duration::ZERO,
        full: hashbrown::HashSet::new(),
    }
}

pub(super) fn acquired(fd: u32, at: u64) -> Acquired {
    Acquired {
        stamp: second(at),
        table: TABLE,
        fd,
        process: PROCESS,
        tid: PROCESS.tgid,
        exec_id: 1,
        call: Call::Openat,
        detail: 0,
    }
}

/// The process was born at a moment and acquired these descriptors.
pub(super) fn holding(born: u64, fds: impl IntoIterator<Item = (u32, u64)>) -> Context {
    let mut context = context();
    context.ledger.apply(Event::Forked(Forked {
        stamp: second(born),
        parent: ProcessId {
            tgid: 2,
            start_ticks: 1,
        },
        child: PROCESS.tgid,
        table: TABLE,
        shares_table: false,
        space: None,
        shares_space: false,
    }));
    for (fd, at) in fds {
        context.ledger.apply(Event::Acquired(acquired(fd, at)));
    }
    context
}

/// As a shell does: `dup2(.., 1)`.
pub(super) fn redirect_output(context: &mut Context, at: u64) {
    let placed = Acquired {
        call: Call::Dup2,
        ..acquired(1, at)
    };
    context.ledger.apply(Event::Acquired(placed));
}

/// Pages of anonymous memory.
pub(super) fn mapped(first: u64, pages: u64, at: u64) -> Mapped {
    Mapped {
        stamp: second(at),
        space: SPACE,
        range: Range {
            start: first << 12,
            end: (first + pages) << 12,
        },
        process: PROCESS,
        tid: PROCESS.tgid,
        call: Call::Mmap,
        protection: (libc::PROT_READ | libc::PROT_WRITE) as u8,
        flags: (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u32,
    }
}
