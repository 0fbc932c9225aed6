//! What sockets are connected to: `/proc/PID/net/{tcp,tcp6,udp,udp6,unix}`, `proc_pid_net(5)`.
//!
//! The files list the sockets of a network namespace by inode. Sockets without an address (never
//! bound, never connected, or reset by their peer) are not in them; for those
//! [`Procfs::protocol`] knows the kind.

mod endpoint;
mod inet;
mod protocol;
mod unix;

#[cfg(test)]
mod parity;

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
};

use hashbrown::{HashMap, HashSet, hash_map::Entry};
use rustix::fs::OFlags;

use self::inet::{Inet, Protocol};
use super::Procfs;
use crate::model::{link_target::fold_target, resource::Kind};

/// The most sockets that are taken from one file.
pub const SOCKET_ROWS: usize = 65_536;

/// The most that is read of one file, in bytes: rows of sockets that wait for the end of their
/// connection have no inode and do not count as [`SOCKET_ROWS`].
const FILE: u64 = 64 * 1024 * 1024;

/// The sockets of a network namespace by inode.
#[derive(Clone, Debug, Default)]
pub struct SocketTable {
    sockets: HashMap<u64, Socket>,
    listening: HashSet<u16>,
    cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Socket {
    Inet(Inet),
    /// With its path, or name after `@`, where it has one.
    Unix(Option<Box<str>>),
}

impl SocketTable {
    /// Kind of a socket, and what it is connected to: `tcp 10.0.0.4:41522 -> 10.0.0.9:5432
    /// CLOSE_WAIT`, `tcp 0.0.0.0:80 LISTEN`, `udp 127.0.0.1:53`, `unix /run/x.sock`, `unix`.
    pub fn describe(&self, inode: u64) -> Option<(Kind, String)> {
        Some(match self.sockets.get(&inode)? {
            Socket::Inet(inet) => (inet.protocol.kind(), inet.to_string()),
            Socket::Unix(None) => (Kind::Unix, "unix".to_owned()),
            Socket::Unix(Some(name)) => (Kind::Unix, format!("unix {name}")),
        })
    }

    /// Like [`SocketTable::describe`], alike for sockets of the same purpose: `#` stands for the
    /// end of a connection that differs from one to the next, and for digits in a name.
    pub fn describe_folded(&self, inode: u64) -> Option<(Kind, String)> {
        let Some(Socket::Inet(inet)) = self.sockets.get(&inode) else {
            return self
                .describe(inode)
                .map(|(kind, name)| (kind, fold_target(&name)));
        };
        let accepted = self.listening.contains(&inet.local.port());
        Some((inet.protocol.kind(), inet.folded(accepted)))
    }

    /// A file had more than [`SOCKET_ROWS`] sockets: one that is not found here may still have an
    /// address.
    pub fn cut(&self) -> bool {
        self.cut
    }

    fn add_inet(&mut self, protocol: Protocol, row: &str) -> bool {
        let Some((inode, inet)) = inet::parse(protocol, row) else {
            return false;
        };
        if inet.listens() {
            self.listening.insert(inet.local.port());
        }
        self.sockets.insert(inode, Socket::Inet(inet));
        true
    }

    /// A path may hold a newline and then what looks like a row of its own. Such a row replaces
    /// nothing, and of two rows for one inode neither name is believed.
    fn add_unix(&mut self, row: &[u8]) -> bool {
        let Some((inode, name)) = unix::parse(row) else {
            return false;
        };
        match self.sockets.entry(inode) {
            Entry::Vacant(entry) => {
                entry.insert(Socket::Unix(name));
            }
            Entry::Occupied(mut entry) => match entry.get_mut() {
                Socket::Unix(known) if *known != name => *known = None,
                Socket::Unix(_) | Socket::Inet(_) => {}
            },
        }
        true
    }
}

impl Procfs {
    /// The sockets in the network namespace of a thread. Files that cannot be read (there is no
    /// IPv6, the thread is gone) add nothing.
    pub fn sockets(&self, tgid: u32, tid: u32) -> SocketTable {
        let mut table = SocketTable::default();
        for (file, protocol) in inet::FILES {
            let place = format!("{tgid}/task/{tid}/net/{file}");
            let add =
                |row: &[u8]| str::from_utf8(row).is_ok_and(|row| table.add_inet(protocol, row));
            table.cut |= self.rows(&place, add);
        }
        table.cut |= self.rows(&format!("{tgid}/task/{tid}/net/unix"), |row| {
            table.add_unix(row)
        });
        table
    }

