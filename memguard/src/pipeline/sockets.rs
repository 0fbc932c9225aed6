//! What sockets are connected to, asked once for all processes of a network namespace: the kernel
//! walks every bucket of its tables for each who asks, 262 144 on a large machine.

use hashbrown::HashMap;

use crate::source::procfs::{Procfs, SocketTable};

/// Tables of one judgement, by network namespace; `None` where it is not known.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    tables: HashMap<Option<u64>, SocketTable>,
}

/// Most namespaces whose tables are kept at once.
const NAMESPACES: usize = 64;

impl Sockets {
    /// What was asked before may have changed.
    pub(super) fn forget(&mut self) {
        self.tables.clear();
    }

    /// The sockets that a thread may have.
    pub(super) fn of(&mut self, procfs: &Procfs, tgid: u32, tid: u32) -> &SocketTable {
        let namespace = procfs.net_namespace(tgid, tid);
        if namespace.is_none() {
            self.tables.remove(&None);
        }
        if self.tables.len() >= NAMESPACES {
            self.tables.clear();
        }
        let read = || procfs.sockets(tgid, tid);
        self.tables.entry(namespace).or_insert_with(read)
    }
}
