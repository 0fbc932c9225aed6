//! What is known of one process.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::model::ids::{Stamp, TableId};

/// The program that a process runs, as its exec named it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Path as given to exec.
    pub path: Vec<u8>,
    /// Arguments, NUL between them, the first 256 bytes.
    pub args: Vec<u8>,
}

/// A known process.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Ticks since boot; `None` until the process's first own record.
    pub(super) start_ticks: Option<u64>,
    /// Thread group of its parent.
    pub parent: Option<u32>,
    /// When it was born; `None` where that was before memguard came.
    pub born: Option<Stamp>,
    /// What it runs, where it was seen to begin it, or its parent was.
    pub image: Option<Arc<Image>>,
    /// Its program image's number; handles of an older one came over an exec.
    pub exec_id: Option<u32>,
    /// Descriptors that were open before memguard came.
    pub preexisting: HashSet<u32>,
    /// What was open when the process, or its program image, came into sight. `None` where that
    /// is not known.
    pub baseline: Option<Baseline>,
    /// The table it was last seen to use.
    pub table: Option<TableId>,
    /// Every table it was seen to acquire in, the first [`TABLES`].
    pub(super) tables: Vec<TableId>,
    /// It was found in `/proc`, and no record of its birth has come since.
    pub(super) seeded: bool,
    /// When it last became another program, and the table that it then had.
    pub(super) execed: Option<(Stamp, TableId)>,
}

/// Most tables remembered of a process. Programs whose threads have tables of their own are rare,
/// and have a few.
const TABLES: usize = 64;

/// What was open at some moment: anything else that is open later was acquired in sight.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// The numbers, without those that have been closed since.
    pub open: HashSet<u32>,
    /// The table it is of, where that is known: a copy of it (`unshare`) has more.
    pub(super) table: Option<TableId>,
    /// The moment; older records, which may arrive later, are part of it already.
    pub(super) at: Stamp,
}

impl Baseline {
    pub(super) fn is_of(&self, table: TableId) -> bool {
        self.table.is_none_or(|own| own == table)
    }

    /// A number was acquired or released.
    pub(super) fn forget(&mut self, table: TableId, fd: u32, stamp: Stamp) {
        if self.is_of(table) && stamp > self.at {
            self.open.remove(&fd);
        }
    }
}

impl Process {
    /// What was open in this table when the process came into sight.
    pub(super) fn baseline_of(&self, table: TableId) -> Option<&HashSet<u32>> {
        let baseline = self.baseline.as_ref()?;
        baseline.is_of(table).then_some(&baseline.open)
    }

    /// Whether what it acquired at this moment ended with an exec, which leaves a process one table
    /// and ends those that its other threads had.
    pub(super) fn gave_up(&self, table: TableId, stamp: Stamp) -> Option<Stamp> {
        let (at, kept) = self.execed?;
        (stamp <= at && table != kept).then_some(at)
    }

    pub(super) fn uses(&mut self, table: TableId) {
        if !self.tables.contains(&table) && self.tables.len() < TABLES {
            self.tables.push(table);
        }
    }
}
