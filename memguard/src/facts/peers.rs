//! What sockets are connected to: the kernel walks every bucket of its tables for each who asks,
//! 262 144 on a large machine, so a network namespace is asked once for all questions of a moment.

use std::time::{Duration, Instant};

use hashbrown::HashMap;

use crate::{
    judge::question::Peers,
    source::procfs::{Procfs, SocketTable},
};

/// Most namespaces whose tables are kept at once.
const NAMESPACES: usize = 64;
/// What was asked earlier may have changed.
const FRESH: Duration = Duration::from_secs(1);

/// Tables of a moment, by network namespace; `None` where it is not known.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    tables: HashMap<Option<u64>, SocketTable>,
    since: Option<Instant>,
}

impl Sockets {
    /// What each socket is connected to; of one without an address, its protocol.
    pub(super) fn describe(&mut self, procfs: &Procfs, peers: &Peers) -> Vec<Option<String>> {
        let tgid = peers.process.tgid;
        if !procfs.is_alive(peers.process) {
            return vec![None; peers.sockets.len()];
        }
        self.expire();
        let tid = procfs.live_thread(tgid, peers.tid).ok().flatten();
        let tid = tid.unwrap_or(tgid);
        let table = self.of(procfs, tgid, tid);
        let describe = |(fd, inode): &(u32, u64)| {
            let known = table.describe(*inode);
            let known = known.or_else(|| procfs.protocol(tgid, tid, *fd));
            known.map(|(_, text)| text)
        };
        peers.sockets.iter().map(describe).collect()
    }

    fn expire(&mut self) {
        if self.since.is_none_or(|since| since.elapsed() >= FRESH) {
            self.tables.clear();
            self.since = Some(Instant::now());
        }
    }

    /// The sockets that a thread may have.
    fn of(&mut self, procfs: &Procfs, tgid: u32, tid: u32) -> &SocketTable {
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
