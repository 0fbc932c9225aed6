//! Rows of `tcp`, `tcp6`, `udp` and `udp6`, `proc_pid_net(5)`.
//!
//! ```text
//!   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//!    0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1208 …
//! ```

use std::fmt;

use super::endpoint::Endpoint;
use crate::model::resource::Kind;

/// The files, and what their rows are.
pub(super) const FILES: [(&str, Protocol); 4] = [
    ("tcp", Protocol::Tcp),
    ("tcp6", Protocol::Tcp),
    ("udp", Protocol::Udp),
    ("udp6", Protocol::Udp),
];

/// Names of the kernel's TCP states from 1 on, `include/net/tcp_states.h`.
const STATES: [&str; 13] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
    "BOUND_INACTIVE",
];
const LISTEN: u8 = 10;

/// First of the ports that Linux picks by itself, `ip_local_port_range` in ip(7).
const EPHEMERAL: u16 = 32_768;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Tcp => Kind::Tcp,
            Self::Udp => Kind::Udp,
        }
    }
}

/// A TCP or UDP socket with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inet {
    pub(super) protocol: Protocol,
    pub(super) local: Endpoint,
    remote: Endpoint,
    state: u8,
}

impl Inet {
    pub(super) fn listens(&self) -> bool {
        self.protocol == Protocol::Tcp && self.state == LISTEN
    }

    /// The remote end of an accepted connection is left out, of any other the local end: it is
    /// where connections to one service differ.
    pub(super) fn folded(&self, accepted: bool) -> String {
        let Self {
            protocol, local, ..
        } = self;
        let (local, remote) = match self.peer() {
            Some(_) if *protocol == Protocol::Tcp && accepted => (Some(local), None),
            Some(remote) => (None, Some(remote)),
            None if self.listens() || local.port() < EPHEMERAL => (Some(local), None),
            None => (None, None),
        };
        let end = |end: Option<&Endpoint>| end.map_or_else(|| "#".to_owned(), Endpoint::to_string);
        let peer = self
            .peer()
            .map_or_else(String::new, |_| format!(" -> {}", end(remote)));
        format!(
            "{} {}{peer}{}",
            protocol.kind().name(),
            end(local),
            self.state_suffix()
        )
    }

    fn peer(&self) -> Option<&Endpoint> {
        (self.remote.port() != 0).then_some(&self.remote)
    }

    /// UDP has no states worth telling.
    fn state_suffix(&self) -> String {
        if self.protocol == Protocol::Udp {
            return String::new();
        }
        let index = usize::from(self.state).checked_sub(1);
        let name = index
            .and_then(|index| STATES.get(index))
            .unwrap_or(&"UNKNOWN");
        format!(" {name}")
    }
}

impl fmt::Display for Inet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol.kind().name(), self.local)?;
        if let Some(peer) = self.peer() {
            write!(f, " -> {peer}")?;
        }
        f.write_str(&self.state_suffix())
    }
}

/// Inode and socket of a row; `None` for the heading and for sockets without an inode
/// (`TIME_WAIT`, half-open connections).
pub(super) fn parse(protocol: Protocol, row: &str) -> Option<(u64, Inet)> {
    let mut fields = row.split_ascii_whitespace();
    let inet = Inet {
        protocol,
        local: Endpoint::parse(fields.nth(1)?)?,
        remote: Endpoint::parse(fields.next()?)?,
        state: u8::from_str_radix(fields.next()?, 16).ok()?,
    };
    let inode = fields.nth(5)?.parse().ok()?;
    (inode != 0).then_some((inode, inet))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of an address as this machine's kernel prints them.
    fn hex(octets: &[u8]) -> String {
        let words = octets
            .chunks(4)
            .map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
        let words: Vec<_> = words.map(|word| format!("{word:08X}")).collect();
        words.concat()
    }

    fn row(local: &[u8], port: u16, remote: &[u8], remote_port: u16, state: u8) -> String {
        let (local, remote) = (hex(local), hex(remote));
        format!(
            "  12: {local}:{port:04X} {remote}:{remote_port:04X} {state:02X} 00000000:00000000 \
             00:00000000 00000000     0        0 1208 1 0000000001e78901 100 0 0 10 0"
        )
    }

    const ANY: [u8; 4] = [0; 4];
    const HERE: [u8; 4] = [10, 0, 0, 4];
    const THERE: [u8; 4] = [10, 0, 0, 9];
    const V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

    fn check(protocol: Protocol, row: &str, expected: &str, folded: &str) {
        let (inode, inet) = parse(protocol, row).unwrap();
        assert_eq!(inode, 1208);
        assert_eq!(inet.to_string(), expected);
        let accepted = inet.local.port() == 80;
        assert_eq!(inet.folded(accepted), folded);
    }

    #[test]
    fn rows_become_sentences() {
        use Protocol::{Tcp, Udp};
        for (protocol, row, expected, folded) in [
            (
                Tcp,
                row(&HERE, 41522, &THERE, 5432, 8),
                "tcp 10.0.0.4:41522 -> 10.0.0.9:5432 CLOSE_WAIT",
                "tcp # -> 10.0.0.9:5432 CLOSE_WAIT",
            ),
            (
                Tcp,
                row(&HERE, 80, &THERE, 5432, 1),
                "tcp 10.0.0.4:80 -> 10.0.0.9:5432 ESTABLISHED",
                "tcp 10.0.0.4:80 -> # ESTABLISHED",
            ),
            (
                Tcp,
                row(&ANY, 80, &ANY, 0, 10),
                "tcp 0.0.0.0:80 LISTEN",
                "tcp 0.0.0.0:80 LISTEN",
            ),
            (
                Tcp,
                row(&V6, 50051, &[0; 16], 0, 10),
                "tcp [2001:db8::7]:50051 LISTEN",
                "tcp [2001:db8::7]:50051 LISTEN",
            ),
            (
                Tcp,
                row(&HERE, 41522, &ANY, 0, 99),
                "tcp 10.0.0.4:41522 UNKNOWN",
                "tcp # UNKNOWN",
            ),
            (
                Udp,
                row(&[127, 0, 0, 1], 53, &ANY, 0, 7),
                "udp 127.0.0.1:53",
                "udp 127.0.0.1:53",
            ),
            (
                Udp,
                row(&ANY, 41522, &ANY, 0, 7),
                "udp 0.0.0.0:41522",
                "udp #",
            ),
            (
                Udp,
                row(&HERE, 80, &THERE, 53, 1),
                "udp 10.0.0.4:80 -> 10.0.0.9:53",
                "udp # -> 10.0.0.9:53",
            ),
        ] {
            check(protocol, &row, expected, folded);
        }
    }

    #[test]
    fn what_is_no_socket_with_an_inode_is_none() {
        let good = row(&HERE, 1, &THERE, 2, 1);
        for row in [
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  \
             timeout inode",
            "",
            &good.replace(" 1208 ", " 0 "),
            &good.replace(" 1208 ", " -1 "),
            &good.replace(":0001 ", ":10001 "),
            &good.replace(":0001 ", " "),
            &good.replace(&hex(&HERE), &hex(&HERE)[1..]),
            &good.replace(&hex(&HERE), "\u{20ac}\u{20ac}12"),
            &good.replace(&hex(&HERE), &"\u{20ac}".repeat(10)),
            good.get(..40).unwrap(),
        ] {
            assert_eq!(parse(Protocol::Tcp, row), None, "{row}");
        }
    }
}
