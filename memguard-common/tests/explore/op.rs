//! What actors ask for, and how it reads.

use memguard_common::{
    event::Acquired,
    nursery::{Identity, Phase, State, owner},
    stats::Stat,
};

use super::{ghost::Closing, world::World};

/// Half a record, the most that is read or written at once: table and stamp, or number and owner.
pub(crate) type Half = [u64; 2];

/// A record; what it holds besides takes no part.
pub(crate) type Record = [Half; 2];

/// Both halves of a record.
pub(crate) fn halves(record: &Acquired) -> Record {
    let Identity { key, owner } = Identity::of(record);
    [[key.table, record.head.stamp], [key.handle, owner]]
}

/// The owner of what a process acquires; they all began at once.
pub(crate) fn owner_of(process: u32) -> u64 {
    owner(process, Acquired::default().start, 0)
}

/// How much of the state word a swap compares. The protocol knows but one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Whole,
    AllButGeneration,
    Nothing,
}

/// Keys and handles are indices.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Reads a state word.
    Load(u32),
    /// Reads half of a record.
    Read(u32, usize),
    /// Writes half of a record.
    Write(u32, usize, Half),
    /// Swaps a state word.
    Swap(u32, State, State, Compare),
    /// Sends the record of a way to the agent.
    Evict(u32),
    /// The kernel puts a new open file into the slot, which must be empty: `open`.
    Install { key: usize, owner: u32 },
    /// The same, whatever is in the slot: `dup2`.
    Overwrite { key: usize, owner: u32 },
    /// The kernel empties the slot: `close`.
    Clear { key: usize, closing: Closing },
    /// Looks whether the slot is empty; an acquirer says for which handle.
    Look { key: usize, handle: Option<usize> },
    /// Reads the clock; an acquirer says for which handle.
    Stamp(Option<usize>),
    /// Waits until an actor is through. Like all that follow, no step: it commutes with everything.
    Await(usize),
    /// Notes which handles of the key are on record, and which are known to user space.
    Witness(usize),
    /// An acquirer is through.
    Return(usize),
    /// Counts.
    Count(Stat, u8),
    /// Sends a record to the agent.
    Tell(Record),
    /// Sends a release to the agent.
    TellReleased { key: usize, stamp: u64 },
}

impl Op {
    /// Whether others can tell when it takes place.
    pub(crate) const fn is_step(self) -> bool {
        match self {
            Self::Load(_) | Self::Read(..) | Self::Write(..) | Self::Swap(..) | Self::Evict(_) => {
                true
            }
            Self::Install { .. } | Self::Overwrite { .. } | Self::Clear { .. } => true,
            Self::Look { .. } | Self::Stamp(_) => true,
            Self::Await(_) | Self::Witness(_) | Self::Return(_) => false,
            Self::Count(..) | Self::Tell(_) | Self::TellReleased { .. } => false,
        }
    }

    /// No step either, but tied to the one that follows.
    pub(crate) const fn is_prelude(self) -> bool {
        matches!(self, Self::Await(_) | Self::Witness(_))
    }

    /// What it did, in words; `None` where that is not worth a line.
    pub(crate) fn describe(self, world: &World, answer: [u64; 2]) -> Option<String> {
        let yes = answer[0] == 1;
        let ticks = |stamp: u64| world.ticks(stamp);
        let half = |half: usize, [first, second]: Half| match half {
            0 => format!("table …{:04x}, stamp {}", first & 0xffff, ticks(second)),
            _ => format!("number {first}, process {second}"),
        };
        let whole = |[first, second]: Record| format!("{}, {}", half(0, first), half(1, second));
        Some(match self {
            Self::Load(way) => format!("way {way} is {}", words(State::from_word(answer[0]))),
            Self::Read(way, which) => format!("way {way} reads: {}", half(which, answer)),
            Self::Write(way, which, value) => format!("way {way} is given: {}", half(which, value)),
            Self::Swap(way, from, to, _) => {
                let outcome = if yes { "done" } else { "refused" };
                format!("way {way} from {} to {}: {outcome}", words(from), words(to))
            }
            Self::Evict(way) => {
                let record = world.ways[way as usize].record;
                format!("way {way} goes to the agent: {}", whole(record))
            }
            Self::Install { key, owner } | Self::Overwrite { key, owner } => {
                let handle = answer[0];
                format!("kernel: slot {key} is given to process {owner}, as handle {handle}")
            }
            Self::Clear { key, .. } => format!("kernel: slot {key} is empty now"),
            Self::Look { key, .. } => {
                let seen = if yes { "in use" } else { "empty" };
                format!("slot {key} is {seen}")
            }
            Self::Stamp(_) => format!("it is {}", ticks(answer[0])),
            Self::Return(handle) => format!("  user space knows handle {handle}"),
            Self::Count(stat, amount) => format!("  {} + {amount}", stat.name()),
            Self::Tell(record) => format!("  to the agent: {}", whole(record)),
            Self::TellReleased { key, stamp } => {
                format!("  to the agent: slot {key} released at {}", ticks(stamp))
            }
            Self::Await(_) | Self::Witness(_) => return None,
        })
    }
}

/// Phase and generation.
fn words(state: State) -> String {
    let phase = match state.phase() {
        Phase::Empty => "empty",
        Phase::Busy => "busy",
        Phase::Live => "live",
    };
    format!("{phase}/{}", state.generation())
}