    /// Inode of a thread's network namespace, namespaces(7).
    pub fn net_namespace(&self, tgid: u32, tid: u32) -> Option<u64> {
        let target = self.link(&format!("{tgid}/task/{tid}/ns/net")).ok()?;
        target
            .strip_prefix("net:[")?
            .strip_suffix(']')?
            .parse()
            .ok()
    }

    /// Calls `add` for every line until it has taken [`SOCKET_ROWS`]; true where lines are left.
    fn rows(&self, place: &str, mut add: impl FnMut(&[u8]) -> bool) -> bool {
        let Ok(file) = self.open(place, OFlags::empty()) else {
            return false;
        };
        let mut file = BufReader::new(File::from(file).take(FILE));
        let mut taken = 0;
        self.with_buffer(|line| {
            loop {
                line.clear();
                match file.read_until(b'\n', line) {
                    Ok(0) => return file.get_ref().limit() == 0,
                    Ok(_) if taken < SOCKET_ROWS => {
                        taken += usize::from(add(without_newline(line)));
                    }
                    Ok(_) | Err(_) => return true,
                }
            }
        })
    }
}

fn without_newline(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::testing::TestProcfs;

    const TCP: &str = "0: 00000000:0050 00000000:0000 0A 0:0 00:0 0 0 0 17 1";

    fn describe(table: &SocketTable, inode: u64) -> Option<String> {
        table.describe(inode).map(|(_, name)| name)
    }

    #[test]
    fn files_are_told_apart_and_missing_ones_add_nothing() {
        let tree = TestProcfs::new();
        tree.file("7/task/8/net/tcp", TCP.as_bytes())
            .file("7/task/8/net/udp", TCP.replace(" 17 ", " 18 ").as_bytes())
            .file(
                "7/task/8/net/unix",
                b"Num\n0: 2 0 0 1 1 19 /run/x.17\n0: 2 0 0 1 1 20\n",
            );
        let table = tree.procfs().sockets(7, 8);
        for (inode, expected) in [
            (17, Some((Kind::Tcp, "tcp 0.0.0.0:80 LISTEN"))),
            (18, Some((Kind::Udp, "udp 0.0.0.0:80"))),
            (19, Some((Kind::Unix, "unix /run/x.17"))),
            (20, Some((Kind::Unix, "unix"))),
            (21, None),
        ] {
            let expected = expected.map(|(kind, name)| (kind, name.to_owned()));
            assert_eq!(table.describe(inode), expected, "{inode}");
        }
        assert_eq!(
            table.describe_folded(19),
            Some((Kind::Unix, "unix /run/x.#".to_owned()))
        );
        assert!(!table.cut());
        assert_eq!(describe(&tree.procfs().sockets(7, 9), 17), None);
    }

    /// A Unix socket may be bound to a path with a newline, and a row of its own after it.
    #[test]
    fn rows_in_names_are_not_believed() {
        let tree = TestProcfs::new();
        let unix = b"0: 2 0 0 1 1 19 /a\n0: 2 0 0 1 1 20 /fake\n0: 2 0 0 1 1 17 /fake\n\
                     0: 2 0 0 1 1 20 /real\n\xff\n";
        tree.file("7/task/7/net/tcp", TCP.as_bytes())
            .file("7/task/7/net/unix", unix);
        let table = tree.procfs().sockets(7, 7);
        assert_eq!(
            describe(&table, 17).as_deref(),
            Some("tcp 0.0.0.0:80 LISTEN")
        );
        assert_eq!(describe(&table, 20).as_deref(), Some("unix"));
    }

    #[test]
    fn too_many_rows_are_cut() {
        for (rows, cut) in [(SOCKET_ROWS, false), (SOCKET_ROWS + 1, true)] {
            let tree = TestProcfs::new();
            let lines: Vec<_> = (1..=rows)
                .map(|row| format!("0: 2 0 0 1 1 {row} /x\n"))
                .collect();
            tree.file("7/task/7/net/unix", lines.concat().as_bytes());
            let table = tree.procfs().sockets(7, 7);
            assert_eq!(table.cut(), cut);
            assert_eq!(table.sockets.len(), SOCKET_ROWS);
        }
    }
}
