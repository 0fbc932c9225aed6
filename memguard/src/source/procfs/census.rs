//! What a process holds at one moment, by kind and target, whenever it was acquired.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{ProcError, Procfs, SocketTable, look::descriptor, piles::Piles, tally::Tally};
use crate::model::{
    finding::Limit,
    ids::Stamp,
    link_target::{fold_target, kind_of_target, socket_inode},
    observed::Pile,
    report::{Census, CensusRow},
    resource::{Kind, Resource},
};

/// How many descriptors a census looks at, 2.5 µs each, unless told otherwise.
pub const CENSUS_DESCRIPTORS: usize = 4096;

/// How many descriptors are listed, 0.9 µs each, to tell the preexisting ones.
const LISTED: usize = 65_536;

/// Counts one process; for many at once take a [`CensusRound`].
///
/// `preexisting` says of a descriptor number whether it was open before memguard attached. At most
/// `limit` descriptors are looked at; where there are more, the census is partial, and only the
/// whole number and, up to 65 536 descriptors, the preexisting are complete. [`ProcError::Gone`]
/// also for a zombie, which holds nothing.
pub fn census(
    procfs: &Procfs,
    tgid: u32,
    preexisting: impl Fn(u32) -> bool,
    stamp: Stamp,
    limit: usize,
) -> Result<Census, ProcError> {
    let counted = CensusRound::new(procfs, limit).census(tgid, preexisting, stamp)?;
    Ok(counted.census)
}

/// What a process holds, and of what it held many before memguard attached.
#[derive(Debug)]
pub struct Counted {
    /// What it holds.
    pub census: Census,
    /// Descriptors of before that lead to the same, the most first; small groups are left out.
    pub piles: Vec<Pile>,
}

/// A census of many processes at the same moment: the sockets of a network namespace, milliseconds
/// on a busy host, are read once for all processes in it.
#[derive(Debug)]
pub struct CensusRound<'a> {
    procfs: &'a Procfs,
    limit: usize,
    sockets: HashMap<Namespace, SocketTable>,
}

impl<'a> CensusRound<'a> {
    /// Looks at no more than `limit` descriptors of each process.
    pub fn new(procfs: &'a Procfs, limit: usize) -> Self {
        Self {
            procfs,
            limit,
            sockets: HashMap::new(),
        }
    }

    /// Counts one process; see [`census()`].
    pub fn census(
        &mut self,
        tgid: u32,
        preexisting: impl Fn(u32) -> bool,
        stamp: Stamp,
    ) -> Result<Counted, ProcError> {
        let procfs = self.procfs;
        let process = procfs.info(tgid)?;
        let tid = procfs
            .live_thread(tgid, tgid)?
            .ok_or_else(|| procfs.gone(&tgid.to_string()))?;
        let (numbers, more) = procfs.descriptors(tgid, Some(tid), LISTED)?;
        let listed = numbers.len() as u64;
        let open = if more {
            procfs.descriptor_count(tgid)?.max(listed)
        } else {
            listed
        };
        let namespace = procfs.net_namespace(tgid, tid).ok_or(tgid);
        let who = CensusedProcess {
            tgid,
            tid,
            namespace,
        };
        let (rows, piles) = self.rows(who, &numbers, &preexisting)?;
        let census = Census {
            stamp,
            process: Arc::new(process),
            open,
            preexisting: numbers.iter().filter(|&&fd| preexisting(fd)).count() as u64,
            limit: procfs.nofile_limit(tgid).map(|value| share(value, open)),
            rss_bytes: procfs.rss_bytes(tgid),
            rows,
            partial: open > self.limit as u64,
        };
        Ok(Counted { census, piles })
    }

    fn rows(
        &mut self,
        who: CensusedProcess,
        numbers: &[u32],
        preexisting: impl Fn(u32) -> bool,
    ) -> Result<(Vec<CensusRow>, Vec<Pile>), ProcError> {
        let (mut tally, mut piles) = (Tally::default(), Piles::default());
        for &fd in numbers.iter().take(self.limit) {
            let found = self.classify(who, fd);
            if let (Ok((kind, target)), true) = (&found, preexisting(fd)) {
                piles.add(*kind, target, fd);
            }
            tally.add(found.map(|(kind, target)| (kind, fold_digits(kind, target))))?;
        }
        Ok((tally.rows(), piles.largest()))
    }

