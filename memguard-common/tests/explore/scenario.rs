//! What is explored: which ways can be used, who the actors are, and what is changed on purpose.

use memguard_common::nursery::{Key, SETS};

/// What a usable way holds at first.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fill {
    Empty,
    /// The record of a descriptor that is open.
    Open {
        key: usize,
        owner: u32,
    },
    /// Of one that was open when its table died; the table's memory is in use again.
    Dead {
        key: usize,
        owner: u32,
    },
    /// Of one whose release was missed: it is closed.
    Missed {
        key: usize,
        owner: u32,
    },
}

/// An actor, by the program that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Opens a descriptor as soon as its number is free.
    Open { key: usize, owner: u32 },
    /// The same, but its record goes to the agent at once.
    Direct { key: usize, owner: u32 },
    /// `dup2` onto the number, whatever is there, once another actor is through.
    Onto {
        key: usize,
        owner: u32,
        after: Option<usize>,
    },
    /// Closes the number: once the actor that opened it is through, or (blindly, or what was open
    /// before the exploration) at any time.
    Close {
        key: usize,
        owner: u32,
        after: Option<usize>,
    },
    /// The agent takes everything.
    Sweep,
}

/// What is done otherwise than the protocol has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// An acquirer does not look at the slot once it has published.
    NoLook,
    /// An acquirer publishes first and writes afterwards.
    EarlyPublication,
    /// An acquirer replaces the record of another owner of its key instead of evicting it.
    StrangerReplaced,
    /// An acquirer takes back whatever is in its way, of whatever generation.
    TakesBackAnything,
    /// A release erases whatever has its tag.
    AnyIdentity,
    /// A release does not compare the state word that it swaps.
    ReleaseStores,
    /// A release reads the clock before it looks into the nursery.
    StampBeforeScan,
    /// A sweep swaps first and reads afterwards.
    SweepReadsLate,
    /// A sweep does not compare the state word that it swaps.
    SweepStores,
    /// Nobody compares generations.
    NoGenerations,
    /// An acquirer replaces a record of its own key and owner even where that is younger.
    YoungerReplaced,
    /// `dup2` tells nobody of the handle that it closes.
    DupTellsNobody,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) keys: Vec<Key>,
    /// The usable ways; all others are busy for ever.
    pub(crate) ways: Vec<Fill>,
    pub(crate) actors: Vec<Role>,
    /// Nanoseconds from one stamp to the next: a unit of the state word's time, or less.
    pub(crate) tick: u64,
    pub(crate) change: Option<Change>,
}

/// Two tables and two numbers whose four keys share set and tag, so that a record torn between two
/// of them is a third, and none is told apart but by reading it.
pub(crate) const KEYS: [Key; 3] = [
    Key {
        table: 0xffff_8881_0027_0000,
        handle: 3,
    },
    Key {
        table: 0xffff_8881_03f5_72c0,
        handle: 5_169_574,
    },
    Key {
        table: 0xffff_8881_0027_0000,
        handle: 5_169_574,
    },
];

/// One unit of the state word's time.
pub(crate) const UNIT: u64 = 1 << 20;

impl Scenario {
    pub(crate) fn new(name: &'static str, ways: &[Fill], actors: &[Role]) -> Self {
        let same = |key: &Key| key.set(SETS) == KEYS[0].set(SETS) && key.tag() == KEYS[0].tag();
        assert!(KEYS.iter().all(same), "the keys do not collide");
        Self {
            name,
            keys: KEYS.to_vec(),
            ways: ways.to_vec(),
            actors: actors.to_vec(),
            tick: UNIT,
            change: None,
        }
    }

    pub(crate) fn with(self, change: Change) -> Self {
        Self {
            change: Some(change),
            ..self
        }
    }

    /// All stamps within one unit of the state word's time.
    pub(crate) fn within_a_unit(self) -> Self {
        Self { tick: 1, ..self }
    }

    /// Whether a number may be closed before user space knows it.
    pub(crate) fn is_blind(&self) -> bool {
        let blind = |role: &Role| matches!(role, Role::Close { after: None, .. });
        self.actors.iter().any(blind)
    }

    /// Whether somebody waits for an actor.
    pub(crate) fn is_awaited(&self, actor: usize) -> bool {
        self.actors.iter().any(|role| match role {
            Role::Onto { after, .. } | Role::Close { after, .. } => *after == Some(actor),
            Role::Open { .. } | Role::Direct { .. } | Role::Sweep => false,
        })
    }

    /// The first actor that nobody can tell from this one.
    pub(crate) fn twin(&self, actor: usize) -> usize {
        if self.is_awaited(actor) {
            return actor;
        }
        let role = self.actors[actor];
        let same = |other: &usize| self.actors[*other] == role && !self.is_awaited(*other);
        (0..actor).find(same).unwrap_or(actor)
    }

    pub(crate) fn actor_name(&self, actor: usize) -> String {
        let what = match self.actors[actor] {
            Role::Open { .. } | Role::Direct { .. } => "open",
            Role::Onto { .. } => "dup2",
            Role::Close { .. } => "close",
            Role::Sweep => "sweep",
        };
        format!("{what} {actor}")
    }
}
