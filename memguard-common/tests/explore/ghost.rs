//! What the judge knows of each handle, and no actor does.

/// What an acquirer saw in the slot after it had published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Saw {
    /// It did not look.
    NotLooked,
    /// Its own handle.
    Own,
    /// A handle that was given the number after its own was closed.
    Another,
    /// Nothing.
    Empty,
}

impl Saw {
    pub(crate) fn of(slot: Option<usize>, handle: usize) -> Self {
        match slot {
            None => Self::Empty,
            Some(other) if other == handle => Self::Own,
            Some(_) => Self::Another,
        }
    }
}

/// What the program at the entry of `close` made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Told {
    /// It erased a record, or more.
    Paired,
    /// It found the slot empty.
    NotOpen,
    /// It sent a release.
    Sent,
    /// There was none: `dup2` closed the handle, or the program was not running.
    Unseen,
}

/// How far a handle was when the program of its closer began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Began {
    /// Its record was neither published nor sent.
    BeforeRecord,
    /// User space did not know it.
    BeforeReturn,
    /// As it should be.
    AfterReturn,
}

/// How a handle was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Closing {
    pub(crate) told: Told,
    /// Two bits for each handle, from when the closer began; once it is known which it closed, of
    /// that.
    pub(crate) witness: u64,
}

const ON_RECORD: u64 = 1;
const RETURNED: u64 = 2;

impl Closing {
    pub(crate) const UNSEEN: Self = Self {
        told: Told::Unseen,
        witness: ON_RECORD | RETURNED,
    };

    /// How far the handles of a key are.
    pub(crate) fn witness(handles: &[Handle], key: usize) -> u64 {
        let all = handles.iter().enumerate();
        all.filter(|(_, handle)| handle.key == key)
            .fold(0, |bits, (index, handle)| {
                let on_record = u64::from(handle.is_on_record) * ON_RECORD;
                let returned = u64::from(handle.has_returned) * RETURNED;
                bits | (on_record | returned) << (2 * index)
            })
    }

    /// The same, of the handle that was closed.
    pub(crate) fn of(self, handle: usize) -> Self {
        let witness = self.witness >> (2 * handle) & (ON_RECORD | RETURNED);
        Self { witness, ..self }
    }

    pub(crate) fn began(self) -> Began {
        if self.witness & RETURNED != 0 {
            Began::AfterReturn
        } else if self.witness & ON_RECORD != 0 {
            Began::BeforeReturn
        } else {
            Began::BeforeRecord
        }
    }
}

/// A descriptor, from its open to its close.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Handle {
    pub(crate) key: usize,
    pub(crate) owner: u32,
    /// Zero until its acquirer has read the clock.
    pub(crate) stamp: u64,
    /// Its record was published or sent.
    pub(crate) is_on_record: bool,
    /// User space knows it.
    pub(crate) has_returned: bool,
    pub(crate) saw: Saw,
    /// Another acquirer has claimed the way of its record, and not sent it.
    pub(crate) is_overwritten: bool,
    pub(crate) closed: Option<Closing>,
}

impl Handle {
    pub(crate) fn fresh(key: usize, owner: u32) -> Self {
        Self {
            key,
            owner,
            stamp: 0,
            is_on_record: false,
            has_returned: false,
            saw: Saw::NotLooked,
            is_overwritten: false,
            closed: None,
        }
    }

    /// One that was there before the exploration.
    pub(crate) fn earlier(key: usize, owner: u32, stamp: u64) -> Self {
        Self {
            stamp,
            is_on_record: true,
            has_returned: true,
            saw: Saw::Own,
            ..Self::fresh(key, owner)
        }
    }
}