    /// Kind and target, of a socket what it has in common with others of its purpose. Only a path
    /// needs the mode to tell the kind; where the file cannot be asked (a stale mount), it
    /// stays unknown.
    fn classify(&mut self, who: CensusedProcess, fd: u32) -> Result<(Kind, String), ProcError> {
        let place = descriptor(who.tgid, who.tid, fd);
        let target = self.procfs.link(&place)?;
        if let Some(inode) = socket_inode(&target) {
            return Ok(self.socket(who, fd, inode));
        }
        let path = target.starts_with(['/', '(']);
        let mode = path.then(|| self.procfs.mode(&place)).and_then(Result::ok);
        Ok((kind_of_target(&target, mode.unwrap_or(0)), target))
    }

    fn socket(&mut self, who: CensusedProcess, fd: u32, inode: u64) -> (Kind, String) {
        let CensusedProcess {
            tgid,
            tid,
            namespace,
        } = who;
        let table = self.sockets.entry(namespace);
        let table = table.or_insert_with(|| self.procfs.sockets(tgid, tid));
        table
            .describe_folded(inode)
            .or_else(|| self.procfs.protocol(tgid, tid, fd))
            .unwrap_or_else(|| (Kind::OtherSocket, "socket".to_owned()))
    }
}

/// Whose descriptors are looked at, through which thread.
#[derive(Clone, Copy, Debug)]
struct CensusedProcess {
    tgid: u32,
    tid: u32,
    namespace: Namespace,
}

/// What a socket is connected to is folded already, and its address is what tells it apart.
fn fold_digits(kind: Kind, target: String) -> String {
    if kind.resource() == Resource::Socket {
        target
    } else {
        fold_target(&target)
    }
}

/// A network namespace, or the process where that is unknown.
type Namespace = Result<u64, u32>;

fn share(value: u64, used: u64) -> Limit {
    Limit {
        name: "RLIMIT_NOFILE",
        value,
        used,
        exhausted_in: None,
        uncertainty: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::{TestProcfs, target};

    const TCP: &[u8] = b"0: 0400000A:A232 0900000A:1538 08 0:0 00:0 0 0 0 17 1\n\
        1: 0400000A:A233 0900000A:1538 08 0:0 00:0 0 0 0 18 1\n";

    fn tree() -> TestProcfs {
        let tree = TestProcfs::new();
        tree.process(7, b"api", 'S', 1)
            .file("7/limits", b"Max open files  16  32  files\n")
            .file("7/task/7/net/tcp", TCP)
            .file("log.1", b"")
            .file("log.22", b"");
        let [one, two] = ["log.1", "log.22"].map(|name| tree.path(name));
        let targets = [
            target(&one),
            target(&two),
            "socket:[17]",
            "socket:[18]",
            "socket:[99]",
            "pipe:[5]",
            "anon_inode:[eventpoll]",
            "net:[4026531840]",
        ];
        for (fd, target) in (0..).zip(targets) {
            tree.descriptor(7, 7, fd, target);
        }
        tree
    }

    fn rows(census: &Census) -> Vec<(Kind, u64)> {
        census
            .rows
            .iter()
            .map(|row| (row.kind, row.count))
            .collect()
    }

    #[test]
    fn kinds_and_folded_targets_are_counted() {
        let tree = tree();
        let census = census(&tree.procfs(), 7, |fd| fd < 3, Stamp(5), CENSUS_DESCRIPTORS).unwrap();
        assert_eq!(
            (census.stamp, census.open, census.preexisting),
            (Stamp(5), 8, 3)
        );
        assert_eq!(census.limit, Some(share(16, 8)));
        assert_eq!((census.rss_bytes, census.partial), (None, false));
        let expected = [
            (Kind::File, 2),
            (Kind::Tcp, 2),
            (Kind::Pipe, 1),
            (Kind::Epoll, 1),
            (Kind::Other, 1),
            (Kind::OtherSocket, 1),
        ];
        assert_eq!(rows(&census), expected);
        let log = fold_target(target(&tree.path("log.1")));
        assert_eq!(census.rows[0].targets, [(log, 2)]);
        let peer = "tcp # -> 10.0.0.9:5432 CLOSE_WAIT".to_owned();
        assert_eq!(census.rows[1].targets, [(peer, 2)]);
    }

    #[test]
    fn a_partial_census_still_tells_how_many_are_open() {
        let census = census(&tree().procfs(), 7, |_| true, Stamp(5), 3).unwrap();
        assert_eq!(
            (census.open, census.preexisting, census.partial),
            (8, 8, true)
        );
        assert_eq!(rows(&census), [(Kind::File, 2), (Kind::Tcp, 1)]);
    }

    #[test]
    fn zombies_hold_nothing_and_are_gone() {
        let tree = TestProcfs::new();
        tree.process(7, b"zombie", 'Z', 1);
        for tgid in [7, 8] {
            let error = census(&tree.procfs(), tgid, |_| false, Stamp(0), 9).unwrap_err();
            assert!(error.is_gone(), "{error}");
        }
    }
}
